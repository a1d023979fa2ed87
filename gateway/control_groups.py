"""Where the kernel says what this process's control groups allow and count."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A folder that may exist; ``unified`` tells the files of version 2 from those of version 1."""

    folder: Path
    unified: bool

    def text(self, name: str) -> str:
        """What one of its files says; empty where there is none."""
        return text_of(self.folder / name)


def control_groups(controller: str, root: Path = Path("/")) -> Iterator[ControlGroup]:
    """The groups of this process that a controller may act on, innermost first, and those above them.

    Args:
        controller: ``cpu`` or ``memory``.
        root: Where ``proc`` and ``sys`` are.
    """
    for line in text_of(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        hierarchy = root / "sys/fs/cgroup" / controllers
        # a container sees its own group as the root, under a path that may be the host's
        inner = PurePosixPath("/", *(part for part in PurePosixPath(path).parts if part != ".."))
        for group in (inner, *inner.parents):
            yield ControlGroup(hierarchy / group.relative_to("/"), unified=not controllers)


def text_of(path: Path) -> str:
    """A file's content; empty where it cannot be read. Names in it that are not UTF-8 can be opened again."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
