import sys
from pathlib import Path

import pytest

from gateway.start_errors import LibpythonMissing, TritonNotInstalled, TritonUnusable
from gateway.supervision.triton_installation import OWN_BACKENDS, find_installation, find_libpython

LIBRARY = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"


def test_a_missing_libpython_is_named_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(LibpythonMissing) as caught:
        find_libpython([str(tmp_path), "/nowhere"])
    said = str(caught.value)
    assert LIBRARY in said
    assert f"{tmp_path}, /nowhere" in said
    assert f"apt install libpython{sys.version_info.major}.{sys.version_info.minor}" in said


def test_the_first_folder_that_has_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / LIBRARY).write_text("")
    assert find_libpython(["/nowhere", str(tmp_path)]) == tmp_path


def test_the_backend_folder_has_the_stub_of_this_python_and_ours(tmp_path: Path) -> None:
    installation = find_installation()
    installation.build_backends(tmp_path / "backends")
    stub = tmp_path / "backends" / "python" / "triton_python_backend_stub"
    assert stub.read_bytes() == installation.stub.read_bytes()
    for name in OWN_BACKENDS:
        assert (tmp_path / "backends" / name / "model.py").is_file()
        assert (tmp_path / "backends" / name / "triton_backends" / "__init__.py").is_file()


def test_the_server_s_environment_finds_this_python_and_its_libraries() -> None:
    installation = find_installation()
    environment = installation.environment({"PATH": "/usr/bin", "PYTHONPATH": "/mine", "LD_LIBRARY_PATH": "/other"})
    assert environment["PATH"].split(":")[0] == str(Path(sys.executable).parent)
    assert environment["LD_LIBRARY_PATH"] == f"{installation.libraries}:{installation.libpython_folder}:/other"
    assert "PYTHONPATH" not in environment


def installed_triton(root: Path, script: str = "") -> Path:
    """The layout of NVIDIA's image, with a shell script for the server."""
    for folder in ("bin", "lib", "backends/python", "backends/tensorrt", "backends/onnxruntime"):
        (root / folder).mkdir(parents=True)
    server = root / "bin" / "tritonserver"
    server.write_text(f"#!/bin/sh\n{script}\n")
    server.chmod(0o755)
    (root / "backends" / "python" / "triton_python_backend_stub").write_text("stub")
    return root


def test_an_installed_triton_keeps_its_tensorrt_and_gets_our_backends(tmp_path: Path) -> None:
    installation = find_installation(installed_triton(tmp_path / "tritonserver"))
    backends = tmp_path / "backends"
    installation.build_backends(backends)
    assert sorted(path.name for path in backends.iterdir()) == ["onnxruntime", "openvino", "python", "tensorrt"]
    assert (backends / "tensorrt").resolve() == tmp_path / "tritonserver" / "backends" / "tensorrt"
    assert (backends / "onnxruntime" / "model.py").is_file()
    assert (backends / "python" / "triton_python_backend_stub").read_text() == "stub"


USAGE = "echo 'Usage: tritonserver [options]\n  --model-repository <string>'"


@pytest.mark.parametrize(("more", "flags"), [("echo '  --allow-client-shm <bool>'", 1), ("echo '  --http-port'", 0)])
def test_shared_memory_is_allowed_where_a_server_asks_for_it(tmp_path: Path, more: str, flags: int) -> None:
    installation = find_installation(installed_triton(tmp_path, f"{USAGE}; {more}; exit 1"))
    assert installation.shared_memory_flags() == ("--allow-client-shm=true",) * flags


def test_a_server_is_asked_with_the_environment_that_it_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_it = f'case "$LD_LIBRARY_PATH" in *:/of/the/image) {USAGE}; echo --allow-client-shm;; esac'
    monkeypatch.setenv("LD_LIBRARY_PATH", "/of/the/image")
    installation = find_installation(installed_triton(tmp_path, needs_it))
    assert installation.shared_memory_flags() == ("--allow-client-shm=true",)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'libnvinfer.so.10: cannot open shared object file' >&2; exit 127", "libnvinfer.so.10: cannot open"),
        ("exit 1", "it printed nothing"),
    ],
)
def test_a_server_that_shows_no_flags_is_an_error_with_what_it_printed(tmp_path: Path, script: str, said: str) -> None:
    installation = find_installation(installed_triton(tmp_path, script))
    with pytest.raises(TritonUnusable, match=f"{tmp_path}/bin/tritonserver --help .*: {said}"):
        installation.shared_memory_flags()


def test_a_server_of_another_architecture_is_an_error(tmp_path: Path) -> None:
    root = installed_triton(tmp_path)
    (root / "bin" / "tritonserver").write_bytes(b"\x7fELF for another machine")
    with pytest.raises(TritonUnusable, match="Exec format error"):
        find_installation(root).shared_memory_flags()


def test_an_installed_triton_without_a_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(TritonNotInstalled, match=f"server is missing: {tmp_path}/bin/tritonserver") as caught:
        find_installation(tmp_path)
    assert f"name another Triton than {tmp_path} with --triton-root" in str(caught.value)
    assert "make setup" not in str(caught.value)
