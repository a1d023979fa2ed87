"""Runs an exported detector as serving does: ONNX Runtime, the heads and the NMS of `vision`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_training.frame_distribution import DEFECT_CLASSES
from vision.heads import decode_yolov8
from vision.nms import select_detections

IOU_THRESHOLD = 0.6
SCORE_THRESHOLD = 0.001
MAX_DETECTIONS = 100


class OnnxDetector:
    """A plain export with its NMS; thresholds are those of an evaluation, far below those of serving."""

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """Open the file; `threads` 0 means all cores."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._thresholds = np.full(len(DEFECT_CLASSES), SCORE_THRESHOLD, np.float32)

    def detect(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
        """Detect in prepared pictures (N, H, W, 3) RGB; yields (K, 6) x1, y1, x2, y2, score, class in input pixels."""
        tensor = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255.0)
        predictions = np.asarray(self._session.run(["predictions"], {"images": tensor})[0], dtype=np.float32)
        for prediction in predictions:
            yield select_detections(
                decode_yolov8(prediction),
                thresholds=self._thresholds,
                iou_threshold=IOU_THRESHOLD,
                class_agnostic=False,
                max_detections=MAX_DETECTIONS,
            )
