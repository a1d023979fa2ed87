"""Accuracy of an exported classifier on a rendered split, and what it is worth as the first stage of a cascade."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.progress import track

from model_training.frame_cache import FrameCache
from model_training.part_labels import PART_LABELS
from vision.bootstrap import Interval, bootstrap_ratio

BATCH = 8
PASS_THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class CascadePoint:
    """What happens when frames with at least this probability of `pass` go no further.

    Attributes:
        pass_threshold: the probability.
        defective_recall: share of the frames with defects that go on.
        good_stopped: share of the frames without defects that stop here.
    """

    pass_threshold: float
    defective_recall: float
    good_stopped: float


@dataclass(frozen=True)
class ClassifierAccuracy:
    """Accuracy on a split.

    Attributes:
        top1: share of frames with the right label, with its 95 % bootstrap interval over frames.
        recall_by_label: share of each label's frames that got it.
        pass_auc: area under the curve of pass against defective: how often a good frame passes more surely than a
            defective one (Mann-Whitney).
        cascade: for each threshold of `PASS_THRESHOLDS`.
        frames: number of frames.
    """

    top1: Interval
    recall_by_label: dict[str, float]
    pass_auc: float
    cascade: tuple[CascadePoint, ...]
    frames: int

    def report(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def evaluate_classifier(model: Path, cache: FrameCache, *, resamples: int = 300, seed: int = 0) -> ClassifierAccuracy:
    """Run an exported classifier over all frames of a cache."""
    return measure_classifier(_probabilities(model, cache), true_classes(cache), resamples=resamples, seed=seed)


def true_classes(cache: FrameCache) -> NDArray[np.int64]:
    """The label of each frame, (N,) indices into `PART_LABELS`: that of its largest defect, or pass."""
    found = np.zeros(len(cache), np.int64)
    for index in range(len(cache)):
        boxes, classes = cache.labels_of(index)
        if len(classes):
            found[index] = 1 + classes[(boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax()]
    return found


def measure_classifier(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], *, resamples: int, seed: int
) -> ClassifierAccuracy:
    """Measure probabilities (N, C) against true classes (N,), with `pass` as class 0."""
    hits = probabilities.argmax(axis=1) == truth
    passing, good = probabilities[:, 0], truth == 0
    return ClassifierAccuracy(
        top1=bootstrap_ratio(hits.astype(np.float64), np.ones(len(hits)), resamples=resamples, seed=seed),
        recall_by_label={
            label: float(hits[truth == index].mean())
            for index, label in enumerate(PART_LABELS)
            if (truth == index).any()
        },
        pass_auc=_area(passing[good], passing[~good]),
        cascade=tuple(
            CascadePoint(limit, _share(passing[~good] < limit), _share(passing[good] >= limit))
            for limit in PASS_THRESHOLDS
        ),
        frames=len(truth),
    )


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else float("nan")


def _area(good: NDArray[np.float32], defective: NDArray[np.float32]) -> float:
    if not len(good) or not len(defective):
        return float("nan")
    ranked = np.sort(defective)
    below = np.searchsorted(ranked, good, side="left") + np.searchsorted(ranked, good, side="right")
    return float(below.mean() / (2 * len(defective)))


def _probabilities(model: Path, cache: FrameCache) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    rows = []
    for start in track(range(0, len(cache), BATCH), description="evaluate"):
        images = np.asarray(cache.images[start : start + BATCH]).transpose(0, 3, 1, 2)
        tensor = np.ascontiguousarray(images, dtype=np.float32) / np.float32(255.0)
        logits = np.asarray(session.run(["logits"], {"images": tensor})[0], dtype=np.float32)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        rows.append(exponents / exponents.sum(axis=1, keepdims=True))
    return np.concatenate(rows)
