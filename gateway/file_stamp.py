"""Tells whether files were replaced."""

from pathlib import Path

FileStamp = tuple[tuple[int, int, int], ...]


def stamp_of(*paths: Path) -> FileStamp:
    """Time, size and inode of each file behind the paths; zeros for one that is not there."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
