"""What a measurement ran on."""

import datetime as dt
import importlib.metadata
import os
import platform
import re
from pathlib import Path

PACKAGES = (
    "nvidia-pytriton",
    "openvino",
    "onnxruntime",
    "tritonclient",
    "grpcio",
    "uvicorn",
    "starlette",
    "fastapi",
    "numpy",
    "opencv-python-headless",
    "simplejpeg",
    "uvloop",
    "numba-cuda",
)
_CPU_NAME = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_CPU_FLAGS = re.compile(r"^flags\s*:\s*(.+)$", re.MULTILINE)
_TELLING_FLAGS = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx2")


def describe_machine(now: dt.datetime, cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Processor, software and date, by name."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    name, flags = _CPU_NAME.search(text), _CPU_FLAGS.search(text)
    telling = [flag for flag in _TELLING_FLAGS if flags is not None and flag in flags[1].split()]
    return {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": f"{name[1] if name else platform.processor()}, {os.cpu_count()} cores ({', '.join(telling)})",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{package} {_version(package)}" for package in PACKAGES),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
