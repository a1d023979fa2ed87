"""Names of a network's classes."""

from collections.abc import Sequence
from pathlib import Path

from model_compiler.errors import InputFileMissing
from model_compiler.proposal.assumption import Assumption
from model_compiler.proposal.errors import InvalidLabels, LabelCountMismatch
from model_compiler.proposal.exporter_notes import ExporterNotes
from model_compiler.proposal.hints import GivenLabels

_FLAG = "--labels"


def read_labels(path: Path) -> GivenLabels:
    """Read one label a line; empty lines at the end do not count.

    Raises:
        InputFileMissing: There is no such file.
        InvalidLabels: It is empty, not text, has an empty line between labels, or names a label twice.
    """
    if not path.is_file():
        raise InputFileMissing(path, "labels file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidLabels(path, f"it is not UTF-8 text ({error.reason} at byte {error.start})") from error
    names = [line.strip() for line in text.rstrip().splitlines()]
    if not any(names):
        raise InvalidLabels(path, "it is empty")
    if "" in names:
        raise InvalidLabels(path, f"line {names.index('') + 1} is empty")
    repeats = [(number, name) for number, name in enumerate(names) if name in names[:number]]
    if repeats:
        number, name = repeats[0]
        raise InvalidLabels(path, f"{name!r} is in line {names.index(name) + 1} and again in line {number + 1}")
    return GivenLabels(str(path), tuple(names))


def choose_labels(
    given: GivenLabels | None, notes: ExporterNotes, classes: int, layout: str
) -> tuple[tuple[str, ...], Assumption]:
    """The labels given, else those noted, else numbers.

    Args:
        given: What the user says.
        notes: What the exporter noted.
        classes: How many the model has.
        layout: Where that number comes from, for messages.

    Raises:
        LabelCountMismatch: There are more or fewer.
    """
    if given is not None:
        if len(given.names) != classes:
            raise LabelCountMismatch(given.source, len(given.names), classes, layout)
        return given.names, Assumption("labels", _shown(given.names), f"as in {given.source}")
    if len(notes.names) == classes:
        names = _distinct(notes.names)
        return names, Assumption("labels", _shown(names), "noted by the exporter", _FLAG)
    numbered = tuple(f"class-{number}" for number in range(classes))
    reason = "there are no names"
    if notes.names:
        reason = f"the exporter noted {len(notes.names)} names for {classes} classes"
    return numbered, Assumption("labels", _shown(numbered), reason, _FLAG)


def _shown(names: Sequence[str], most: int = 6) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names that are there twice (ImageNet has two cranes) get their number."""
    return tuple(
        f"{name or 'class'}-{index}" if not name or name in names[:index] else name for index, name in enumerate(names)
    )
