"""Writes frames as JPEG files with a COCO document beside them."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.progress import track

from model_training.atomic_file import write_atomically
from model_training.coco_labels import Box, coco_document
from model_training.frame_generator import generate_frame
from model_training.part_labels import PART_LABELS, part_label
from model_training.rendering_pool import rendering_pool

MAX_SAMPLE_BYTES = 250_000


def write_frames(folder: Path, seed: int, indices: Sequence[int], *, processes: int | None = None) -> Path:
    """Write `frame-<index>.jpg` for each index, and `labels.coco.json`.

    Args:
        folder: created when missing.
        seed: stream of frames.
        indices: frames of the stream.
        processes: size of the pool; as many as the machine has cores when None.

    Returns:
        Path of the COCO document, which is written last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with rendering_pool(processes) as pool:
        made = pool.map(partial(_write_frame, folder, seed), indices, chunksize=8)
        for index, labels in zip(indices, track(made, description="frames", total=len(indices)), strict=True):
            rows.append((index, _name(index), labels))
    path = folder / "labels.coco.json"
    write_atomically(path, (json.dumps(coco_document(rows), indent=1) + "\n").encode())
    return path


def write_class_folders(folder: Path, seed: int, indices: Sequence[int], *, processes: int | None = None) -> Path:
    """Write the frames into one sub-folder for each label of the part classifier; returns the folder.

    A frame belongs to its largest defect, or to `pass`.
    """
    for label in PART_LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
    with rendering_pool(processes) as pool:
        made = pool.map(partial(_write_classified_frame, folder, seed), indices, chunksize=8)
        for _ in track(made, description="frames", total=len(indices)):
            pass
    return folder


def _write_frame(folder: Path, seed: int, index: int) -> list[tuple[int, Box]]:
    frame = generate_frame(seed, index)
    write_atomically(folder / _name(index), frame.jpeg())
    return [(label.class_index, label.box_xyxy) for label in frame.labels]


def _write_classified_frame(folder: Path, seed: int, index: int) -> None:
    frame = generate_frame(seed, index)
    write_atomically(folder / part_label(frame.labels) / _name(index), frame.jpeg())


def _name(index: int) -> str:
    return f"frame-{index:05d}.jpg"


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
