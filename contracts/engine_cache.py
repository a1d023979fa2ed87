"""``<state>/engines``: plans that this machine made of builds, and how far each of them is.

::

    <state>/engines/<key>/model.plan      whole or not there
    <state>/engines/status/<build>.json   an `EngineStatus`, whole or not there
    <state>/engines/builder.lock          held (flock) by whoever makes plans

The key is a hash of everything that a plan depends on: what was made on another GPU is never taken for this one's.
"""

import datetime as dt
import hashlib
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.active_models import Build

ENGINES_FOLDER = "engines"
PLAN_FILE = "model.plan"
LOCK_FILE = "builder.lock"
STATUS_FOLDER = "status"
EngineState = Literal["building", "ready", "failed"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
UnixSeconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EngineFacts(_Part):
    """What a TensorRT plan depends on.

    Attributes:
        onnx_sha256: Of the ONNX file in the build.
        gpu: Name of the GPU: TensorRT supports a plan on the model of GPU that it was made on.
        compute_capability: Of the GPU, for example ``8.7``.
        tensorrt_version: Of the library that makes the plan.
        cuda_version: The newest that the driver supports.
        told: What TensorRT's builder is told (flags, profiles, limits), one line for each decision.
    """

    onnx_sha256: Sha256
    gpu: str
    compute_capability: str
    tensorrt_version: str
    cuda_version: str
    told: str

    @property
    def key(self) -> str:
        """Name of the plan's folder: equal facts, equal key."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def machine(self) -> str:
        """What the plan runs on, for people."""
        gpu = f"{self.gpu or 'a GPU'} (compute capability {self.compute_capability})"
        return f"{gpu}, TensorRT {self.tensorrt_version}, CUDA {self.cuda_version}"


class EngineStatus(_Part):
    """How far the plan of one build is.

    Attributes:
        build: Name of the build.
        state: ``building``: being made, or its maker was ended, see the lock; ``ready``: it is there; ``failed``.
        facts: What the plan is made from; None where a build failed before that was known.
        reason: ``building``: why it is made; ``failed``: what went wrong and what to do; else empty.
        started_at: When the work began.
        finished_at: When it ended; None while it goes on.
        attempts: How often in a row it was begun for these facts; more than once where its maker was ended meanwhile.
        plan_sha256: Of the plan, where it is ready.
        plan_size_bytes: Of the plan, where it is ready.
    """

    schema_version: Literal[1] = 1
    build: Build
    state: EngineState
    facts: EngineFacts | None = None
    reason: str = ""
    started_at: UnixSeconds
    finished_at: UnixSeconds | None = None
    attempts: int = Field(default=1, ge=1)
    plan_sha256: Sha256 | None = None
    plan_size_bytes: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _says_what_its_state_needs(self) -> Self:
        plan = (self.facts, self.plan_sha256, self.plan_size_bytes)
        if self.state == "ready" and None in plan:
            raise ValueError("facts, plan_sha256 and plan_size_bytes are needed where the state is 'ready'")
        if self.state == "failed" and not self.reason:
            raise ValueError("reason is needed where the state is 'failed'")
        if (self.state == "building") != (self.finished_at is None):
            raise ValueError("finished_at is needed where the state is not 'building', and only there")
        return self

    @property
    def key(self) -> str | None:
        """Name of the plan's folder; None where a build failed before that was known."""
        return None if self.facts is None else self.facts.key

    @property
    def started_at_text(self) -> str:
        """UTC, to the second."""
        return dt.datetime.fromtimestamp(self.started_at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plan_path(key: str) -> PurePosixPath:
    """Where a plan is, relative to the folder of engines."""
    return PurePosixPath(key, PLAN_FILE)


def status_path(build: str) -> PurePosixPath:
    """Where the status of a build is, relative to the folder of engines."""
    return PurePosixPath(STATUS_FOLDER, f"{build}.json")
