"""Makes the plans of a device's TensorRT builds, one after the other."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contracts.engine_cache import EngineFacts, EngineStatus
from model_compiler.engine_cache.engine_store import EngineStore
from model_compiler.engine_cache.errors import AlwaysEnded
from model_compiler.engine_cache.tensorrt_builds import FileStamp, TensorRtBuild, find_tensorrt_builds
from model_compiler.engines.catalogue import tensorrt_engine
from model_compiler.engines.tensorrt_engine import TensorRtEngine
from model_compiler.engines.tensorrt_host import TensorRtHost
from model_compiler.errors import CompileError

DISK_RETRY_SECONDS = 300.0
MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last look at a build gave; it holds until a file is touched or the time has come."""

    stamp: FileStamp
    status: EngineStatus
    look_again_at: float

    def holds(self, stamp: FileStamp, now: float) -> bool:
        return self.stamp == stamp and now < self.look_again_at


class DeviceBuilder:
    """Keeps every build's plan in the store equal to what this machine's GPU, TensorRT and CUDA need.

    Args:
        host: TensorRT and the GPU.
        store: Open.
        repository: Folder of builds.
        accepts: Whether builds for a hardware class run here.
        tell: Takes a line for people.
        clock: Unix seconds.
    """

    def __init__(
        self,
        host: TensorRtHost,
        store: EngineStore,
        repository: Path,
        accepts: Callable[[str], bool],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host, self._store, self._repository = host, store, repository
        self._accepts, self._tell, self._clock = accepts, tell, clock
        self._known: dict[str, _Known] = {}

    def look(self) -> tuple[EngineStatus, ...]:
        """Bring every build up to date and remove what no build needs; a build that fails does not stop the others.

        Raises:
            OSError: The folder of builds cannot be read.
        """
        builds = find_tensorrt_builds(self._repository, self._accepts)
        statuses = tuple(self._status_of(build) for build in sorted(builds, key=self._was_abandoned))
        try:
            removed = self._store.remove_all_but({folder.name for folder in self._repository.iterdir()})
        except OSError as error:
            self._tell(f"old plans in {self._store.root} cannot be removed: {error}")
        else:
            for key in removed:
                self._tell(f"plan {key[:12]} removed: no build needs it")
        return statuses

    def _was_abandoned(self, build: TensorRtBuild) -> bool:
        """What ended its maker may end us too, so that its turn comes after the others."""
        status = self._store.status(build.name)
        return status is not None and status.state == "building"

    def _status_of(self, build: TensorRtBuild) -> EngineStatus:
        known = self._known.get(build.name)
        stamp = build.stamp()  # before the files are read, so that a change meanwhile is seen at the next look
        if known is not None and known.holds((*stamp, *self._store.stamp(known.status)), self._clock()):
            return known.status
        status, look_again_at = self._up_to_date(build)
        self._known[build.name] = _Known((*stamp, *self._store.stamp(status)), status, look_again_at)
        return status

    def _up_to_date(self, build: TensorRtBuild) -> tuple[EngineStatus, float]:
        begun = EngineStatus(build=build.name, state="building", started_at=self._clock())
        try:
            model = build.read_model()
            engine = tensorrt_engine(self._host, build.max_batch_size)
            facts = self._facts(engine, model)
            begun = begun.model_copy(update={"facts": facts})
            return self._with_plan(begun, facts, engine, model), math.inf
        except OSError as error:
            advice = f"make room, or let this user write to {self._store.root}; it is tried again every five minutes"
            return self._failed(begun, f"{error}; {advice}"), self._clock() + DISK_RETRY_SECONDS
        except CompileError as error:
            return self._failed(begun, str(error)), math.inf
        except Exception as error:  # noqa: BLE001 - TensorRT raises what it likes, and the other builds go on
            advice = "what TensorRT and CUDA said is in the output of outpost-compile engines; is GPU memory free?"
            return self._failed(begun, f"{type(error).__name__}: {error}; {advice}"), math.inf

    def _facts(self, engine: TensorRtEngine, model: bytes) -> EngineFacts:
        return EngineFacts(
            onnx_sha256=hashlib.sha256(model).hexdigest(),
            gpu=self._host.device.name,
            compute_capability=self._host.device.compute_capability,
            tensorrt_version=self._host.api.__version__,
            cuda_version=self._host.device.cuda_version,
            told=engine.plan(model).text(),
        )

    def _with_plan(self, begun: EngineStatus, facts: EngineFacts, engine: TensorRtEngine, model: bytes) -> EngineStatus:
        before = self._store.status(begun.build)
        if before is not None and before.state == "ready" and before.key == facts.key and self._store.is_intact(before):
            return before
        same = self._store.ready_with(facts.key)
        if same is not None:
            return self._finished(begun, same.plan_sha256, same.plan_size_bytes)
        begun = begun.model_copy(update={"reason": why_build(before, facts), "attempts": _attempts(before, facts)})
        self._store.write(begun)
        self._tell(f"{begun.build}: building for {facts.machine}: {begun.reason}")
        plan = engine.build(model)
        self._store.write_plan(facts.key, plan)
        return self._finished(begun, hashlib.sha256(plan).hexdigest(), len(plan))

    def _finished(self, begun: EngineStatus, sha256: str | None, size_bytes: int | None) -> EngineStatus:
        plan = {"plan_sha256": sha256, "plan_size_bytes": size_bytes}
        ready = self._ended(begun, {"state": "ready", "reason": "", **plan})
        self._store.write(ready)
        seconds = self._clock() - begun.started_at
        self._tell(f"{ready.build}: ready after {seconds:.0f} s, {(size_bytes or 0) / 1e6:.1f} MB")
        return ready

    def _failed(self, begun: EngineStatus, reason: str) -> EngineStatus:
        failed = self._ended(begun, {"state": "failed", "reason": " ".join(reason.split())})
        self._tell(f"{failed.build}: failed: {failed.reason}")
        try:
            self._store.write(failed)
        except OSError as error:
            self._tell(f"{failed.build}: its status cannot be written: {error}")
        return failed

    def _ended(self, begun: EngineStatus, change: dict[str, object]) -> EngineStatus:
        fields = begun.model_dump() | change | {"finished_at": self._clock()}
        return EngineStatus.model_validate(fields)


def _attempts(before: EngineStatus | None, facts: EngineFacts) -> int:
    if before is None or before.state != "building" or before.facts != facts:
        return 1
    if before.attempts >= MOST_ATTEMPTS:
        raise AlwaysEnded(before.attempts)
    return before.attempts + 1


def why_build(before: EngineStatus | None, facts: EngineFacts) -> str:
    """Why a plan is made, from what was known of the build before."""
    if before is None or before.facts is None:
        return "there is no plan yet"
    old = before.facts
    if old.onnx_sha256 != facts.onnx_sha256:
        return "the build's model changed"
    if old.machine != facts.machine:
        return f"the plan that is there is for {old.machine}"
    if old.key != facts.key:
        return "TensorRT is told something else than before"
    if before.state == "ready":
        return "the plan that is there is damaged or missing"
    return "the last attempt was ended" if before.state == "building" else "the last attempt failed"
