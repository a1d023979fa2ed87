"""A device whose gateways come and go while its Triton, a stand-in, runs on."""

import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tritonclient.grpc import service_pb2

from contracts.build_manifest import BuildManifest
from contracts.engine_cache import EngineFacts, EngineStatus, plan_path, status_path
from gateway.supervision.build_loader import LocalBuildLoader
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.model_keeper import ModelKeeper
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from gateway.triton.model_config import MachineLimits
from tests.fakes.triton_repository import TritonRepository, running_repository

A, B, BARE, ON_PLAN = "a-1.0.0_x86-cpu", "b-1.0.0_x86-cpu", "bare-1.0.0_x86-cpu", "p-1.0.0_jetson-orin-nx"
CONFIG = 'name: "{name}" backend: "openvino"'
PLAN_CONFIG = 'name: "{name}" platform: "tensorrt_plan" backend: "tensorrt"'
FACTS = EngineFacts(
    onnx_sha256=hashlib.sha256(b"weights").hexdigest(),
    gpu="Orin",
    compute_capability="8.7",
    tensorrt_version="10.3.0",
    cuda_version="12.6",
    told="",
)


class Device:
    """A state folder and a Triton that outlive the gateways on them."""

    def __init__(self, state: Path, triton: TritonRepository, address: str) -> None:
        self.triton, self.repository, self.engines = triton, state / "repository", state / "engines"
        self.connection = TritonConnection(address)
        self.control = TritonControl(self.connection)
        self.limits, self.refusal, self.now = MachineLimits(2, 1), "", 0.0
        (self.engines / "status").mkdir(parents=True)

    def put(self, name: str, weights: bytes = b"weights", config: str = CONFIG, *, manifest: bool = True) -> Path:
        """A build, in the place of one that is there."""
        folder = self.repository / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "1").mkdir(parents=True)
        (folder / "config.pbtxt").write_text(config.replace("{name}", name))
        (folder / "1" / "model.onnx").write_bytes(weights)
        if manifest:
            files = {each: hashlib.sha256((folder / each).read_bytes()) for each in ("config.pbtxt", "1/model.onnx")}
            digests = {each: digest.hexdigest() for each, digest in files.items()}
            (folder / "manifest.json").write_text(BuildManifest(build=name, files=digests).model_dump_json())
        return folder

    def put_plan(self, plan: bytes) -> None:
        path = self.engines / plan_path(FACTS.key)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(plan)
        status = EngineStatus(
            build=ON_PLAN,
            state="ready",
            facts=FACTS,
            started_at=1.0,
            finished_at=2.0,
            plan_sha256=hashlib.sha256(plan).hexdigest(),
            plan_size_bytes=len(plan),
        )
        (self.engines / status_path(ON_PLAN)).write_text(status.model_dump_json())

    def gateway(self) -> ModelKeeper:
        """One that was just started, and knows of nothing."""
        engines = EngineFolder(self.engines)
        loader = LocalBuildLoader(self.control, self.repository, self.limits, engines, starts_triton=False)
        keeper = ModelKeeper(self.control, loader, lambda _: self.refusal, lambda: self.now)
        keeper.forget()
        return keeper

    def loaded(self) -> list[str]:
        """Names of what was loaded since this was last asked."""
        names = [load.model_name for load in self.triton.loads]
        self.triton.loads.clear()
        return names

    def edit(self, name: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Another client loads a model with the config that Triton gives, changed."""
        request = service_pb2.RepositoryModelLoadRequest()
        request.CopyFrom(self.triton.serves[name])
        config = json.loads(request.parameters["config"].string_param)
        edit(config)
        request.parameters["config"].string_param = json.dumps(config)
        self.triton.serves[name] = request


@asynccontextmanager
async def device_with_builds(state: Path) -> AsyncIterator[Device]:
    """One with two builds that an earlier gateway has loaded."""
    triton = TritonRepository()
    async with running_repository(triton) as address:
        made = Device(state, triton, address)
        made.put(A)
        made.put(B)
        await look(made.gateway(), A, B)
        assert made.loaded() == [A, B]
        yield made
        await made.connection.close()


async def nothing() -> None: ...


async def look(keeper: ModelKeeper, *wanted: str) -> list[tuple[str, ...]]:
    """Bring Triton to what is wanted; returns what was ready at each change."""
    ready = []

    async def note() -> None:
        ready.append(tuple(name for name, build in keeper.builds.items() if build.ready))

    while await keeper.reconcile(wanted, on_change=note):
        pass
    return ready
