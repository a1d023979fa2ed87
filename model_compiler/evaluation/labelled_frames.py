"""A folder of frames with what is true of them, where somebody labelled them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_compiler.errors import InputFileMissing, NoFrames
from model_compiler.evaluation.coco_file import TrueBoxes, read_coco
from model_compiler.evaluation.errors import MislabelledFrame
from model_compiler.frame_folder import frame_paths, read_frame

LABELS_FILE = "labels.coco.json"
Task = Literal["detection", "classification"]


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One picture.

    Attributes:
        name: Path in its folder.
        path: Where it lies.
        truth: Detection: its boxes, None where the set has no labels.
        class_index: Classification: its label, None where the set has none.
    """

    name: str
    path: Path
    truth: TrueBoxes | None = None
    class_index: int | None = None

    def read(self) -> bytes:
        """The picture as encoded.

        Raises:
            UnusableFrame: It is gone, or no picture any more.
        """
        return read_frame(self.path)


@dataclass(frozen=True, slots=True)
class LabelledFrames:
    """A set of frames in a fixed order.

    Attributes:
        folder: Where they lie.
        frames: At least one.
        labels: Those of the model; class indices refer to them.
        task: What the labels are for.
        labelled: Whether the truth is known, for all frames or none.
        sha256: Over names, pictures and truth.
    """

    folder: Path
    frames: tuple[LabelledFrame, ...]
    labels: tuple[str, ...]
    task: Task
    labelled: bool
    sha256: str

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def truths_xyxy(self) -> list[NDArray[np.float32]]:
        """Detection: for each frame (M, 4) boxes in its pixels."""
        return [frame.truth.boxes_xyxy for frame in self.frames if frame.truth is not None]

    @property
    def truth_classes(self) -> list[NDArray[np.int64]]:
        """Detection: for each frame (M,) class indices."""
        return [frame.truth.classes for frame in self.frames if frame.truth is not None]

    @property
    def class_indices(self) -> NDArray[np.int64]:
        """Classification: (N,)."""
        return np.array([frame.class_index for frame in self.frames if frame.class_index is not None], np.int64)


def read_labelled_frames(
    folder: Path,
    labels: Sequence[str],
    task: Task,
    *,
    annotations: Path | None = None,
    count: int | None = None,
    seed: int = 0,
) -> LabelledFrames:
    """Read a folder of JPEG, PNG, WebP or BMP frames.

    Detection: ``labels.coco.json`` in it names boxes and frames; without the file all pictures below the folder are
    taken, unlabelled. Classification: one sub-folder per label, named like it; without sub-folders unlabelled.

    Only the pictures that are taken are looked at.

    Args:
        folder: Of frames.
        labels: Those of the model.
        task: What the model does.
        annotations: A COCO file elsewhere.
        count: Take only so many, drawn without replacement; the order stays.
        seed: Of the drawing.

    Raises:
        InputFileMissing: The folder or the named COCO file is not there.
        NoFrames: No pictures, or fewer than ``count``.
        MislabelledFrame: A category or sub-folder that is no label, a box outside its picture, a labelled picture that
            is missing or damaged.
        UnusableFrame: A picture cannot be read.
    """
    if not folder.is_dir():
        raise InputFileMissing(folder, "folder of frames")
    if annotations is not None and task == "classification":
        problem = "a COCO file labels detections; a classifier's frames lie in one sub-folder for each label"
        raise MislabelledFrame(annotations, "evaluation.labels", problem)
    if annotations is not None and not annotations.is_file():
        raise InputFileMissing(annotations, "labels")
    source = _source(folder, labels, task, annotations)
    if len(source.names) < (count or 1):
        raise NoFrames(folder, len(source.names), count or 1)
    names = source.names if count is None else _drawn(source.names, count, seed)
    frames = tuple(source.frame(name) for name in names)
    if source.labelled and task == "detection" and not any(len(frame.truth.classes) for frame in frames if frame.truth):
        problem = f"none of the {len(frames)} frames has a box: accuracy cannot be measured"
        raise MislabelledFrame(annotations or folder / LABELS_FILE, "annotations", problem)
    return LabelledFrames(folder, frames, tuple(labels), task, source.labelled, _digest(frames))


@dataclass(frozen=True, slots=True)
class _Source:
    """Names of pictures, and how each becomes a frame; only those that are taken are looked at."""

    names: Sequence[str]
    frame: Callable[[str], LabelledFrame]
    labelled: bool


def _source(folder: Path, labels: Sequence[str], task: Task, annotations: Path | None) -> _Source:
    file = annotations or folder / LABELS_FILE
    if task == "detection" and file.is_file():
        truth = read_coco(file, folder, labels)
        return _Source(
            tuple(truth.pictures), lambda name: LabelledFrame(name, folder / name, truth=truth.truth_of(name)), True
        )
    pictures = _pictures(folder)
    if task == "classification" and any("/" in name for name in pictures):
        indices = _label_folders(folder, pictures, labels)
        return _Source(
            pictures,
            lambda name: LabelledFrame(name, folder / name, class_index=indices[name.partition("/")[0]]),
            True,
        )
    return _Source(pictures, lambda name: LabelledFrame(name, folder / name), False)


def _drawn(names: Sequence[str], count: int, seed: int) -> list[str]:
    chosen = np.random.default_rng(seed).choice(len(names), count, replace=False)
    return [names[index] for index in np.sort(chosen)]


def _label_folders(folder: Path, pictures: Sequence[str], labels: Sequence[str]) -> dict[str, int]:
    """Index of the label of each sub-folder."""
    loose = next((name for name in pictures if "/" not in name), None)
    if loose is not None:
        raise MislabelledFrame(folder / loose, "place", "it lies beside the labels' sub-folders; move it into one")
    indices = {label: index for index, label in enumerate(labels)}
    for home in sorted({name.partition("/")[0] for name in pictures}):
        if home not in indices:
            known = ", ".join(map(repr, labels))
            raise MislabelledFrame(folder / home, "sub-folder", f"{home!r} is not among the labels {known}")
    return indices


def _pictures(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in frame_paths(folder)]


def _digest(frames: Sequence[LabelledFrame]) -> str:
    whole = hashlib.sha256()
    for frame in frames:
        whole.update(f"{frame.name}\0{frame.class_index}\0".encode())
        whole.update(hashlib.sha256(frame.read()).digest())
        if frame.truth is not None:
            whole.update(frame.truth.boxes_xyxy.tobytes() + frame.truth.classes.tobytes())
    return whole.hexdigest()
