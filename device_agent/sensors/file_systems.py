"""How full a file system is."""

import os
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class FileSystem:
    """One file system, as it is now.

    Attributes:
        size_bytes: All of it.
        free_bytes: What ordinary users can still fill.
        inodes: How many files it can hold; None where their number is not fixed (btrfs, vfat).
        inodes_free: How many more.
        read_only: Whether the file system itself is, not only this mount of it; None where that is not told.
    """

    size_bytes: int
    free_bytes: int
    inodes: int | None
    inodes_free: int | None
    read_only: bool | None


def measure_file_system(folder: Path) -> FileSystem:
    """Ask the operating system.

    Raises:
        OSError: The folder is not there (``FileNotFoundError``), or its file system does not answer.
    """
    found = os.statvfs(folder)
    device = folder.stat().st_dev
    return FileSystem(
        size_bytes=found.f_blocks * found.f_frsize,
        free_bytes=found.f_bavail * found.f_frsize,
        inodes=found.f_files or None,
        inodes_free=found.f_favail if found.f_files else None,
        read_only=is_read_only(_MOUNTS.read_text(errors="replace"), os.major(device), os.minor(device)),
    )


def is_read_only(mountinfo: str, major: int, minor: int) -> bool | None:
    """Whether the kernel took a file system to read-only, as it does after errors of a disk.

    A container often mounts a writable file system read-only: that does not count.

    Args:
        mountinfo: Text of ``/proc/<pid>/mountinfo``.
        major: Of the file system's device.
        minor: Of the file system's device.
    """
    for line in mountinfo.splitlines():
        mount, dash, file_system = line.partition(" - ")
        if dash and mount.split()[2] == f"{major}:{minor}":
            return "ro" in file_system.split()[-1].split(",")
    return None
