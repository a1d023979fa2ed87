import pytest
from pydantic import ValidationError

from contracts.active_models import ActiveModel, ActiveModels, Canary


def test_builds_are_listed_once_in_the_order_of_loading() -> None:
    model = ActiveModel(
        stable="d-1.1.0_c",
        previous="d-1.0.0_c",
        fallback="d-1.0.0_c",
        canary=Canary(build="d-1.2.0_c", share=0.05),
        staged=("d-1.3.0_c", "d-1.1.0_c"),
    )
    assert model.builds() == ("d-1.1.0_c", "d-1.2.0_c", "d-1.0.0_c", "d-1.3.0_c")
    both = ActiveModels(models={"d": model, "e": ActiveModel(stable="d-1.1.0_c")})
    assert both.builds() == model.builds()


def test_a_canary_and_a_shadow_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        ActiveModel(stable="d-1.0.0_c", canary=Canary(build="d-1.1.0_c", share=0.1), shadow="d-1.2.0_c")


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_is_above_0_and_up_to_1(share: float) -> None:
    with pytest.raises(ValidationError, match="share"):
        Canary(build="d-1.0.0_c", share=share)
