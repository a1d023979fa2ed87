"""Some frames of a folder as one array."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.frame_folder import contents_sha256, frame_digests, frame_paths, prepared_frame


def prepared_frames(folder: Path, spec: InputSpec, *, count: int, seed: int) -> NDArray[np.uint8]:
    """Some frames of a folder in the size of a model's input.

    Args:
        folder: Searched with its sub-folders.
        spec: Size and fit.
        count: How many at most; equal seeds choose equal frames.
        seed: Of the choice.

    Returns:
        (N, H, W, 3) uint8, RGB.

    Raises:
        InputFileMissing: There is no such folder.
        NoFrames: There is no picture in it.
        UnusableFrame: One cannot be decoded.
    """
    return np.stack([prepared_frame(path, spec) for path in _chosen(folder, count, seed)])


def frames_sha256(folder: Path, *, count: int, seed: int) -> str:
    """One sha256 over the names and contents of the frames that `prepared_frames` takes.

    Raises:
        InputFileMissing: There is no such folder.
        NoFrames: There is no picture in it.
        UnusableFrame: One cannot be read.
    """
    return contents_sha256(folder, frame_digests(_chosen(folder, count, seed)))


def _chosen(folder: Path, count: int, seed: int) -> list[Path]:
    paths = frame_paths(folder)
    return [paths[index] for index in sorted(np.random.default_rng(seed).permutation(len(paths))[:count])]
