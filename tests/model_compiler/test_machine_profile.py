"""Facts of machines: the running one, and others as trees of files."""

from pathlib import Path

import pytest

from model_compiler.machine_profile import read_machine_profile

X86 = """processor\t: 0
model name\t: AMD EPYC
flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16

processor\t: 1
model name\t: AMD EPYC
"""
ARM = """processor\t: 0
Features\t: fp asimd asimddp i8mm
CPU implementer\t: 0x41
CPU part\t: 0xd42
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_machine_can_be_read() -> None:
    profile = read_machine_profile()
    assert profile.facts.architecture
    assert profile.cpu_count is not None
    assert profile.cpu_count > 0
    assert profile.memory_bytes is not None
    assert profile.memory_bytes > 2**26


def test_a_machine_that_tells_nothing_is_unknown_not_zero(tmp_path: Path) -> None:
    profile = read_machine_profile(tmp_path, "x86_64")
    assert (profile.cpu_model, profile.cpu_count, profile.memory_bytes) == (None, None, None)
    assert (profile.cpu_flags, profile.gpus) == ((), ())
    assert (profile.power_source, profile.hottest_celsius) == (None, None)
    assert not profile.facts.nvidia_gpu


def test_a_server_with_a_gpu(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": X86,
        "proc/meminfo": "MemTotal:       32000000 kB\nMemFree: 5 kB\n",
        "dev/nvidia0": "",
        "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA H200\nIRQ: 5\n",
        "sys/class/power_supply/AC/type": "Mains\n",
        "sys/class/power_supply/AC/online": "1\n",
    }
    profile = read_machine_profile(write(tmp_path, files), "x86_64")
    assert profile.facts.nvidia_gpu
    assert (profile.cpu_model, profile.cpu_count) == ("AMD EPYC", 2)
    assert profile.cpu_flags == ("avx2", "avx512f", "avx512_vnni", "avx512_bf16")
    assert profile.memory_bytes == 32_000_000 * 1024
    assert profile.gpus == ("NVIDIA H200",)
    assert profile.power_source == "mains"


def test_a_driver_without_a_device_is_no_gpu_here(tmp_path: Path) -> None:
    files = {"dev/nvidiactl": "", "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: NVIDIA H200\n"}
    assert not read_machine_profile(write(tmp_path, files), "x86_64").facts.nvidia_gpu


def test_a_jetson(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": ARM,
        "proc/device-tree/model": "NVIDIA Jetson Orin NX Engineering Reference Developer Kit\0",
        "sys/class/thermal/thermal_zone0/temp": "47500\n",
        "sys/class/thermal/thermal_zone1/temp": "51250\n",
        "sys/class/thermal/thermal_zone2/temp": "broken\n",
    }
    profile = read_machine_profile(write(tmp_path, files), "aarch64")
    assert profile.facts.device_tree_model == "NVIDIA Jetson Orin NX Engineering Reference Developer Kit"
    assert profile.cpu_model == "Arm implementer 0x41, part 0xd42"
    assert profile.cpu_flags == ("asimddp", "i8mm")
    assert profile.hottest_celsius == 51.25


def test_a_container_may_use_less_than_its_machine_has(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": X86,
        "proc/meminfo": "MemTotal: 32000000 kB\n",
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/memory.max": "2000000000\n",
    }
    profile = read_machine_profile(write(tmp_path, files), "x86_64")
    assert profile.cpu_count == 1.5
    assert profile.memory_bytes == 2_000_000_000


def test_a_container_without_limits_has_its_machine(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": X86,
        "proc/meminfo": "MemTotal: 1000 kB\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
        "sys/fs/cgroup/memory.max": "max\n",
    }
    profile = read_machine_profile(write(tmp_path, files), "x86_64")
    assert (profile.cpu_count, profile.memory_bytes) == (2, 1_024_000)


@pytest.mark.parametrize(("online", "source"), [("0", "battery"), ("1", "mains")])
def test_a_cart_on_its_battery(tmp_path: Path, online: str, source: str) -> None:
    files = {
        "sys/class/power_supply/AC/type": "Mains\n",
        "sys/class/power_supply/AC/online": f"{online}\n",
        "sys/class/power_supply/BAT0/type": "Battery\n",
    }
    assert read_machine_profile(write(tmp_path, files), "x86_64").power_source == source
