import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision.noisy_detections import Rows, noisy_set
from vision.bootstrap import bootstrap_map, bootstrap_map50_difference, bootstrap_ratio
from vision.matching import ClassMatches, match_class

CLASSES = 6


def matched(detections: list[Rows], truths: list[Rows], classes: list[NDArray[np.int64]]) -> list[ClassMatches]:
    return [match_class(detections, truths, classes, index) for index in range(CLASSES)]


def test_more_frames_narrow_the_interval() -> None:
    widths = []
    for frames in (40, 640):
        detections, truths, classes = noisy_set(2, frames)
        matches = [match_class(detections, truths, classes, index) for index in range(6)]
        interval = bootstrap_map(matches, resamples=60, seed=0).map50
        widths.append(interval.high - interval.low)
    assert widths[1] < 0.5 * widths[0]


def test_a_model_does_not_differ_from_itself() -> None:
    matches = matched(*noisy_set(3, 50))
    found = bootstrap_map50_difference(matches, matches, resamples=30, seed=0)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_pairing_narrows_the_interval_and_finds_the_loss() -> None:
    detections, truths, classes = noisy_set(4, 400)
    rng = np.random.default_rng(0)
    worse = [rows[rng.random(len(rows)) < 0.97] for rows in detections]
    first, second = matched(worse, truths, classes), matched(detections, truths, classes)
    paired = bootstrap_map50_difference(first, second, resamples=60, seed=0)
    alone = bootstrap_map(second, resamples=60, seed=0).map50
    assert paired.value < 0
    assert paired.low <= paired.value <= paired.high
    assert paired.high - paired.low < 0.6 * (alone.high - alone.low)


def test_pairs_must_be_of_the_same_frames() -> None:
    first, second = matched(*noisy_set(3, 20)), matched(*noisy_set(3, 21))
    with pytest.raises(ValueError, match=r"got \[20, 21\] frames"):
        bootstrap_map50_difference(first, second, resamples=20, seed=0)


def test_the_ratio_of_sums_has_the_interval_of_its_sampling_error() -> None:
    hits = np.zeros(400)
    hits[:100] = 1
    found = bootstrap_ratio(hits, np.ones(400), resamples=2000, seed=1)
    error = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert found.value == 0.25
    assert (found.low, found.high) == pytest.approx((0.25 - error, 0.25 + error), abs=0.006)


def test_nothing_over_nothing_is_full_agreement() -> None:
    found = bootstrap_ratio(np.zeros(5), np.zeros(5), resamples=20, seed=0)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
