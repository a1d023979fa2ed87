import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.app import machine_limits
from gateway.cores import usable_cores
from gateway.settings import Settings

UNIFIED = {"proc/self/cgroup": "0::/\n"}
V1 = {"proc/self/cgroup": "9:name=systemd:/\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/docker/abc\n"}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        (UNIFIED, 8),
        (UNIFIED | {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        (UNIFIED | {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        (UNIFIED | {"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        (UNIFIED | {"sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        (UNIFIED | {"sys/fs/cgroup/cpu.max": "1600000 100000\n"}, 8),
        (UNIFIED | {"sys/fs/cgroup/cpu.max": "damage"}, 8),
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1"}, 8),
    ],
)
def test_the_quota_of_a_container_is_kept(tmp_path: Path, files: Mapping[str, str], cores: int) -> None:
    assert usable_cores(write(tmp_path, files), affinity=8) == cores


def test_version_1_counts_the_group_itself_and_what_a_container_sees_as_the_root(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/cpu,cpuacct"
    write(tmp_path, V1 | {f"{folder}/cpu.cfs_quota_us": "350000\n", f"{folder}/cpu.cfs_period_us": "100000\n"})
    assert usable_cores(tmp_path, affinity=8) == 4
    group = f"{folder}/docker/abc"
    write(tmp_path, {f"{group}/cpu.cfs_quota_us": "20000\n", f"{group}/cpu.cfs_period_us": "10000\n"})
    assert usable_cores(tmp_path, affinity=8) == 2


def test_the_tightest_group_above_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/../edge.slice/gateway.service\n",
        "sys/fs/cgroup/edge.slice/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/edge.slice/gateway.service/cpu.max": "600000 100000\n",
    }
    assert usable_cores(write(tmp_path, files), affinity=8) == 3


def test_a_group_whose_name_is_not_utf_8_counts(tmp_path: Path) -> None:
    group = os.fsdecode(b"caf\xe9")
    write(tmp_path, {"proc/self/empty": "", f"sys/fs/cgroup/{group}/cpu.max": "300000 100000\n"})
    (tmp_path / "proc/self/cgroup").write_bytes(b"0::/caf\xe9\n")
    assert usable_cores(tmp_path, affinity=8) == 3


def test_an_affinity_below_the_quota_counts(tmp_path: Path) -> None:
    assert usable_cores(write(tmp_path, UNIFIED | {"sys/fs/cgroup/cpu.max": "400000 100000\n"}), affinity=3) == 3


def test_there_is_an_instance_for_each_core() -> None:
    assert machine_limits(Settings()).instances == usable_cores()
    assert machine_limits(Settings(threads_per_instance=256)).instances == 1
