"""A real Triton with our backends, and a way to write small ONNX models."""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc
from numpy.typing import NDArray
from onnx import helper
from tritonclient.utils import InferenceServerException

BACKENDS = ("onnxruntime", "openvino")


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.02)


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _backend_folder(folder: Path, triton: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(triton / "backends" / "python", folder / "python")
    shutil.copy(triton / "python_backend_stubs" / version / "triton_python_backend_stub", folder / "python")
    package = _package_folder("triton_backends")
    for backend in BACKENDS:
        (folder / backend).mkdir()
        (folder / backend / "model.py").symlink_to(package / backend / "model.py")
        (folder / backend / "triton_backends").symlink_to(package)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


@dataclass(frozen=True)
class RunningTriton:
    """A tritonserver under explicit model control."""

    process: subprocess.Popen[bytes]
    client: Any
    repository: Path
    shm_prefix: str

    def add(self, name: str, model: onnx.ModelProto | bytes | None, config: str) -> None:
        version = self.repository / name / "1"
        version.mkdir(parents=True)
        if model is not None:
            content = model if isinstance(model, bytes) else model.SerializeToString()
            (version / "model.onnx").write_bytes(content)
        (self.repository / name / "config.pbtxt").write_text(config)

    def load(self, name: str, model: onnx.ModelProto | bytes | None, config: str) -> None:
        self.add(name, model, config)
        self.client.load_model(name)

    def load_error(self, name: str, model: onnx.ModelProto | bytes | None, config: str) -> str:
        with pytest.raises(InferenceServerException) as caught:
            self.load(name, model, config)
        return str(caught.value.message())

    def infer(self, name: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        result = self.client.infer(name, request_inputs(inputs))
        return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}

    def stub_pids(self) -> set[int]:
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return {pid for pid in pids if self.shm_prefix in _command_line(pid)}


def request_inputs(inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
    tensors = []
    for name, array in inputs.items():
        tensor = triton_grpc.InferInput(name, array.shape, _datatype(array))
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return tensors


def _datatype(array: NDArray[Any]) -> str:
    if array.dtype == np.object_:
        return "BYTES"
    kind = {"b": "BOOL", "u": "UINT", "i": "INT", "f": "FP"}[array.dtype.kind]
    return kind if kind == "BOOL" else f"{kind}{array.dtype.itemsize * 8}"


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def start(folder: Path, *flags: str) -> RunningTriton:
    triton = _package_folder("pytriton") / "tritonserver"
    backends, repository = folder / "backends", folder / "repository"
    repository.mkdir()
    _backend_folder(backends, triton)
    grpc_port, http_port = _free_ports(2)
    prefix = f"outpost_test_{secrets.token_hex(4)}_"
    command = [
        *(str(triton / "bin" / "tritonserver"), f"--model-repository={repository}", f"--backend-directory={backends}"),
        *("--model-control-mode=explicit", "--strict-readiness=false", "--allow-metrics=false"),
        *("--grpc-address=127.0.0.1", f"--grpc-port={grpc_port}", "--http-address=127.0.0.1"),
        *(f"--http-port={http_port}", f"--backend-config=python,shm-region-prefix-name={prefix}"),
        *("--exit-timeout-secs=3", *flags),
    ]
    libraries = f"{triton.parents[1] / 'nvidia_pytriton.libs'}:{sysconfig.get_config_var('LIBDIR')}"
    environment = {"PATH": f"{sys.prefix}/bin:{os.environ['PATH']}", "LD_LIBRARY_PATH": libraries}
    with (folder / "triton.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    client = triton_grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}")
    running = RunningTriton(process, client, repository, prefix)
    wait_until(lambda: process.poll() is not None or _is_live(client), seconds=20)
    assert process.poll() is None, (folder / "triton.log").read_text()[-2000:]
    return running


def _is_live(client: Any) -> bool:
    try:
        return bool(client.is_server_live())
    except InferenceServerException:
        return False


def stop(running: RunningTriton) -> None:
    running.client.close()
    stubs = running.stub_pids() - {running.process.pid}
    running.process.kill()
    running.process.wait()
    for pid in stubs & running.stub_pids():
        os.kill(pid, signal.SIGKILL)
    for left in Path("/dev/shm").glob(f"{running.shm_prefix}*"):
        left.unlink()


Tensor = tuple[str, int, Sequence[int | str | None]]


def build_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    constants: Mapping[str, NDArray[Any]] | None = None,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(*tensor) for tensor in inputs],
        [helper.make_tensor_value_info(*tensor) for tensor in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
