"""What the CPU can do, as far as it matters for inference."""

from pathlib import Path

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
BF16_FLAGS = ("amx_bf16", "avx512_bf16")


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Which of the flags that matter the CPU has; none where it does not say."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return ()
    present: set[str] = next((set(line.split()) for line in lines if line.startswith(("flags", "Features"))), set())
    return tuple(flag for flag in _FLAGS if flag in present)


def precision_reason(backend: str, asked: str, flags: tuple[str, ...]) -> str:
    """In which precision our backends run a build, and why; empty for backends that are not ours.

    Args:
        backend: Of the build's model config.
        asked: Its parameter ``precision``: ``auto``, ``f32`` or ``bf16``.
        flags: Of the CPU.
    """
    if backend == "onnxruntime":
        return "the graph's own: ONNX Runtime has no bf16 on CPUs"
    if backend != "openvino":
        return ""
    if asked not in ("", "auto"):
        return f"{asked}: the build asks for it"
    found = [flag for flag in flags if flag in BF16_FLAGS]
    return f"bf16: the CPU has {found[0]}" if found else "f32: the CPU has no bf16 instructions"
