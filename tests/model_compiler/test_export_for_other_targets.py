"""What targets without Triton are given: plain ONNX whose every quantisation is signed and without a zero point."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import numpy_helper

from model_compiler.pipeline import Workshop
from model_compiler.recipe_file import read_recipe
from model_compiler.release import build
from model_compiler.stage_cache import StageCache
from tests.model_compiler.noise_frames import write_frame
from tests.model_compiler.quantization.small_networks import classifier


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(classifier())
    for seed in range(8):
        write_frame(tmp_path / "frames" / f"{seed}.png", seed)
    sensitivity = {"max_float_nodes": 0}
    content = {
        "model": "parts",
        "version": "1.0.0",
        "task": "classification",
        "onnx": "model.onnx",
        "labels": ["a", "b", "c", "d", "e"],
        "calibration": {"frames": "frames", "count": 8, "allow_few_frames": True, "sensitivity": sensitivity},
        "grafted": False,
        "targets": {"x86-cpu": {"variants": [{"variant": "int8", "backend": "onnxruntime", "quantization": "s8s8"}]}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "recipe.yaml"


def test_the_same_frames_in_another_folder_repeat_no_stage(recipe: Path) -> None:
    said = list[str]()
    workshop = Workshop(StageCache(recipe.parent / "cache"), said.append)
    build(read_recipe(recipe), "x86-cpu", recipe.parent / "repository", workshop)
    (recipe.parent / "frames").rename(recipe.parent / "moved")
    recipe.write_text(recipe.read_text().replace("frames: frames", "frames: moved"))
    said.clear()
    build(read_recipe(recipe), "x86-cpu", recipe.parent / "again", workshop)
    stages = [line for line in said if line.startswith("int8")]
    assert len(stages) == 5
    assert all(line.endswith("(as before)") for line in stages)


def test_every_zero_point_is_a_signed_zero(recipe: Path) -> None:
    workshop = Workshop(StageCache(recipe.parent / "cache"))
    release = build(read_recipe(recipe), "x86-cpu", recipe.parent / "repository", workshop)
    graph = onnx.load(str(release.directory / "1" / "model.onnx")).graph
    assert [value.type.tensor_type.elem_type for value in graph.input] == [onnx.TensorProto.FLOAT]
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scaling = [node for node in graph.node if node.op_type in {"QuantizeLinear", "DequantizeLinear"}]
    assert scaling
    for node in scaling:
        zero_point = constants[node.input[2]]
        assert zero_point.dtype == np.int8
        assert not zero_point.any()
