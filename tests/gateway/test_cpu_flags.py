from pathlib import Path

import pytest

from gateway.cpu_flags import cpu_flags, precision_reason


def test_the_flags_that_matter_are_read(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor: 0\nflags\t\t: fpu sse avx2 avx512_bf16 amx_tile\n")
    assert cpu_flags(cpuinfo) == ("avx2", "avx512_bf16")
    assert cpu_flags(tmp_path / "missing") == ()


@pytest.mark.parametrize(
    ("backend", "asked", "flags", "expected"),
    [
        ("openvino", "", ("avx2", "amx_bf16"), "bf16: the CPU has amx_bf16"),
        ("openvino", "auto", ("avx2",), "f32: the CPU has no bf16 instructions"),
        ("openvino", "f32", ("amx_bf16",), "f32: the build asks for it"),
        ("onnxruntime", "auto", (), "the graph's own: ONNX Runtime has no bf16 on CPUs"),
        ("tensorrt", "", (), ""),
    ],
)
def test_the_precision_is_told_with_its_reason(backend: str, asked: str, flags: tuple[str, ...], expected: str) -> None:
    assert precision_reason(backend, asked, flags) == expected
