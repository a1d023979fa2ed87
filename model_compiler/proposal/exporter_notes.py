"""What exporters note in a model's metadata; the keys are those that Ultralytics and YOLOv5 write."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExporterNotes:
    """Notes that could be read; None or empty where there is none.

    Attributes:
        author: For example ``Ultralytics``.
        task: ``detect``, ``classify``, ``segment``, ``pose``, ``obb``.
        names: Labels by index.
        size_wh: Width and height that the model was exported for.
        has_nms: Whether boxes were already selected inside the graph.
        unreadable: Keys whose values are not what is expected.
    """

    author: str = ""
    task: str | None = None
    names: tuple[str, ...] = ()
    size_wh: tuple[int, int] | None = None
    has_nms: bool = False
    unreadable: tuple[str, ...] = ()

    @property
    def is_ultralytics(self) -> bool:
        """Whether the export is from the Ultralytics package."""
        return self.author.lower() == "ultralytics"


def read_exporter_notes(metadata: Mapping[str, str]) -> ExporterNotes:
    """Read what is there; values are Python literals, and never executed."""
    literals = {key: _literal(metadata[key]) for key in ("names", "imgsz", "args", "end2end") if key in metadata}
    names, size = _names(literals.get("names")), _size(literals.get("imgsz"))
    arguments = literals.get("args")
    selected = isinstance(arguments, dict) and arguments.get("nms") is True
    unreadable = [key for key, value in (("names", names), ("imgsz", size)) if key in metadata and not value]
    return ExporterNotes(
        author=metadata.get("author", ""),
        task=metadata.get("task") or None,
        names=names,
        size_wh=size,
        has_nms=selected or literals.get("end2end") is True,
        unreadable=tuple(unreadable),
    )


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        by_index = {int(key): name for key, name in value.items() if str(key).isdecimal()}
        if sorted(by_index) != list(range(len(value))):
            return ()
        value = [by_index[index] for index in range(len(value))]
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(str(name).strip() for name in value)


def _size(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        value = [value, value]
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    if not is_pair or not all(isinstance(side, int) and side > 0 for side in value):
        return None
    height, width = value
    return width, height
