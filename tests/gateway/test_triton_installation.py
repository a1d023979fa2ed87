import sys
from pathlib import Path

import pytest

from gateway.start_errors import LibpythonMissing, TritonNotInstalled
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


def installed_triton(root: Path, help_text: str) -> Path:
    """The layout of NVIDIA's image, with a server that only knows ``--help``."""
    for folder in ("bin", "lib", "backends/python", "backends/tensorrt", "backends/onnxruntime"):
        (root / folder).mkdir(parents=True)
    server = root / "bin" / "tritonserver"
    server.write_text(f"#!/bin/sh\necho '{help_text}'\nexit 1\n")
    server.chmod(0o755)
    (root / "backends" / "python" / "triton_python_backend_stub").write_text("stub")
    return root


def test_an_installed_triton_keeps_its_tensorrt_and_gets_our_backends(tmp_path: Path) -> None:
    installation = find_installation(installed_triton(tmp_path / "tritonserver", "usage"))
    backends = tmp_path / "backends"
    installation.build_backends(backends)
    assert sorted(path.name for path in backends.iterdir()) == ["onnxruntime", "openvino", "python", "tensorrt"]
    assert (backends / "tensorrt").resolve() == tmp_path / "tritonserver" / "backends" / "tensorrt"
    assert (backends / "onnxruntime" / "model.py").is_file()
    assert (backends / "python" / "triton_python_backend_stub").read_text() == "stub"


@pytest.mark.parametrize(("help_text", "flags"), [("  --allow-client-shm <bool>", 1), ("  --http-port", 0)])
def test_shared_memory_is_allowed_where_a_server_asks_for_it(tmp_path: Path, help_text: str, flags: int) -> None:
    installation = find_installation(installed_triton(tmp_path, help_text))
    assert installation.shared_memory_flags() == ("--allow-client-shm=true",) * flags


def test_an_installed_triton_without_a_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(TritonNotInstalled, match=f"server is missing: {tmp_path}/bin/tritonserver"):
        find_installation(tmp_path)
