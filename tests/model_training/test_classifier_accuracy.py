from pathlib import Path

import numpy as np
import pytest
import torch

from model_training.classifier_accuracy import evaluate_classifier, measure_classifier, true_classes
from model_training.export import export_network
from model_training.frame_cache import FrameCache
from model_training.part_classifier import PartClassifier


def rows(*passing: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Probabilities of frames that are either `pass` or `scratch`."""
    table = np.zeros((len(passing), 7), np.float32)
    table[:, 0], table[:, 1] = passing, 1 - np.array(passing)
    return table


def test_what_a_threshold_stops_and_lets_go_on() -> None:
    accuracy = measure_classifier(
        rows(0.99, 0.85, 0.6, 0.2, 0.92, 0.3, 0.1, 0.0), np.array([0, 0, 0, 0, 1, 1, 1, 2]), resamples=20, seed=0
    )
    assert accuracy.top1.value == pytest.approx(5 / 8)
    assert accuracy.recall_by_label == {"pass": 0.75, "scratch": pytest.approx(2 / 3), "pit": 0.0}
    at = {point.pass_threshold: (point.defective_recall, point.good_stopped) for point in accuracy.cascade}
    assert at[0.5] == (0.75, 0.75)
    assert at[0.9] == (0.75, 0.25)
    assert at[0.95] == (1.0, 0.25)
    # Of 16 pairs of a good and a defective frame, 12 are in the right order.
    assert accuracy.pass_auc == pytest.approx(12 / 16)


def test_ties_count_half() -> None:
    assert measure_classifier(rows(0.5, 0.5), np.array([0, 1]), resamples=2, seed=0).pass_auc == 0.5


@pytest.fixture(scope="module")
def cache() -> FrameCache:
    images = np.random.default_rng(0).integers(0, 255, (3, 320, 416, 3)).astype(np.uint8)
    return FrameCache(
        images=images,
        boxes_xyxy=np.array([[0, 0, 10, 10], [0, 0, 30, 5], [5, 5, 9, 9]], np.float32),
        classes=np.array([4, 2, 5]),
        starts=np.array([0, 2, 2, 3]),
        placements=np.tile([0.325, 0.325, 0.0, 4.0], (3, 1)),
        hard=np.zeros(3, np.bool_),
    )


def test_the_largest_defect_names_the_frame(cache: FrameCache) -> None:
    assert true_classes(cache).tolist() == [3, 0, 6]


def test_an_exported_classifier_is_measured_as_the_network_answers(cache: FrameCache, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = PartClassifier((16, 16, 16, 16)).eval()
    export_network(network, tmp_path / "model.onnx")
    images = torch.from_numpy(np.asarray(cache.images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        answers = network(images).softmax(1).numpy()
    measured = evaluate_classifier(tmp_path / "model.onnx", cache, resamples=5)
    assert measured.top1.value == pytest.approx(float((answers.argmax(1) == true_classes(cache)).mean()))
    assert measured.frames == 3
