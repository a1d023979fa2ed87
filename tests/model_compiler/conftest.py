from pathlib import Path

import onnx
import pytest
import yaml

from tests.model_compiler.tiny_detectors import LARGE, build

LABELS = ("scratch", "pit", "crack", "dent", "stain")
METRICS = """{
  "model": "student",
  "labels": ["scratch", "pit", "crack", "dent", "stain"],
  "accuracy": {
    "map50": 0.861, "map50_95": 0.523, "frames": 5000,
    "intervals": {
      "map50": {"value": 0.86, "low": 0.85, "high": 0.87},
      "map50_95": {"value": 0.52, "low": 0.51, "high": 0.54}
    }
  },
  "data_set": {
    "split": "heldout", "seed": 7, "frames": 5000, "generator_version": 1,
    "hash": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
}
"""


@pytest.fixture
def recipe_path(tmp_path: Path) -> Path:
    """A recipe with its model and metrics beside it."""
    onnx.save_model(build(LARGE), tmp_path / "model.onnx")
    (tmp_path / "metrics.json").write_text(METRICS)
    recipe = {
        "model": "defects",
        "version": "1.2.0",
        "description": 'Faults of "metal" parts, \u00abbelt 1\u00bb',
        "onnx": "model.onnx",
        "metrics": "metrics.json",
        "labels": list(LABELS),
        "thresholds": {"default": 0.3, "by_label": {"pit": 0.2}},
        "targets": {"x86-cpu": {"backend": "openvino"}, "arm-cpu": {"backend": "onnxruntime", "precision": "f32"}},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path
