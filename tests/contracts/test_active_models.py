import pytest
from pydantic import ValidationError

from contracts.active_models import ActiveModel, ActiveModels, Canary, Cascade


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


MODELS = {"parts": {"stable": "parts-1.0.0_c"}, "defects": {"stable": "defects-1.0.0_c"}}
CASCADE = {"first": "parts", "then": "defects", "skip_label": "pass", "skip_score": 0.9}


def test_a_cascade_of_two_models() -> None:
    both = ActiveModels.model_validate({"models": MODELS, "cascades": {"inspection": CASCADE}})
    assert both.cascades["inspection"] == Cascade(first="parts", then="defects", skip_label="pass")
    assert both.builds() == ("parts-1.0.0_c", "defects-1.0.0_c")
    assert ActiveModels.model_validate_json(both.model_dump_json()) == both


@pytest.mark.parametrize(
    ("cascades", "words"),
    [
        ({"parts": CASCADE}, "'parts' is both a model and a cascade"),
        ({"a": CASCADE | {"then": "cats"}}, r"cascades.a.then: 'cats' is not among the models \['parts', 'defects'\]"),
        ({"a": CASCADE | {"first": "cats"}}, "cascades.a.first: 'cats' is not among the models"),
        ({"a": CASCADE, "b": CASCADE | {"first": "a"}}, "cascades.b.first: 'a' is a cascade itself"),
        ({"a": CASCADE | {"then": "a"}}, "cascades.a.then: 'a' is a cascade itself"),
        ({"a": CASCADE | {"then": "parts"}}, "first and then are both 'parts'"),
        ({"a": CASCADE | {"skip_score": 0}}, "skip_score"),
        ({"a": CASCADE | {"skip_score": 1.5}}, "skip_score"),
        ({"a": CASCADE | {"skip_label": ""}}, "skip_label"),
        ({"a": CASCADE | {"unless": "fail"}}, "unless"),
        ({"No!": CASCADE}, "should match pattern"),
    ],
)
def test_cascades_that_make_no_sense(cascades: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ActiveModels.model_validate({"models": MODELS, "cascades": cascades})
