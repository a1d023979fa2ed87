import dataclasses

import numpy as np
import pytest

from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.predictions import Classifications, Detections
from tests.model_compiler.evaluation.frame_sets import classification_set, detection_set
from tests.model_compiler.evaluation.variant_results import BASELINE, variant
from tests.vision.noisy_detections import noisy_set

LABELS = ("a", "b", "c", "d", "e", "f")
FAST = "int8-onnxruntime"


@pytest.fixture(scope="module")
def detectors() -> Evaluation:
    """A float detector and one that has lost every eighth detection, and is twice as fast."""
    rows, truths, classes = noisy_set(2, 120)
    rng = np.random.default_rng(0)
    fewer = tuple(each[rng.random(len(each)) > 1 / 8] for each in rows)
    thresholds = np.full(len(LABELS), 0.25)
    return Evaluation(
        {BASELINE: variant(), FAST: variant(FAST, images_per_second_rounds=(196.0, 190.0, 303.0))},
        {BASELINE: Detections(tuple(rows), thresholds), FAST: Detections(fewer, thresholds)},
        detection_set(truths, classes, LABELS),
        resamples=40,
        seed=0,
    )


def test_a_labelled_set_gives_differences(detectors: Evaluation) -> None:
    found = detectors.compared(FAST, BASELINE)
    difference, speedup = found.difference, found.speedup
    assert difference is not None
    assert (difference.metric, difference.baseline, difference.frames) == ("mAP50", BASELINE, 120)
    assert -25 < difference.low < difference.points < difference.high < 0
    assert found.agreement is None
    assert found.deciding_frames == sum(len(truth) > 0 for truth in detectors.frames.truths_xyxy)
    assert speedup is not None
    assert (speedup.ratio, speedup.low, speedup.high) == pytest.approx((2.0, 1.9, 3.0))


def test_the_baseline_is_not_compared_with_itself(detectors: Evaluation) -> None:
    assert detectors.compared(BASELINE, BASELINE) == detectors.results[BASELINE]


def test_an_unlabelled_set_gives_agreement(detectors: Evaluation) -> None:
    unlabelled = dataclasses.replace(detectors, frames=dataclasses.replace(detectors.frames, labelled=False))
    found = unlabelled.compared(FAST, BASELINE)
    assert found.difference is None
    assert found.agreement is not None
    assert found.agreement.name == "agreement_f1"
    assert 0.9 < found.agreement.value < 0.96  # 7/8 of the boxes: F1 is 2 * 7/8 / (1 + 7/8)


def test_frames_that_show_nothing_do_not_count_as_agreement(detectors: Evaluation) -> None:
    box = np.array([[0, 0, 9, 9, 0.9, 0]], np.float32)
    quiet = Detections((box,) * 2 + (box[:0],) * 118, np.full(len(LABELS), 0.25))
    evaluation = dataclasses.replace(
        detectors,
        predictions={BASELINE: quiet, FAST: quiet},
        frames=dataclasses.replace(detectors.frames, labelled=False),
    )
    found = evaluation.compared(FAST, BASELINE)
    assert found.agreement is not None
    assert found.agreement.n == 120
    assert found.deciding_frames == 2


def test_what_was_not_timed_has_no_speedup(detectors: Evaluation) -> None:
    timeless = {**detectors.results, BASELINE: variant(images_per_second_rounds=())}
    assert dataclasses.replace(detectors, results=timeless).compared(FAST, BASELINE).speedup is None


def test_classifiers() -> None:
    truth = [0, 1] * 50
    right = Classifications(np.eye(2)[truth])
    wrong = Classifications(np.eye(2)[[1 - index if number < 10 else index for number, index in enumerate(truth)]])
    results = {BASELINE: variant(), FAST: variant(FAST)}
    evaluation = Evaluation(
        results, {BASELINE: right, FAST: wrong}, classification_set(truth, ("a", "b")), resamples=50, seed=0
    )
    difference = evaluation.compared(FAST, BASELINE).difference
    assert difference is not None
    assert difference.metric == "top1"
    assert difference.points == pytest.approx(-10)
    unlabelled = dataclasses.replace(evaluation, frames=dataclasses.replace(evaluation.frames, labelled=False))
    agreement = unlabelled.compared(FAST, BASELINE).agreement
    assert agreement is not None
    assert agreement.name == "agreement_top1"
    assert agreement.value == pytest.approx(0.9)


def test_a_detector_is_not_compared_with_a_classifier(detectors: Evaluation) -> None:
    mixed = {**detectors.predictions, FAST: Classifications(np.eye(2))}
    with pytest.raises(TypeError, match="a detector cannot be compared with a classifier"):
        dataclasses.replace(detectors, predictions=mixed).compared(FAST, BASELINE)
