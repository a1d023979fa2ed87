"""Both forms of a model are the same network."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks.bench_models import ModelMissing, make_yolo_model, prepare_models
from benchmarks.in_process_detector import InProcessDetector, backend_of
from tests.fakes.pictures import jpeg


def test_the_network_cut_out_of_a_build_is_the_plain_one(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "taken").mkdir()
    made = make_yolo_model("defects", 64, tmp_path / "made")

    (taken,) = prepare_models(["defects"], made.build.parent, tmp_path / "taken")

    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64)).astype(np.float32)
    outputs = [
        onnxruntime.InferenceSession(str(model.plain)).run(
            ["predictions" if model is made else "graft/predictions"],
            {("images" if model is made else "graft/images"): pixels * np.float32(model.plain_scale)},
        )[0]
        for model in (made, taken)
    ]
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-3, atol=1e-3)
    assert taken.build.name == "defects-1.0.0_x86-cpu"


def test_the_in_process_way_runs_a_build(tmp_path: Path) -> None:
    model = make_yolo_model("yolov8n-64", 64, tmp_path)
    assert backend_of(model.build) == "openvino"

    detector = InProcessDetector(model.build)
    boxes, scores, classes = detector.detect(detector.prepare(jpeg(128, 96)))

    assert boxes.shape == (len(scores), 4)
    assert len(classes) == len(scores)
    assert np.all(np.diff(scores) <= 0)


def test_a_missing_demo_model_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no build of 'defects' for x86-cpu: `make train` makes it"):
        prepare_models(["defects"], tmp_path, tmp_path)


def test_the_shipped_build_is_measured_beside_its_fp32_network(tmp_path: Path) -> None:
    (model,) = prepare_models(["defects"], Path(__file__).parents[2] / "model_repository", tmp_path)
    operators = {node.op_type for node in onnx.load(model.plain).graph.node}
    assert "Conv" in operators
    assert "QuantizeLinear" not in operators
    session = onnxruntime.InferenceSession(str(model.plain))
    (rows,) = session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, 320, 416), np.float32)})
    assert rows.shape == (1, 10, 2730)
