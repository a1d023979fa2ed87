"""Made-up machines: the files of ``/proc``, ``/sys`` and ``/etc`` that the agent reads."""

from collections.abc import Mapping
from pathlib import Path

_DISKSTATS = """{major} 0 {name} 100 0 2000 10 50 0 400 20 0 1500 30
{major} 1 {name}{part} 90 0 1800 9 50 0 400 20 0 1400 29
"""
_INTERFACES = """Inter-|   Receive                |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo: 500 5 0 0 0 0 0 0 500 5 0 0 0 0 0 0
  {name}: 123456 100 2 0 0 0 0 0 65432 90 1 0 0 0 0 0
vethab12: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0
"""


def write_tree(root: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Path:
    """Put the files and links below a root; returns the root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    for name, target in (links or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return root


def _meminfo(total_kib: int, available_kib: int, swap_kib: int = 0) -> str:
    values = {
        "MemTotal": total_kib,
        "MemFree": available_kib // 2,
        "MemAvailable": available_kib,
        "Buffers": 100,
        "Cached": 200,
        "Active": 300,
        "Inactive": 100,
        "Shmem": 10,
        "SwapTotal": swap_kib,
        "SwapFree": swap_kib // 4,
    }
    return "\n".join(f"{name}: {value} kB" for name, value in values.items())


def _kernel(cores: tuple[int, ...], disk: str, part: str, interface: str, meminfo: str) -> dict[str, str]:
    times = "\n".join(f"cpu{core} 1000 10 300 {9000 + core} 40 5 6 7 0 0" for core in cores)
    return {
        "proc/stat": f"cpu  4000 40 1200 36000 160 20 24 28 0 0\n{times}\nintr 1 2 3\nctxt 5\nbtime 1700000000",
        "proc/loadavg": "0.50 0.40 0.30 2/345 6789",
        "proc/meminfo": meminfo,
        "proc/vmstat": "pswpin 0\npswpout 0",
        "proc/diskstats": _DISKSTATS.format(major=179, name=disk, part=part).strip(),
        "proc/1/net/dev": _INTERFACES.format(name=interface).rstrip("\n"),
        "proc/net/dev": _INTERFACES.format(name="container0").rstrip("\n"),
        f"sys/block/{disk}/size": "1000",
    }


def _frequencies(core: int, now: int, limit: int, highest: int) -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
    return {
        f"{folder}/scaling_cur_freq": str(now),
        f"{folder}/scaling_max_freq": str(limit),
        f"{folder}/cpuinfo_max_freq": str(highest),
    }


def cpu_box(root: Path) -> Path:
    """An x86 server with RAPL, coretemp, an NVMe disk, a battery-backed supply and an NVIDIA driver."""
    files = _kernel((0, 1), "nvme0n1", "p1", "eth0", _meminfo(16_000_000, 8_000_000, 2_000_000))
    for core in (0, 1):
        files |= _frequencies(core, 2_400_000, 3_600_000, 3_600_000)
        folder = f"sys/devices/system/cpu/cpu{core}/thermal_throttle"
        files |= {f"{folder}/core_throttle_count": "3", f"{folder}/package_throttle_count": "7"}
    files |= {
        "sys/devices/virtual/dmi/id/product_name": "Edge Box 9000",
        "sys/class/hwmon/hwmon0/name": "coretemp",
        "sys/devices/platform/coretemp.0/driver_override": "",
        "sys/class/hwmon/hwmon0/temp1_input": "47000",
        "sys/class/hwmon/hwmon0/temp1_label": "Package id 0",
        "sys/class/hwmon/hwmon0/temp1_crit": "100000",
        "sys/class/hwmon/hwmon0/temp2_input": "46000",
        "sys/class/powercap/intel-rapl/enabled": "1",
        "sys/class/powercap/intel-rapl:0/name": "package-0",
        "sys/class/powercap/intel-rapl:0/energy_uj": "5000000",
        "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850",
        "sys/class/powercap/intel-rapl:0:0/name": "core",
        "sys/class/powercap/intel-rapl:0:0/energy_uj": "2500000",
        "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj": "262143328850",
        "sys/class/power_supply/AC/type": "Mains",
        "sys/class/power_supply/AC/online": "1",
        "sys/class/power_supply/BAT0/type": "Battery",
        "sys/class/power_supply/BAT0/status": "Discharging",
        "sys/class/power_supply/BAT0/capacity": "80",
        "sys/class/power_supply/BAT0/voltage_now": "12000000",
        "sys/class/power_supply/BAT0/current_now": "-1500000",
        "sys/class/power_supply/mouse/type": "Battery",
        "sys/class/power_supply/mouse/scope": "Device",
        "sys/class/power_supply/mouse/capacity": "10",
    }
    return write_tree(root, files, {"sys/class/hwmon/hwmon0/device": "../../../devices/platform/coretemp.0"})


def jetson_orin(root: Path) -> Path:
    """A Jetson Orin NX, JetPack 6, in its 15 W mode: cores 4 to 7 are off, the CPU is held below its maximum."""
    files = _kernel((0, 1, 2, 3), "mmcblk0", "p1", "eth0", _meminfo(15_600_000, 9_000_000, 7_800_000))
    for core in range(4):
        files |= _frequencies(core, 1_190_400, 1_420_800, 1_984_000)
    files |= {
        "sys/firmware/devicetree/base/model": "NVIDIA Jetson Orin NX Engineering Reference Developer Kit\0",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "51250",
        "sys/class/thermal/thermal_zone0/trip_point_0_type": "passive",
        "sys/class/thermal/thermal_zone0/trip_point_0_temp": "99000",
        "sys/class/thermal/thermal_zone0/trip_point_1_type": "critical",
        "sys/class/thermal/thermal_zone0/trip_point_1_temp": "104500",
        "sys/class/thermal/thermal_zone1/type": "gpu-thermal",
        "sys/class/thermal/thermal_zone1/temp": "49000",
        "sys/class/thermal/cooling_device0/type": "pwm-fan",
        "sys/class/thermal/cooling_device0/cur_state": "2",
        "sys/class/thermal/cooling_device0/max_state": "4",
        "sys/class/hwmon/hwmon1/name": "soctherm_oc",
        "sys/class/hwmon/hwmon1/oc1_event_cnt": "0",
        "sys/class/hwmon/hwmon1/oc3_event_cnt": "12",
        "sys/class/hwmon/hwmon4/name": "ina3221",
        "sys/bus/i2c/devices/1-0040/uevent": "",
        "sys/class/devfreq/17000000.gpu/cur_freq": "612000000",
        "sys/class/devfreq/17000000.gpu/max_freq": "918000000",
        "sys/devices/platform/bus@0/17000000.gpu/load": "437",
        "sys/class/devfreq/15340000.vic/cur_freq": "115200000",
        "etc/nvpmodel/nvpmodel_p3767_0000.conf": "# < POWER_MODEL ID=9 NAME=OLD >\n"
        "< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\n"
        "< POWER_MODEL ID=1 NAME=10W >\n< POWER_MODEL ID=2 NAME=15W >\n< PM_CONFIG DEFAULT=2 >",
        "var/lib/nvpmodel/status": "pmode:0002",
    }
    rails = {1: ("VDD_IN", 4968, 1600), 2: ("VDD_CPU_GPU_CV", 4968, 400), 3: ("VDD_SOC", 4960, 500)}
    for number, (label, millivolts, milliamperes) in rails.items():
        files |= {
            f"sys/class/hwmon/hwmon4/in{number}_label": label,
            f"sys/class/hwmon/hwmon4/in{number}_input": str(millivolts),
            f"sys/class/hwmon/hwmon4/in{number}_enable": "1",
            f"sys/class/hwmon/hwmon4/curr{number}_input": str(milliamperes),
            f"sys/class/hwmon/hwmon4/in{number + 3}_input": "1",
        }
    files |= {
        "sys/class/hwmon/hwmon4/curr4_input": "2500",
        "sys/class/hwmon/hwmon4/in7_label": "sum of shunt voltages",
        "sys/class/hwmon/hwmon4/in7_input": "3",
    }
    links = {
        "sys/class/hwmon/hwmon4/device": "../../../bus/i2c/devices/1-0040",
        "sys/class/devfreq/17000000.gpu/device": "../../../devices/platform/bus@0/17000000.gpu",
        "etc/nvpmodel.conf": "/etc/nvpmodel/nvpmodel_p3767_0000.conf",
    }
    return write_tree(root, files, links)


def raspberry_pi(root: Path) -> Path:
    """A Raspberry Pi 4 with a weak supply: too little voltage now, and slowed down since it was started."""
    files = _kernel((0, 1, 2, 3), "mmcblk0", "p2", "wlan0", _meminfo(3_900_000, 2_000_000))
    for core in range(4):
        files |= _frequencies(core, 600_000, 1_800_000, 1_800_000)
    files |= {
        "sys/firmware/devicetree/base/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "61835",
        "sys/class/hwmon/hwmon0/name": "cpu_thermal",
        "sys/class/hwmon/hwmon0/temp1_input": "61835",
        "sys/class/hwmon/hwmon0/temp1_crit": "110000",
        "sys/class/hwmon/hwmon1/name": "rpi_volt",
        "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50001",
    }
    return write_tree(root, files)
