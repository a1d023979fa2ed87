from pathlib import Path

import onnx
import pytest
import yaml

from model_compiler.recipe import Recipe
from model_compiler.recipe_file import read_recipe
from tests.model_compiler.tiny_detectors import LARGE, build

LABELS = ("scratch", "pit", "crack", "dent", "stain")


@pytest.fixture
def recipe_path(tmp_path: Path) -> Path:
    """A recipe with its model beside it."""
    onnx.save_model(build(LARGE), tmp_path / "model.onnx")
    recipe = {
        "model": "defects",
        "version": "1.2.0",
        "description": 'Faults of "metal" parts, \u00abbelt 1\u00bb',
        "onnx": "model.onnx",
        "labels": list(LABELS),
        "thresholds": {"default": 0.3, "by_label": {"pit": 0.2}},
        "targets": {
            "x86-cpu": {"variants": [{"variant": "f32", "backend": "openvino"}]},
            "arm-cpu": {"variants": [{"variant": "f32", "backend": "onnxruntime"}]},
        },
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


@pytest.fixture
def recipe(recipe_path: Path) -> Recipe:
    return read_recipe(recipe_path)
