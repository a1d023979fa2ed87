"""The recipes of the demo's builds are readable and agree with each other."""

from pathlib import Path

import pytest

import model_compiler
from contracts.build_name import BuildName
from model_compiler.errors import NoSuchTarget
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.recipe import Recipe
from model_compiler.recipe_file import read_recipe

FOLDER = Path(model_compiler.__file__).parent / "recipes"
DEFECTS = ("scratch", "pit", "crack", "dent", "stain", "inclusion")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_demo_recipes(path: Path) -> None:
    recipe = read_recipe(path)
    for name in recipe.targets:
        assert BuildName.parse(recipe.build_name(name)).hardware_class == find_hardware_class(name).name
    assert recipe.trainer is not None
    assert recipe.trainer.weights.is_file()
    assert recipe.calibration is not None
    assert recipe.evaluation is not None
    assert recipe.calibration.frames != recipe.evaluation.frames
    assert recipe.labels[-6:] == DEFECTS


def test_the_only_class_need_not_be_named_but_several_must() -> None:
    recipe = read_recipe(FOLDER / "defects.yaml")
    assert recipe.target(None) == "x86-cpu"
    two = Recipe.model_validate(recipe.model_dump() | {"targets": {"x86-cpu": {}, "arm-cpu": {}}})
    assert two.target("arm-cpu") == "arm-cpu"
    with pytest.raises(NoSuchTarget, match="x86-cpu, arm-cpu"):
        two.target(None)
