"""Proposed models run on a picture, and what they say is looked at."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from model_compiler.proposal.answer_check import (
    doubts_of_candidates,
    doubts_of_probabilities,
    doubts_of_two_pictures,
)
from model_compiler.proposal.errors import NotProposable
from model_compiler.proposal.hints import Hints
from model_compiler.proposal.model_facts import read_model_facts
from model_compiler.proposal.propose import propose
from model_compiler.proposal.synthetic_frame import synthetic_frame
from model_compiler.proposal.tryout import Tryout, try_out
from tests.model_compiler.proposal.exports import efficientnet, network, resnet, yolov5, yolov8
from vision.decode import decode_frame

PICTURE = synthetic_frame()
SIZE = (640, 640)


def tried(model: onnx.ModelProto, **hints: object) -> Tryout:
    given = replace(Hints(name="parts"), **hints)  # type: ignore[arg-type]
    return try_out(model, propose(read_model_facts(model), given), PICTURE)


def test_the_synthetic_frame_is_a_picture_and_always_the_same() -> None:
    assert decode_frame(PICTURE, target_wh=None, max_pixels=10**6).rgb.shape == (720, 1280, 3)
    assert synthetic_frame() == PICTURE
    assert synthetic_frame(1) != PICTURE


@pytest.mark.parametrize("batch", [1, "batch"])
@pytest.mark.parametrize("make", [yolov8, yolov5])
def test_detectors_at_640_by_640(make: object, batch: int | str) -> None:
    seen = tried(make(batch=batch))  # type: ignore[operator]
    assert seen.doubts == ()
    assert seen.single_frame_reason is None
    assert seen.findings
    for finding in seen.findings:
        assert 0.25 <= finding.score <= seen.best_score <= 1.0
        assert finding.box_xyxy is not None
        x1, y1, x2, y2 = finding.box_xyxy
        assert 0 <= x1 <= x2 <= 1280
        assert 0 <= y1 <= y2 <= 720


@pytest.mark.parametrize("model", [resnet(), resnet(softmax=True, as_map=True, batch="n"), efficientnet()])
def test_classifiers_at_224_by_224(model: onnx.ModelProto) -> None:
    seen = tried(model)
    assert seen.doubts == ()
    assert len(seen.findings) == 5
    assert sum(finding.score for finding in seen.findings) == pytest.approx(1.0, abs=1e-5)
    assert str(seen.findings[0]).startswith("class-")


def test_a_batch_axis_that_is_open_by_name_only_is_noticed() -> None:
    seen = tried(yolov8(batch="batch", fixed_reshape=True))
    assert seen.single_frame_reason is not None
    assert "its batch axis is open" in seen.single_frame_reason


def test_a_missing_sigmoid_is_doubted() -> None:
    (doubt,) = tried(yolov8(sigmoid=False)).doubts
    assert "leaves the sigmoid out" in doubt


def test_a_constant_answer_is_doubted() -> None:
    net = network()
    nothing = net.add("Mul", net.add("Flatten", net.add("GlobalAveragePool", "images")), net.weight(np.zeros(3, "f4")))
    values = net.add("Add", nothing, net.weight(np.array([0, 1, 2], np.float32)))
    assert "the same for any picture" in tried(net.model({"y": (values, [1, 3])}, size=[1, 3, 8, 8])).doubts[0]


def test_a_graph_that_cannot_be_run_names_its_node() -> None:
    net = network()
    flat = net.add("Flatten", net.add("GlobalAveragePool", "images"))
    broken = net.add("Reshape", flat, net.integers(1, 7))
    model = net.model({"y": (net.add("Identity", broken), ["n", 7])}, size=["n", 3, 8, 8])
    with pytest.raises(NotProposable, match="Reshape"):
        tried(model)


def rows(*values: tuple[float, ...]) -> NDArray[np.float32]:
    padded = np.zeros((300, 6), np.float32)
    padded[: len(values)] = np.array(values, np.float32).reshape(-1, 6)
    return padded


GOOD = ((10, 10, 50, 60, 0.9, 0), (100, 100, 300, 200, 0.4, 1), (5, 5, 20, 20, 0.01, 0))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (rows(*GOOD), None),
        (rows((10, 10, 50, 60, np.nan, 0), (1, 1, 2, 2, 0.5, 0)), "NaN or infinite"),
        (rows((10, np.inf, 50, 60, 0.5, 0)), "NaN or infinite"),
        (rows(), "all scores are 0"),
        (rows((10, 10, 50, 60, 0, 0)), "all scores are 0"),
        (rows((10, 10, 50, 60, 7.5, 0), (10, 10, 50, 60, -3, 0)), "from -3 to 7.5, not from 0 to 1"),
        (rows(*[(10, 10, 50, 60, 1.0, 0)] * 300), "all 300 candidates have a score above 0.99"),
        (rows((0.1, 0.1, 0.5, 0.6, 0.9, 0), (0, 0, 1, 1, 0.3, 0)), "shares of the picture"),
        (rows((700, 10, 800, 60, 0.9, 0), (10, 900, 60, 990, 0.5, 0)), "100% of the boxes lie outside"),
        (rows((50, 60, 10, 10, 0.9, 0), (90, 90, 30, 40, 0.5, 0)), "corners instead of centre and size"),
    ],
)
def test_doubts_of_candidates(given: NDArray[np.float32], said: str | None) -> None:
    doubts = doubts_of_candidates(given, SIZE)
    assert (doubts == ()) if said is None else any(said in doubt for doubt in doubts)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.2, 0.5, 0.3], None),
        ([0.999, 0.001, 0.0], None),
        ([np.nan, np.nan, np.nan], "NaN or infinite"),
        ([0.334, 0.333, 0.333], "the same probability, 0.3340"),
        ([1.0, 0.0, 0.0], "wholly certain"),
    ],
)
def test_doubts_of_probabilities(values: list[float], said: str | None) -> None:
    doubts = doubts_of_probabilities(np.array(values, np.float32))
    assert (doubts == ()) if said is None else said in doubts[0]


def test_two_pictures_differ() -> None:
    first, second = rows(*GOOD), rows(*GOOD[1:])
    assert doubts_of_two_pictures(first, second) == ()
    assert doubts_of_two_pictures(first, first.copy())
