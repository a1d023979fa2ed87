"""A folder of pictures: which files count, in what order, and what makes one unusable."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.errors import InputFileMissing, NoFrames, UniformFrames, UnusableFrame
from vision.decode import ColorOrder, decode_frame
from vision.errors import ImageError
from vision.image_header import read_image_header
from vision.prepare import DEFAULT_MAX_PIXELS, prepare_frame

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
UNIFORM_SPREAD = 2
"""Grey levels: a lens cap in JPEG is not exactly one colour."""


def frame_paths(folder: Path) -> list[Path]:
    """Every picture in a folder and its sub-folders, in the order of their paths.

    Raises:
        InputFileMissing: There is no such folder.
        NoFrames: There is no picture in it.
    """
    if not folder.is_dir():
        raise InputFileMissing(folder, "folder of frames")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise NoFrames(folder, 0, 1)
    return paths


def read_frame(path: Path) -> bytes:
    """A picture as encoded.

    Raises:
        UnusableFrame: It cannot be read, or is no picture by its first bytes.
    """
    try:
        data = path.read_bytes()
        read_image_header(data)
    except OSError as error:
        raise UnusableFrame(path, error.strerror or str(error)) from error
    except ImageError as error:
        raise UnusableFrame(path, str(error)) from error
    return data


def prepared_frame(path: Path, spec: InputSpec, *, color: ColorOrder = "rgb") -> NDArray[np.uint8]:
    """A picture (H, W, 3) in the size of a model's input, prepared as serving prepares it.

    Raises:
        UnusableFrame: It cannot be read or decoded.
    """
    pixels = np.empty((spec.height, spec.width, 3), np.uint8)
    try:
        prepare_frame(
            read_frame(path),
            input_wh=(spec.width, spec.height),
            mode=spec.mode,
            pad_value=spec.pad_value,
            color=color,
            out=pixels,
        )
    except ImageError as error:
        raise UnusableFrame(path, str(error)) from error
    return pixels


def frame_digests(paths: Iterable[Path]) -> dict[Path, str]:
    """The sha256 of each picture.

    Raises:
        UnusableFrame: One cannot be read.
    """
    return {path: hashlib.sha256(read_frame(path)).hexdigest() for path in paths}


def contents_sha256(folder: Path, digests: Mapping[Path, str]) -> str:
    """One sha256 over the lines that ``sha256sum`` prints for pictures of a folder, by path relative to it."""
    lines = "".join(f"{digest}  {path.relative_to(folder).as_posix()}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def refuse_uniform_frames(folder: Path, paths: Sequence[Path]) -> None:
    """Decode pictures of a folder and refuse those that show nothing.

    Raises:
        UnusableFrame: One cannot be read or decoded.
        UniformFrames: Some are of one colour.
    """
    uniform = [path for path in paths if int(np.ptp(_decoded(path))) <= UNIFORM_SPREAD]
    if uniform:
        raise UniformFrames(folder, uniform, len(paths))


def _decoded(path: Path) -> NDArray[np.uint8]:
    try:
        return decode_frame(read_frame(path), target_wh=None, max_pixels=DEFAULT_MAX_PIXELS).rgb
    except ImageError as error:
        raise UnusableFrame(path, str(error)) from error
