"""What a build is given to know itself: calibrated confidence, a drift reference, thresholds."""

from dataclasses import dataclass

from contracts.confidence_calibration import ConfidenceCalibration
from contracts.drift_reference import DriftReference
from model_compiler.evaluation.confidence import calibrate_classifier, calibrate_detector
from model_compiler.evaluation.detection_accuracy import match_all
from model_compiler.evaluation.drift_reference import drift_reference, view_frames
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Detections, Predictions
from vision.thresholds import best_f1_threshold

FEWEST_TRUE_BOXES = 30
"""A label with fewer has no threshold suggested: it would be chance."""


@dataclass(frozen=True, slots=True)
class BuildCalibration:
    """For the card.

    Attributes:
        confidence: Its method is ``none`` without labels.
        drift_reference: Counts over the frames.
        thresholds: Score of the best F1 at IoU 0.5 for each label with enough true boxes; of a detector with labels.
        notes: What was done, a line each.
    """

    confidence: ConfidenceCalibration
    drift_reference: DriftReference
    thresholds: dict[str, float]
    notes: tuple[str, ...]


def calibrate_build(found: Predictions, frames: LabelledFrames, *, seed: int = 0) -> BuildCalibration:
    """Calibrate a build from its answers.

    Args:
        found: Answers to the frames.
        frames: That neither training nor the reported accuracy has seen.
        seed: Of the cross-fitting.

    Raises:
        ImageError: A frame is damaged.
        OSError: A frame is gone.
    """
    thresholds: dict[str, float] = {}
    if isinstance(found, Detections):
        confidence = calibrate_detector(found, frames, seed=seed)
        if frames.labelled:
            thresholds = _thresholds(found, frames)
    else:
        confidence = calibrate_classifier(found, frames, seed=seed)
    drift = drift_reference(found, confidence.hardness, view_frames(frames), frames)
    notes = (_note(confidence.calibration), f"drift reference of {len(frames)} frames")
    return BuildCalibration(confidence.calibration, drift, thresholds, notes)


def _thresholds(found: Detections, frames: LabelledFrames) -> dict[str, float]:
    matches = zip(frames.labels, match_all(found, frames), strict=True)
    return {label: best_f1_threshold(each) for label, each in matches if each.truths.sum() >= FEWEST_TRUE_BOXES}


def _note(calibration: ConfidenceCalibration) -> str:
    if calibration.method == "none":
        return f"confidence not calibrated: {calibration.reason}"
    return (
        f"confidence calibrated ({calibration.method}) on {calibration.samples} samples: expected calibration error"
        f" {calibration.ece_before:.3f} before, {calibration.ece_after:.3f} after"
    )
