"""Confidence calibration of a build, and how hard its frames are for it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.confidence_calibration import ConfidenceCalibration, HardnessScale
from model_compiler.evaluation.box_confidence import BoxCalibration, BoxMaps, box_scores, calibrate_boxes, score_map
from model_compiler.evaluation.detection_accuracy import match_all
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Classifications, Detections
from model_compiler.evaluation.score_maps import expected_calibration_error, fit_temperature, helps, tempered
from vision.hardness import LOWEST_SCORE, expected_errors, lack_of_margin, on_scale, strongest_hidden

Values = NDArray[np.float64]

_QUANTILES = 21
_UNLABELLED = "the frames have no labels"


@dataclass(frozen=True, slots=True)
class Confidence:
    """For the card, and the hardness of every frame, (N,) from 0 to 1."""

    calibration: ConfidenceCalibration
    hardness: Values


def calibrate_detector(found: Detections, frames: LabelledFrames, *, seed: int) -> Confidence:
    """Calibrate box scores where labels tell which boxes are right, then measure the hardness of every frame."""
    fitted = calibrate_boxes(box_scores(match_all(found, frames)), seed=seed) if frames.labelled else None
    maps = None if fitted is None else fitted.maps
    hardness, scale = _detector_hardness(found, maps)
    if fitted is None:
        calibration = ConfidenceCalibration(
            method="none", reason=_UNLABELLED, dataset_sha256=frames.sha256, samples=0, hardness=scale
        )
        return Confidence(calibration, hardness)
    own = {} if maps is None else maps.by_class
    calibration = ConfidenceCalibration(
        method=fitted.method,
        reason=_why_none(fitted),
        dataset_sha256=frames.sha256,
        samples=fitted.samples,
        ece_before=round(fitted.ece_before, 4),
        ece_after=None if maps is None else round(fitted.ece_after, 4),
        pooled=None if maps is None else score_map(maps.pooled),
        by_label={frames.labels[index]: score_map(each) for index, each in own.items()},
        hardness=scale,
    )
    return Confidence(calibration, hardness)


def calibrate_classifier(found: Classifications, frames: LabelledFrames, *, seed: int) -> Confidence:
    """Find a temperature where labels tell which frames are right, then measure the hardness of every frame.

    As for boxes, it is fitted on halves, and used only if the expected calibration error of the best class halves.
    """
    facts: dict[str, object] = {"method": "none", "reason": _UNLABELLED, "samples": 0}
    probabilities = found.probabilities
    if frames.labelled:
        facts = _temperature(probabilities, frames.class_indices, seed)
        temperature = facts.get("temperature")
        probabilities = tempered(probabilities, temperature) if isinstance(temperature, float) else probabilities
    margins = lack_of_margin(probabilities)
    scale = HardnessScale(
        frames=len(margins), lack_of_margin=_quantiles(margins), hardness=_quantiles(np.clip(margins, 0, 1))
    )
    calibration = ConfidenceCalibration.model_validate(
        {**facts, "dataset_sha256": frames.sha256, "hardness": scale.model_dump()}
    )
    return Confidence(calibration, margins)


def _why_none(fitted: BoxCalibration) -> str:
    if fitted.maps is not None:
        return ""
    if fitted.ece_after < fitted.ece_before:
        return f"the best map leaves {fitted.ece_after:.3f} of an error of {fitted.ece_before:.3f}, which is not half"
    return f"no map halves the error on the {fitted.samples} boxes that there are"


def _detector_hardness(found: Detections, maps: BoxMaps | None) -> tuple[Values, HardnessScale]:
    pairs = np.array([_raw_hardness(rows, found.thresholds, maps) for rows in found.rows])
    errors, hidden = _quantiles(pairs[:, 0]), _quantiles(pairs[:, 1])
    scaled = np.column_stack([on_scale(pairs[:, 0], np.array(errors)), on_scale(pairs[:, 1], np.array(hidden))])
    hardness = scaled.max(axis=1)
    scale = HardnessScale(
        frames=len(hardness), expected_errors=errors, strongest_hidden=hidden, hardness=_quantiles(hardness)
    )
    return hardness, scale


def _raw_hardness(rows: NDArray[np.float32], thresholds: Values, maps: BoxMaps | None) -> tuple[float, float]:
    scores, classes = rows[:, 4].astype(np.float64), rows[:, 5].astype(np.int64)
    keep = scores >= LOWEST_SCORE
    scores, classes = scores[keep], classes[keep]
    probabilities = scores if maps is None else maps(scores, classes)
    return expected_errors(probabilities), strongest_hidden(probabilities, scores >= thresholds[classes])


def _temperature(probabilities: Values, classes: NDArray[np.int64], seed: int) -> dict[str, object]:
    before = _top_error(probabilities, classes)
    first = np.random.default_rng(seed).random(len(classes)) < 0.5
    elsewhere = probabilities.copy()
    for part in (first, ~first):
        if part.any() and not part.all():
            elsewhere[part] = tempered(probabilities[part], fit_temperature(probabilities[~part], classes[~part]))
    after = _top_error(elsewhere, classes)
    facts: dict[str, object] = {"samples": len(classes), "ece_before": round(before, 4)}
    if not helps(before, after):
        reason = f"a temperature leaves {after:.3f} of an error of {before:.3f}, which is not half"
        return {**facts, "method": "none", "reason": reason}
    temperature = fit_temperature(probabilities, classes)
    return {**facts, "method": "temperature", "temperature": temperature, "ece_after": round(after, 4)}


def _top_error(probabilities: Values, classes: NDArray[np.int64]) -> float:
    return expected_calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == classes)


def _quantiles(values: Values) -> tuple[float, ...]:
    return tuple(np.round(np.quantile(values, np.linspace(0, 1, _QUANTILES)), 4).tolist())
