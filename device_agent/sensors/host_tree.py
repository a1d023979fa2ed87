"""The files of one machine, below a root folder."""

from dataclasses import dataclass
from pathlib import Path

_LONGEST_CHAIN_OF_LINKS = 8


@dataclass(frozen=True, slots=True)
class HostTree:
    """A machine's ``/proc``, ``/sys`` and ``/etc``, as far as they are there.

    Attributes:
        root: ``/``, or where a container has them mounted, or a made-up tree of a test.
    """

    root: Path

    def find(self, pattern: str) -> list[Path]:
        """Paths below the root that match, in the order of their numbers; empty where the machine has none."""
        return sorted(self.root.glob(pattern), key=_natural)

    def path(self, relative: str) -> Path:
        """A file below the root; an absolute link points into the same root, not into the container's."""
        path = self.root / relative
        for _ in range(_LONGEST_CHAIN_OF_LINKS):
            if not path.is_symlink():
                break
            target = path.readlink()
            path = self.root / target.relative_to("/") if target.is_absolute() else path.parent / target
        return path


def read_text(path: Path) -> str:
    """One attribute, without the newline or the zero byte at its end.

    Raises:
        OSError: It is not there (``FileNotFoundError``), or the sensor behind it does not answer.
    """
    return path.read_bytes().decode(errors="replace").strip(" \n\0")


def read_number(path: Path) -> int:
    """One attribute that is a whole number.

    Raises:
        OSError: As :func:`read_text`.
        ValueError: It is no number.
    """
    return int(read_text(path))


def read_label(path: Path, otherwise: str) -> str:
    """A name, or another one where the machine gives none.

    Raises:
        OSError: The file is there, but does not answer.
    """
    try:
        return read_text(path) or otherwise
    except FileNotFoundError:
        return otherwise


def _natural(path: Path) -> tuple[tuple[int, str], ...]:
    """Digits count as numbers: ``cpu10`` comes after ``cpu2``."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for character in (*str(path), ""):
        if character.isdecimal():
            digits += character
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((-1, character))
    return tuple(parts)
