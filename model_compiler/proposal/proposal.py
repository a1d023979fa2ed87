"""A proposed recipe with the reasons for it."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.model_card import InputSpec
from model_compiler.graph.detector_output import Head
from model_compiler.proposal.assumption import Assumption
from model_compiler.proposal.hints import Hints, Task
from model_compiler.proposal.pixel_values import PixelValues
from model_compiler.variant import BuildVariant

_FEWEST_FRAMES, _USUAL_FRAMES = 100, 200
"""Calibration frames that ranges need, and how many are usually taken."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an export is taken for.

    Attributes:
        hints: What the user said.
        task: What it is for.
        labels: Names of its classes.
        size_wh: Width and height of its input.
        pixels: How frames become its numbers.
        head: Layout of a detector's predictions; None for a classifier.
        output: Name of the output, where there are several.
        dynamic_batch: Whether several frames can be computed at a time.
        assumptions: Everything decided, in the order of the recipe.
    """

    hints: Hints
    task: Task
    labels: tuple[str, ...]
    size_wh: tuple[int, int]
    pixels: PixelValues
    head: Head | None
    output: str | None
    dynamic_batch: bool
    assumptions: tuple[Assumption, ...]

    @property
    def network_input(self) -> InputSpec:
        """The network's own input."""
        width, height = self.size_wh
        at = self.pixels
        return InputSpec(
            width=width,
            height=height,
            datatype="FP32",
            layout="NCHW",
            mode=at.fit,
            color=at.color,
            scale=at.scale,
            mean=at.mean,
            std=at.std,
        )

    def one_frame_at_a_time(self, reason: str) -> "Proposal":
        """The same for a network whose open batch axis is not really open."""
        changed = Assumption("batch", "one frame at a time", reason)
        kept = tuple(each for each in self.assumptions if each.subject != "batch")
        return dataclasses.replace(self, dynamic_batch=False, assumptions=(*kept, changed))

    def recipe(
        self, onnx: Path, folder: Path, hardware_class: str, variants: Sequence[BuildVariant] = ()
    ) -> dict[str, Any]:
        """The recipe as a mapping.

        Args:
            onnx: The export.
            folder: Where the recipe will be; its paths are relative to it.
            hardware_class: What it builds for.
            variants: Which of its variants; all where empty.
        """
        hints = self.hints
        named = [{"variant": each.variant, "backend": each.backend} for each in variants]
        return {
            "model": hints.name,
            "version": hints.version,
            "task": self.task,
            "onnx": _relative(onnx, folder),
            "labels": list(self.labels),
            "input": self._input(),
            **({"output": self._output()} if self._output() else {}),
            **({} if hints.grafted else {"grafted": False}),
            **self._frames(folder),
            "targets": {hardware_class: {"variants": named} if named else {}},
            **({} if self.dynamic_batch else {"serving": {"max_batch_size": 1}}),
        }

    def _input(self) -> dict[str, Any]:
        at, (width, height) = self.pixels, self.size_wh
        section = {"width": width, "height": height, "color": at.color, "mode": at.fit, "scale": at.scale}
        return section | {"mean": list(at.mean), "std": list(at.std)}

    def _output(self) -> dict[str, Any]:
        section = {"decoder": self.head, "name": self.output}
        return {key: value for key, value in section.items() if value is not None}

    def _frames(self, folder: Path) -> dict[str, Any]:
        hints, sections = self.hints, dict[str, Any]()
        if hints.calibration is not None:
            few = hints.calibration_count < _FEWEST_FRAMES
            sections["calibration"] = {
                "frames": _relative(hints.calibration, folder),
                "count": min(max(1, hints.calibration_count), _USUAL_FRAMES),
                **({"allow_few_frames": True} if few else {}),
            }
        measured_on = hints.evaluation or hints.calibration
        if measured_on is not None:
            sections["evaluation"] = {"frames": _relative(measured_on, folder)}
        return sections


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
