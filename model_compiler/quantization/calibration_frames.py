"""Frames that activation ranges are measured on, prepared as serving prepares them."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.quantization.errors import CalibrationFramesRefused, UnreadableFrame
from model_compiler.quantization.settings import FEWEST_FRAMES, QuantizationSettings
from vision.decode import decode_frame
from vision.errors import ImageError
from vision.prepare import DEFAULT_MAX_PIXELS, prepare_frame

Pixels = NDArray[np.uint8]
NetworkInput = NDArray[np.float32]
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
CONSTANT_SPREAD = 2
"""Grey levels: a lens cap in JPEG is not exactly one colour."""


class CalibrationInputs(Protocol):
    """Inputs of the plain network, FP32 (1, 3, H, W) each, that can be gone through any number of times."""

    @property
    def sha256(self) -> str:
        """Identity of the frames."""

    def __len__(self) -> int:
        """Number of frames."""

    def __iter__(self) -> Iterator[NetworkInput]:
        """The inputs, in a fixed order."""

    def first(self, count: int) -> "CalibrationInputs":
        """The first of them."""


@dataclass(frozen=True, slots=True)
class CalibrationFrames:
    """Chosen files of a folder; pixels are read when they are asked for, so that memory does not grow with them.

    Attributes:
        paths: In the order of use.
        sha256: Over the lines that ``sha256sum`` prints for the files, by path relative to the folder.
        input: The plain network's input.
    """

    paths: tuple[Path, ...]
    sha256: str
    input: InputSpec

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.paths)

    def __iter__(self) -> Iterator[NetworkInput]:
        """Each frame as FP32 (1, 3, H, W), normalised.

        Raises:
            UnreadableFrame: A file changed and is no picture any more.
        """
        for path in self.paths:
            yield network_input(_pixels(path, _read(path), self.input), self.input)

    def first(self, count: int) -> "CalibrationFrames":
        """The first ``count`` of them; the sha256 stays that of all."""
        return replace(self, paths=self.paths[:count])


def read_calibration_frames(settings: QuantizationSettings, network: InputSpec) -> CalibrationFrames:
    """Draw frames from a folder and check every one of them.

    Args:
        settings: Folder, number and seed.
        network: Size and normalisation of the plain network's input.

    Raises:
        CalibrationFramesRefused: The folder is missing or empty, has too few pictures, or pictures that are equal or
            of one colour.
        UnreadableFrame: A file is not a picture.
    """
    folder = settings.frames
    chosen = _drawn(folder, _pictures_in(folder, settings), settings)
    digests: dict[Path, str] = {}
    constant = []
    for path in chosen:
        data = _read(path)
        digests[path] = hashlib.sha256(data).hexdigest()
        if int(np.ptp(_decoded(path, data))) <= CONSTANT_SPREAD:
            constant.append(path)
    _refuse_duplicates(folder, digests)
    if constant:
        raise CalibrationFramesRefused(
            folder, f"{len(constant)} of {len(chosen)} are of one colour, {constant[0]} is the first: remove them"
        )
    lines = "".join(f"{digest}  {path.relative_to(folder).as_posix()}\n" for path, digest in sorted(digests.items()))
    return CalibrationFrames(chosen, hashlib.sha256(lines.encode()).hexdigest(), network)


def network_input(pixels: Pixels, network: InputSpec) -> NetworkInput:
    """Pixels (H, W, 3) in the network's colour order to ``(pixel * scale - mean) / std``, FP32 (1, 3, H, W)."""
    values = (pixels.astype(np.float32) * np.float32(network.scale) - np.array(network.mean, np.float32)) / np.array(
        network.std, np.float32
    )
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis], np.float32)


def _pictures_in(folder: Path, settings: QuantizationSettings) -> list[Path]:
    if not folder.is_dir():
        raise CalibrationFramesRefused(folder, "there is no such folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise CalibrationFramesRefused(folder, "no JPEG or PNG file is in it or its sub-folders")
    if len(found) < FEWEST_FRAMES and not settings.allow_few_frames:
        raise CalibrationFramesRefused(
            folder,
            f"{len(found)} pictures are not enough for ranges, {FEWEST_FRAMES} are: add frames of the site, or set"
            " allow_few_frames",
        )
    return found


def _drawn(folder: Path, found: list[Path], settings: QuantizationSettings) -> tuple[Path, ...]:
    """By relative path, so that a folder that was moved gives the same frames."""
    names = [path.relative_to(folder).as_posix() for path in found]
    chosen = random.Random(settings.seed).sample(names, min(settings.count, len(names)))
    return tuple(folder / name for name in chosen)


def _refuse_duplicates(folder: Path, digests: dict[Path, str]) -> None:
    copies = sum(count - 1 for count in Counter(digests.values()).values())
    if copies:
        seen: dict[str, Path] = {}
        first, again = next(
            (seen[digest], path) for path, digest in digests.items() if seen.setdefault(digest, path) != path
        )
        raise CalibrationFramesRefused(
            folder,
            f"{copies} of {len(digests)} are exact copies of others, {again} of {first} among them: remove the copies",
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFrame(path, str(error)) from error


def _decoded(path: Path, data: bytes) -> Pixels:
    try:
        return decode_frame(data, target_wh=None, max_pixels=DEFAULT_MAX_PIXELS).rgb
    except ImageError as error:
        raise UnreadableFrame(path, str(error)) from error


def _pixels(path: Path, data: bytes, network: InputSpec) -> Pixels:
    pixels = np.empty((network.height, network.width, 3), np.uint8)
    try:
        prepare_frame(
            data,
            input_wh=(network.width, network.height),
            mode=network.mode,
            pad_value=network.pad_value,
            color=network.color,
            out=pixels,
        )
    except ImageError as error:
        raise UnreadableFrame(path, str(error)) from error
    return pixels
