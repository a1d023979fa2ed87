"""Whether a file system is read-only, or only mounted so here."""

from pathlib import Path

import pytest

from device_agent.sensors.file_systems import is_read_only, measure_file_system

ROOT = "22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 {options}"
IN_A_CONTAINER = (
    "600 590 179:2 /var/lib/outpost /var/lib/outpost ro,relatime - ext4 /dev/mmcblk0p2 rw,errors=remount-ro"
)


@pytest.mark.parametrize(
    ("mountinfo", "expected"),
    [
        (ROOT.format(options="rw,errors=remount-ro"), False),
        (ROOT.format(options="ro,errors=remount-ro"), True),
        (IN_A_CONTAINER, False),
        (ROOT.format(options="ro").replace("179:2", "8:1"), None),
        ("", None),
        ("garbage", None),
    ],
)
def test_the_file_system_counts_and_not_its_mount(mountinfo: str, expected: bool | None) -> None:
    assert is_read_only(mountinfo, 179, 2) is expected


def test_a_folder_of_this_machine(tmp_path: Path) -> None:
    found = measure_file_system(tmp_path)
    assert 0 < found.free_bytes <= found.size_bytes
    assert found.read_only in (False, None)
    with pytest.raises(FileNotFoundError):
        measure_file_system(tmp_path / "nothing")
