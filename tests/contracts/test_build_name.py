import pytest

from contracts.build_name import BuildName, InvalidBuildName


def test_a_name_is_taken_apart_and_put_together() -> None:
    name = BuildName.parse("defects-cloud-1.10.0_x86-cpu")
    assert (name.model, name.version, name.hardware_class) == ("defects-cloud", "1.10.0", "x86-cpu")
    assert str(name) == "defects-cloud-1.10.0_x86-cpu"


@pytest.mark.parametrize(
    "text",
    [
        "defects",
        "defects-1.0_x86-cpu",
        "defects-1.0.0",
        "defects-01.0.0_x86-cpu",
        "Defects-1.0.0_x86-cpu",
        "-defects-1.0.0_x86-cpu",
        "defects-1.0.0_-x86",
        "../defects-1.0.0_x86-cpu",
        "defects-1.0.0_x86-cpu\n",
        "",
    ],
)
def test_other_texts_are_refused_with_the_form(text: str) -> None:
    with pytest.raises(InvalidBuildName, match="<model>-<major"):
        BuildName.parse(text)
