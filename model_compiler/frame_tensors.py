"""Frames of a folder, prepared as serving prepares them."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.errors import InputFileMissing, UnusableFrame
from vision.errors import ImageError
from vision.prepare import prepare_frame

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def frame_paths(folder: Path) -> list[Path]:
    """Every picture in a folder and its sub-folders, sorted.

    Raises:
        InputFileMissing: There is no such folder, or no picture in it.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
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
        UnusableFrame: One cannot be decoded.
    """
    paths = _chosen(folder, count, seed)
    frames = np.empty((len(paths), spec.height, spec.width, 3), np.uint8)
    for path, out in zip(paths, frames, strict=True):
        try:
            prepare_frame(
                path.read_bytes(),
                input_wh=(spec.width, spec.height),
                mode=spec.mode,
                pad_value=spec.pad_value,
                out=out,
            )
        except ImageError as error:
            raise UnusableFrame(path, str(error)) from error
    return frames


def frames_sha256(folder: Path, *, count: int, seed: int) -> str:
    """One sha256 over the names and contents of the frames that `prepared_frames` takes.

    Raises:
        InputFileMissing: There is no such folder, or no picture in it.
    """
    digest = hashlib.sha256()
    for path in _chosen(folder, count, seed):
        digest.update(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n".encode())
    return digest.hexdigest()


def _chosen(folder: Path, count: int, seed: int) -> list[Path]:
    paths = frame_paths(folder)
    return [paths[index] for index in sorted(np.random.default_rng(seed).permutation(len(paths))[:count])]
