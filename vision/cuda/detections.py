"""From a head's output that lies on the GPU to detections: only what is kept crosses to the host.

The answers are those of `vision.heads` with `vision.nms`. One difference: numbers of a box that are not finite are an
error only where the score passes the lowest threshold; the others are never looked at.
"""

from typing import Any, Literal

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from vision.cuda import detection_kernels as kernels
from vision.errors import InvalidModelOutput

HeadLayout = Literal["candidates", "yolov8", "yolov5"]
Rows = NDArray[np.float32]

_THREADS = 128
_MOST_CANDIDATES = kernels.MOST_WORDS * kernels.WORD_BITS
_LAYOUTS: dict[HeadLayout, int] = {
    "candidates": kernels.CANDIDATES,
    "yolov8": kernels.YOLOV8,
    "yolov5": kernels.YOLOV5,
}
_NONE = np.iinfo(np.int32).max
_NO_NOTES = np.array((0, _NONE, _NONE, _NONE), np.int32)


class DeviceSelector:
    """Thresholds and NMS for heads of one shape. Has memory, here and on the device, for one selection at a time.

    Args:
        layout: How the output is read: ``candidates`` (K, 6), ``yolov8`` (4 + C, A) or ``yolov5`` (A, 5 + C); see
            `vision.heads`.
        shape: Of the output.
        labels: How many classes there are.
        top: Of the heads' candidates so many are looked at, the best; all of those that come as candidates.

    Raises:
        ValueError: A shape that the layout does not have, or more than 2048 candidates.
    """

    def __init__(self, layout: HeadLayout, shape: tuple[int, ...], labels: int, *, top: int = 300) -> None:
        self._layout = _LAYOUTS[layout]
        self._shape = shape
        self._labels = labels
        anchors = _anchors(layout, shape, labels)
        top = anchors if layout == "candidates" else min(top, anchors)
        if not 1 <= top <= _MOST_CANDIDATES:
            raise ValueError(f"1 to {_MOST_CANDIDATES} candidates can be looked at, not {top}")
        self._words = -(-top // kernels.WORD_BITS)
        self._scores = cuda.device_array(anchors, np.float32)
        self._classes = cuda.device_array(anchors, np.int32)
        self._rows = cuda.device_array((top, 6), np.float32)
        self._overlaps = cuda.device_array((top, self._words), np.uint32)
        self._kept = cuda.device_array(top + 1, np.int32)
        self._notes = cuda.device_array(len(_NO_NOTES), np.int32)
        self._limits = cuda.device_array(labels, np.float32)
        # pinned: a copy into other memory holds the thread until it is done, each of the three
        self._found_kept = cuda.pinned_array(self._kept.shape, np.int32)
        self._found_rows = cuda.pinned_array(self._rows.shape, np.float32)
        self._found_notes = cuda.pinned_array(self._notes.shape, np.int32)

    def select(
        self,
        output: Any,
        *,
        thresholds: Rows,
        iou_threshold: float,
        class_agnostic: bool,
        max_detections: int,
        stream: Any = 0,
    ) -> Rows:
        """What is left of an output; waits for the stream.

        Args:
            output: float32 on the device, of the shape that was told.
            thresholds: (C,), the least score of each class that was told.
            iou_threshold: 0 to 1.
            class_agnostic: Let candidates suppress those of other classes too.
            max_detections: Keep at most this many, the best.
            stream: Where the kernels are enqueued.

        Returns:
            (M, 6) on the host: x1, y1, x2, y2, score, class index; best score first.

        Raises:
            InvalidModelOutput: A number that is not finite, or a class that ``thresholds`` does not have.
            ValueError: An output or thresholds of another shape.
        """
        if output.shape != self._shape:
            raise ValueError(f"the output is {output.shape}, and {self._shape} was told")
        if thresholds.shape != self._limits.shape:
            raise ValueError(f"there are {thresholds.size} thresholds, and {self._limits.size} classes were told")
        limits = thresholds.astype(np.float32, copy=False)
        self._limits.copy_to_device(limits, stream=stream)
        self._notes.copy_to_device(_NO_NOTES, stream=stream)
        self._find_candidates(output, limits.min(), stream)
        self._suppress(np.float32(iou_threshold), class_agnostic, max_detections, stream)
        self._kept.copy_to_host(self._found_kept, stream=stream)
        self._rows.copy_to_host(self._found_rows, stream=stream)
        self._notes.copy_to_host(self._found_notes, stream=stream)
        if stream:
            stream.synchronize()
        _check(self._found_notes)
        kept = self._found_kept
        chosen: Rows = np.asarray(self._found_rows)[kept[1 : 1 + kept[0]]]
        return chosen

    def _find_candidates(self, output: Any, lowest: np.float32, stream: Any) -> None:
        grid = -(-self._scores.shape[0] // _THREADS), _THREADS, stream
        kernels.score_anchors[grid](output, self._layout, self._labels, self._scores, self._classes, self._notes)
        kernels.collect_best[grid](output, self._layout, lowest, self._scores, self._classes, self._rows, self._notes)

    def _suppress(self, iou_threshold: np.float32, class_agnostic: bool, most: int, stream: Any) -> None:
        rows, words = self._rows, self._words
        blocks = (-(-rows.shape[0] // _THREADS), words)
        kernels.compare_candidates[blocks, (_THREADS, 1), stream](
            rows, iou_threshold, class_agnostic, self._overlaps, self._notes
        )
        kernels.suppress_repeats[1, words, stream](rows, self._limits, most, self._overlaps, self._kept, self._notes)


def _anchors(layout: HeadLayout, shape: tuple[int, ...], labels: int) -> int:
    if len(shape) == 2:
        expected = {"candidates": (1, 6), "yolov8": (0, 4 + labels), "yolov5": (1, 5 + labels)}
        axis, size = expected[layout]
        if shape[axis] == size and shape[1 - axis] > 0:
            return shape[1 - axis]
    raise ValueError(f"an output of shape {shape} is no {layout} with {labels} classes")


def _check(found: NDArray[np.int32]) -> None:
    if found[kernels.BAD_SCORE] != _NONE:
        raise InvalidModelOutput(f"the class scores of anchor {found[kernels.BAD_SCORE]} are not finite numbers")
    if found[kernels.BAD_BOX] != _NONE:
        raise InvalidModelOutput(f"the box of candidate {found[kernels.BAD_BOX]} is not made of finite numbers")
    if found[kernels.BAD_CLASS] != _NONE:
        raise InvalidModelOutput(f"candidate {found[kernels.BAD_CLASS]} has a class that the card does not have")
