"""Labels of the part classifier: pass, or the class of the most visible defect."""

from collections.abc import Sequence

from model_training.frame_distribution import DEFECT_CLASSES
from model_training.labels import DefectLabel

PART_LABELS = ("pass", *DEFECT_CLASSES)


def part_label(labels: Sequence[DefectLabel]) -> str:
    """The label of a frame with these defects: that of the largest one, or `pass`."""
    if not labels:
        return PART_LABELS[0]
    return PART_LABELS[1 + max(labels, key=_area).class_index]


def _area(label: DefectLabel) -> float:
    x1, y1, x2, y2 = label.box_xyxy
    return (x2 - x1) * (y2 - y1)
