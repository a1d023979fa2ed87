"""Frames that activation ranges are measured on, prepared as serving prepares them."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.frame_folder import (
    contents_sha256,
    frame_digests,
    frame_paths,
    prepared_frame,
    refuse_uniform_frames,
)
from model_compiler.quantization.errors import CalibrationFramesRefused
from model_compiler.quantization.settings import FEWEST_FRAMES, QuantizationSettings

Pixels = NDArray[np.uint8]
NetworkInput = NDArray[np.float32]


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
            UnusableFrame: A file changed and is no picture any more.
        """
        for path in self.paths:
            yield network_input(prepared_frame(path, self.input, color=self.input.color), self.input)

    def first(self, count: int) -> "CalibrationFrames":
        """The first ``count`` of them; the sha256 stays that of all."""
        return replace(self, paths=self.paths[:count])


def read_calibration_frames(settings: QuantizationSettings, network: InputSpec) -> CalibrationFrames:
    """Draw frames from a folder and check every one of them.

    Args:
        settings: Folder, number and seed.
        network: Size and normalisation of the plain network's input.

    Raises:
        InputFileMissing: There is no such folder.
        NoFrames: There is no picture in it.
        UnusableFrame: A file is not a picture.
        UniformFrames: Pictures are of one colour.
        CalibrationFramesRefused: There are too few pictures, or some are equal.
    """
    chosen, sha256 = _checked(settings)
    return CalibrationFrames(chosen, sha256, network)


def require_usable_frames(settings: QuantizationSettings) -> None:
    """Make every check of `read_calibration_frames`; none of them needs the network.

    Raises:
        CompileError: As there.
    """
    _checked(settings)


def _checked(settings: QuantizationSettings) -> tuple[tuple[Path, ...], str]:
    """The chosen files, and the sha256 over them."""
    folder = settings.frames
    found = frame_paths(folder)
    if len(found) < FEWEST_FRAMES and not settings.allow_few_frames:
        raise CalibrationFramesRefused(
            folder,
            f"{len(found)} pictures are not enough for ranges, {FEWEST_FRAMES} are: add frames of the site, or set"
            " allow_few_frames",
        )
    chosen = _drawn(folder, found, settings)
    digests = frame_digests(chosen)
    _refuse_copies(folder, digests)
    refuse_uniform_frames(folder, chosen)
    return chosen, contents_sha256(folder, digests)


def network_input(pixels: Pixels, network: InputSpec) -> NetworkInput:
    """Pixels (H, W, 3) in the network's colour order to ``(pixel * scale - mean) / std``, FP32 (1, 3, H, W)."""
    values = (pixels.astype(np.float32) * np.float32(network.scale) - np.array(network.mean, np.float32)) / np.array(
        network.std, np.float32
    )
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis], np.float32)


def _drawn(folder: Path, found: list[Path], settings: QuantizationSettings) -> tuple[Path, ...]:
    """By relative path, so that a folder that was moved gives the same frames."""
    names = [path.relative_to(folder).as_posix() for path in found]
    chosen = random.Random(settings.seed).sample(names, min(settings.count, len(names)))
    return tuple(folder / name for name in chosen)


def _refuse_copies(folder: Path, digests: dict[Path, str]) -> None:
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
