"""Asks a trainer, another program, for what only it can do: export, prune, distil."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from contracts.training_job import TrainingJob, TrainingResult
from model_compiler.errors import TrainerFailed
from model_compiler.packaging.build_directory import write_file


class Trainer(Protocol):
    """Does a training job and leaves its result in the job's folder."""

    def work(self, job: TrainingJob) -> TrainingResult:
        """Do the job, or go on with it.

        Raises:
            TrainerFailed: It cannot be done; the message is the trainer's.
        """
        ...


class TrainerCommand:
    """A trainer started as ``<command> work job.json``.

    Args:
        command: Program and first arguments, for example ``outpost-train``.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def work(self, job: TrainingJob) -> TrainingResult:
        """See ``Trainer.work``; the trainer's progress and complaints go to this process's standard error."""
        program = self._program()
        path = job.output / "job.json"
        write_file(path, job.model_dump_json(indent=2).encode())
        done = subprocess.run([program, *self._command[1:], "work", str(path)], stdout=sys.stderr, check=False)
        if done.returncode != 0:
            raise TrainerFailed(self._command, job.action, f"exit code {done.returncode}; it says why above")
        try:
            return TrainingResult.model_validate(json.loads((job.output / "result.json").read_bytes()))
        except (OSError, ValueError, ValidationError) as error:
            raise TrainerFailed(self._command, job.action, f"its result.json cannot be read: {error}") from error

    def _program(self) -> str:
        beside = Path(sys.executable).parent / self._command[0]
        found = shutil.which(self._command[0]) or (str(beside) if beside.exists() else None)
        if found is None:
            raise TrainerFailed(self._command, "start", f"there is no program {self._command[0]!r}, install it")
        return found
