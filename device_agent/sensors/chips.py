"""The chips of Linux' hardware monitoring (hwmon)."""

from pathlib import Path

from device_agent.sensors.host_tree import HostTree, read_label


def chip_folders(tree: HostTree) -> list[Path]:
    """Folders of ``/sys/class/hwmon``, one per chip."""
    return tree.find("sys/class/hwmon/hwmon*")


def chip_name(folder: Path) -> str:
    """What a chip is called: its driver, and where it sits, which unlike its number stays at the next boot.

    Raises:
        OSError: Its name does not answer.
    """
    name = read_label(folder / "name", folder.name)
    device = folder / "device"
    place = device.resolve().name if device.exists() else folder.name
    return name if place == name else f"{name}-{place}"


def channel(path: Path) -> str:
    """``temp1`` of ``temp1_input``."""
    return path.name.partition("_")[0]
