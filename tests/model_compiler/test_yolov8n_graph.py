"""The benchmark's graph has the size, mix and behaviour that it claims."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.yolov8n_graph import build_yolov8n_sized, cost_of_yolov8n_sized, main
from contracts.model_card import InputSpec
from model_compiler.stages.graft import graft_detector
from tests.model_compiler.tiny_detectors import RUNTIMES, Runtime, run
from vision.heads import decode_yolov8


def test_it_costs_what_yolov8n_costs() -> None:
    cost = cost_of_yolov8n_sized(640, 640)
    assert cost.parameters == pytest.approx(3.15e6, rel=0.01)
    assert cost.gflops == pytest.approx(8.7, rel=0.02)


def test_it_has_the_operators_of_yolov8n() -> None:
    model = build_yolov8n_sized(320, 320)
    onnx.checker.check_model(model, full_check=True)
    operators = Counter(node.op_type for node in model.graph.node)
    assert {op: operators[op] for op in ("Conv", "MaxPool", "Resize", "Softmax")} == {
        "Conv": 64,
        "MaxPool": 3,
        "Resize": 2,
        "Softmax": 1,
    }
    assert model.graph.output[0].type.tensor_type.shape.dim[2].dim_value == 2100


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_runs_and_its_grafted_form_gives_the_same_candidates(runtime: Runtime) -> None:
    plain = build_yolov8n_sized(192, 160)
    grafted = graft_detector(plain, InputSpec(width=192, height=160), "yolov8", classes=80)
    image = np.random.default_rng(0).integers(0, 256, (1, 160, 192, 3), dtype=np.uint8)
    planes = np.ascontiguousarray(image.transpose(0, 3, 1, 2) / 255, np.float32)
    expected = decode_yolov8(run(plain, runtime, planes)[0])
    candidates = run(grafted, runtime, image)[0]
    np.testing.assert_allclose(candidates[:, 4], expected[:, 4], atol=1e-4)
    clear = np.flatnonzero(-np.diff(expected[:, 4], prepend=2.0, append=-1.0).clip(-1) > 1e-3)
    firm = [row for row in clear if row + 1 in clear]
    assert len(firm) >= 5
    np.testing.assert_allclose(candidates[firm], expected[firm], atol=0.05)


def test_scores_spread_around_a_usual_threshold() -> None:
    image = np.random.default_rng(0).random((1, 3, 320, 320), dtype=np.float32)
    best = run(build_yolov8n_sized(320, 320), "onnxruntime", image)[0, 4:].max(axis=0)
    best_300 = np.sort(best)[-300:]
    assert 5 < (best_300 > 0.25).sum() < 250
    assert best_300.min() < 0.2


def test_sides_must_be_multiples_of_32() -> None:
    with pytest.raises(ValueError, match="multiples of 32, got 300x320"):
        build_yolov8n_sized(300, 320)


def test_command_writes_the_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "64x32", str(tmp_path / "model.onnx")]) == 0
    assert "3.15 M parameters" in capsys.readouterr().out
    assert onnx.load_model(tmp_path / "model.onnx").graph.input[0].type.tensor_type.shape.dim[3].dim_value == 64
