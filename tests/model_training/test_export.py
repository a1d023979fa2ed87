from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from model_compiler.graph.inspection import inspect_file
from model_training.export import ExportMismatch, ExportParity, export_network, fused
from model_training.network import DecodedDetector, Detector, cell_centres, parameter_count
from model_training.network_settings import NetworkSettings
from model_training.part_classifier import PartClassifier
from model_training.predict import OnnxDetector

TINY = NetworkSettings("tiny", (16, 16, 16, 16, 16), (1, 1, 1, 1), (16, 16, 16), 16, 1, "silu")


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(1)
    built = Detector(TINY, 6)
    built.train()
    for _ in range(3):
        built(torch.rand(2, 3, 320, 416))
    with torch.no_grad():
        for parameter in built.parameters():
            # the exporter writes equal ones, which only a new network has, once
            parameter.add_(1e-3 * torch.randn_like(parameter))
    return built.eval()


@pytest.fixture(scope="module")
def exported(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    parities = export_network(detector, path)
    assert [parity.batch for parity in parities] == [1, 8]
    assert max(parity.largest for parity in parities) <= 1e-4
    return path


def test_the_plain_form(exported: Path) -> None:
    graph = onnx.load(exported)
    assert [entry.version for entry in graph.opset_import if entry.domain == ""] == [17]
    (images,), (predictions,) = graph.graph.input, graph.graph.output
    shapes = [
        [dimension.dim_value or dimension.dim_param for dimension in value.type.tensor_type.shape.dim]
        for value in (images, predictions)
    ]
    assert (images.name, shapes[0]) == ("images", ["batch", 3, 320, 416])
    assert (predictions.name, shapes[1]) == ("predictions", ["batch", 10, 2730])
    assert not [node for node in graph.graph.node if node.op_type == "Shape"]
    assert not [node for node in graph.graph.node if node.op_type == "BatchNormalization"]


def test_folding_the_norms_changes_nothing(detector: Detector) -> None:
    images = torch.rand(2, 3, 320, 416)
    with torch.no_grad():
        expected, actual = detector(images), fused(detector)(images)
    assert torch.allclose(expected[0], actual[0], atol=1e-4)
    assert torch.allclose(expected[1], actual[1], atol=1e-4)


def test_the_compiler_counts_as_many_parameters_less_the_folded_norms(detector: Detector, exported: Path) -> None:
    norms = [module for module in detector.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    # a scale and a shift for each channel become one bias
    folded = sum(norm.num_features for norm in norms)
    assert inspect_file(exported).parameter_count == parameter_count(detector) - folded


def test_rows_are_boxes_and_scores(detector: Detector) -> None:
    decoded = DecodedDetector(detector, (416, 320)).eval()
    with torch.no_grad():
        rows = decoded(torch.rand(1, 3, 320, 416))
    assert rows.shape == (1, 10, 2730)
    assert bool((rows[:, 2:4] > 0).all())
    assert bool(((rows[:, 4:] > 0) & (rows[:, 4:] < 1)).all())


def test_the_exported_file_detects_through_the_serving_path(exported: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (3, 320, 416, 3)).astype(np.uint8)
    rows = list(OnnxDetector(exported, threads=1).detect(images))
    assert len(rows) == 3
    for detections in rows:
        assert detections.shape[1] == 6
        assert np.all(np.diff(detections[:, 4]) <= 0)


def test_cell_centres() -> None:
    centres, strides = cell_centres((64, 32))
    assert len(centres) == 8 * 4 + 4 * 2 + 2 * 1
    assert centres[0].tolist() == [4.0, 4.0]
    assert centres[8].tolist() == [4.0, 12.0]
    assert centres[-1].tolist() == [48.0, 16.0]
    assert strides[[0, 32, 40], 0].tolist() == [8.0, 16.0, 32.0]


def test_a_mismatch_says_what_was_measured() -> None:
    error = ExportMismatch(ExportParity(batch=8, boxes_px=3.0, scores=0.25))
    assert "batch 8" in str(error)
    assert "3.00e+00 px" in str(error)


def test_a_classifier_gives_logits(tmp_path: Path) -> None:
    torch.manual_seed(2)
    parities = export_network(PartClassifier((16, 16, 16, 16)), tmp_path / "model.onnx")
    assert max(parity.largest for parity in parities) <= 1e-4
    (logits,) = onnx.load(tmp_path / "model.onnx").graph.output
    sizes = [size.dim_value or size.dim_param for size in logits.type.tensor_type.shape.dim]
    assert (logits.name, sizes) == ("logits", ["batch", 7])
