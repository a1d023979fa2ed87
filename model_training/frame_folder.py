"""Writes frames as JPEG files with a COCO document beside them."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from model_training.coco_labels import coco_document
from model_training.frame_generator import generate_frame

MAX_SAMPLE_BYTES = 250_000


def write_frames(folder: Path, seed: int, indices: Sequence[int]) -> Path:
    """Write `frame-<index>.jpg` for each index, and `labels.coco.json`.

    Args:
        folder: created when missing.
        seed: stream of frames.
        indices: frames of the stream.

    Returns:
        Path of the COCO document.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index in track(indices, description="frames"):
        frame = generate_frame(seed, index)
        name = f"frame-{index:05d}.jpg"
        (folder / name).write_bytes(frame.jpeg())
        rows.append((index, name, [(label.class_index, label.box_xyxy) for label in frame.labels]))
    path = folder / "labels.coco.json"
    path.write_text(json.dumps(coco_document(rows), indent=1) + "\n")
    return path


def choose_samples(seed: int, *, search: int = 400) -> list[int]:
    """Pick eight frames of a stream that show the range: all six classes, one clean frame, one hard frame.

    Each is the first of the stream that fits and whose JPEG is at most 250 kB.
    """
    chosen: list[int] = []
    seen: set[int] = set()
    wanted_clean, wanted_hard = 1, 1
    for index in range(search):
        frame = generate_frame(seed, index)
        if len(frame.jpeg()) > MAX_SAMPLE_BYTES:
            continue
        classes = {label.class_index for label in frame.labels}
        hard = frame.plan.hard_kind is not None
        if not classes and not hard and wanted_clean:
            wanted_clean -= 1
            chosen.append(index)
        elif classes and hard and wanted_hard:
            wanted_hard -= 1
            chosen.append(index)
        elif (
            not hard
            and len(classes) >= 2
            and len(chosen) + wanted_clean + wanted_hard < 8
            and (classes - seen or len(seen) == 6)
        ):
            seen |= classes
            chosen.append(index)
        if len(chosen) == 8:
            break
    return chosen
