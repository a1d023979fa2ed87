"""The recipes of the demo's builds are readable and agree with each other."""

from pathlib import Path

import pytest

import model_compiler
from model_compiler.errors import NoSuchTarget
from model_compiler.recipe import Recipe, read_recipe

FOLDER = Path(model_compiler.__file__).parent / "recipes"


@pytest.mark.parametrize("name", ["defects", "defects-cloud"])
def test_demo_recipes(name: str) -> None:
    recipe = read_recipe(FOLDER / f"{name}.yaml")
    assert (recipe.model, recipe.version, recipe.target(None)) == (name, "1.0.0", "x86-cpu")
    assert recipe.labels == ("scratch", "pit", "crack", "dent", "stain", "inclusion")
    trained = {"defects": "student", "defects-cloud": "teacher"}[name]
    root = FOLDER.parent.parent
    assert recipe.onnx.resolve() == root.resolve() / "var" / "training" / trained / "model.onnx"
    assert recipe.metrics is not None
    assert recipe.metrics.parent == recipe.onnx.parent


def test_the_only_class_need_not_be_named_but_several_must() -> None:
    recipe = read_recipe(FOLDER / "defects.yaml")
    two = Recipe.model_validate(
        recipe.model_dump() | {"targets": {"x86-cpu": {"backend": "openvino"}, "arm-cpu": {"backend": "onnxruntime"}}}
    )
    assert two.target("arm-cpu") == "arm-cpu"
    with pytest.raises(NoSuchTarget, match="x86-cpu, arm-cpu"):
        two.target(None)
