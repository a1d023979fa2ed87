"""Frames of a folder, prepared as serving prepares them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.errors import InputFileMissing
from vision.prepare import prepare_frame

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def frame_paths(folder: Path) -> list[Path]:
    """Every picture in a folder and its sub-folders, sorted.

    Raises:
        InputFileMissing: There is no such folder, or no picture in it.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputFileMissing(folder, "folder of frames")
    return paths


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
        InputFileMissing: There is no such folder, or no picture in it.
        ImageError: One cannot be decoded.
    """
    paths = frame_paths(folder)
    chosen = np.random.default_rng(seed).permutation(len(paths))[:count]
    frames = np.empty((len(chosen), spec.height, spec.width, 3), np.uint8)
    for row, index in enumerate(sorted(chosen)):
        prepare_frame(
            paths[index].read_bytes(),
            input_wh=(spec.width, spec.height),
            mode=spec.mode,
            pad_value=spec.pad_value,
            out=frames[row],
        )
    return frames
