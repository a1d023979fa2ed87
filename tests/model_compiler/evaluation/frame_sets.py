"""Frames with labels, made up or written to a folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model_compiler.evaluation.coco_file import TrueBoxes
from model_compiler.evaluation.labelled_frames import LabelledFrame, LabelledFrames

SHA = "0" * 64


def detection_set(
    truths: Sequence[NDArray[np.float32]], classes: Sequence[NDArray[np.int64]], labels: Sequence[str]
) -> LabelledFrames:
    """Labelled frames without pictures."""
    frames = tuple(
        LabelledFrame(f"{number}.jpg", Path(f"{number}.jpg"), truth=TrueBoxes(boxes, indices))
        for number, (boxes, indices) in enumerate(zip(truths, classes, strict=True))
    )
    return LabelledFrames(Path("made-up"), frames, tuple(labels), "detection", labelled=True, sha256=SHA)


def classification_set(classes: Sequence[int], labels: Sequence[str]) -> LabelledFrames:
    """Labelled frames without pictures."""
    frames = tuple(
        LabelledFrame(f"{number}.jpg", Path(f"{number}.jpg"), class_index=index) for number, index in enumerate(classes)
    )
    return LabelledFrames(Path("made-up"), frames, tuple(labels), "classification", labelled=True, sha256=SHA)


def write_picture(path: Path, *, grey: int = 100, width: int = 64, height: int = 48) -> None:
    """A PNG or JPEG of one grey level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), grey, np.uint8))


def coco(**changes: Any) -> dict[str, Any]:
    """Two pictures of 64 x 48 pixels, three boxes."""
    document: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "sub/b.png"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 20, "bbox": [1, 2, 30, 40]},
            {"id": 2, "image_id": 7, "category_id": 10, "bbox": [0, 0, 64, 48]},
            {"id": 3, "image_id": 9, "category_id": 20, "bbox": [5, 5, 5, 5], "iscrowd": 1},
        ],
        "categories": [{"id": 10, "name": "pit"}, {"id": 20, "name": "crack"}],
    }
    return document | changes


def write_coco_folder(folder: Path, document: dict[str, Any] | None = None) -> Path:
    """The folder of `coco`, with a third picture that the file does not name."""
    for name in ("a.png", "sub/b.png", "c.png"):
        write_picture(folder / name)
    (folder / "labels.coco.json").write_text(json.dumps(coco() if document is None else document))
    return folder
