"""Compiled plans of this machine on its disk: a second start loads what the first one built."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from model_compiler.packaging.build_directory import write_file

PLAN_FILE, SEAL_FILE, TIMINGS_FILE = "model.plan", "plan.json", "timings"


class _Seal(BaseModel):
    """Written last: what lies beside it is whole, and of this key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    plan_sha256: str


class PlanCache:
    """``<folder>/<key>/`` for each plan, and how fast kernels were for each kind of machine.

    A plan is derived from the ONNX of a build and can be deleted at any time.

    Args:
        folder: Made when the first plan is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> bytes | None:
        """The plan of this key; None where there is none, or it is damaged, or another's."""
        try:
            seal = _Seal.model_validate_json((self._folder / key / SEAL_FILE).read_bytes())
            plan = (self._folder / key / PLAN_FILE).read_bytes()
        except (OSError, ValidationError):
            return None
        return plan if seal == _seal(key, plan) else None

    def put(self, key: str, plan: bytes) -> None:
        """Keep a plan.

        Raises:
            OSError: The disk is full or not writable; nothing half-written is taken for a plan.
        """
        write_file(self._folder / key / PLAN_FILE, plan)
        write_file(self._folder / key / SEAL_FILE, _seal(key, plan).model_dump_json().encode())

    def timings(self, machine: str) -> bytes:
        """TensorRT's timing cache of a kind of machine, empty at first."""
        path = self._timings(machine)
        return path.read_bytes() if path.is_file() else b""

    def keep_timings(self, machine: str, data: bytes) -> None:
        """Replace it."""
        write_file(self._timings(machine), data)

    def _timings(self, machine: str) -> Path:
        return self._folder / f"{TIMINGS_FILE}-{machine}"


def _seal(key: str, plan: bytes) -> _Seal:
    return _Seal(key=key, plan_sha256=hashlib.sha256(plan).hexdigest())
