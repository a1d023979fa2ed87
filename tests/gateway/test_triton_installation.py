import sys
from pathlib import Path

import pytest

from gateway.start_errors import LibpythonMissing
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
