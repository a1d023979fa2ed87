"""The outputs of a model, grafted or plain, as what the gateway would answer for each frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import CLASSIFICATION_DECODERS, NmsSpec, OutputSpec
from model_compiler.engines.engine import Array
from vision.heads import decode_yolov5, decode_yolov8
from vision.nms import select_detections

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DetectionRules:
    """What makes a candidate a detection: (C,) thresholds, and non-maximum suppression."""

    thresholds: NDArray[np.float32]
    nms: NmsSpec


def is_classification(output: OutputSpec) -> bool:
    """Whether a model answers with one value for each label."""
    return output.decoder in CLASSIFICATION_DECODERS


def candidates(outputs: Mapping[str, Array], output: OutputSpec) -> list[Rows]:
    """For each frame (K, 6) rows of x1, y1, x2, y2, score, class.

    Raises:
        InvalidModelOutput: A score is not a number.
    """
    raw = np.asarray(outputs[output.name], np.float32)
    if output.decoder == "candidates":
        return list(raw)
    decode = decode_yolov8 if output.decoder == "yolov8" else decode_yolov5
    return [decode(frame) for frame in raw]


def detections(rows: Rows, rules: DetectionRules, *, margin: float = 0.0) -> Rows:
    """(K, 6) rows of one frame after thresholds, each lowered by ``margin``, and suppression.

    Raises:
        InvalidModelOutput: A value is not finite.
    """
    return select_detections(
        rows,
        # a score of 0 marks rows that a grafted model filled up with
        thresholds=np.maximum(rules.thresholds - np.float32(margin), np.float32(1e-6)),
        iou_threshold=rules.nms.iou_threshold,
        class_agnostic=rules.nms.class_agnostic,
        max_detections=rules.nms.max_detections,
    )


def probabilities(outputs: Mapping[str, Array], output: OutputSpec) -> NDArray[np.float64]:
    """(N, C), each row summing to 1."""
    raw = np.asarray(outputs[output.name], np.float64)
    if output.decoder == "probabilities":
        return raw
    exponentials = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float64)
