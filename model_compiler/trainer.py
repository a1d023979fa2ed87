"""Asks a trainer, another program, for what only it can do: export, prune, distil."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from contracts.training_job import RESULT_FILE, TrainingJob, TrainingResult
from model_compiler.errors import TrainerFailed
from model_compiler.packaging.build_directory import write_file
from model_compiler.parent_death import ending_with_parent
from model_compiler.validation_problems import problems_of

PARITY_LIMIT = 1e-4
"""Largest difference between a network and its ONNX, of scores and of boxes as a share of the input's width."""


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
        """See ``Trainer.work``; the trainer's progress and complaints go to this process's standard error.

        Raises:
            TrainerFailed: It is not installed, it failed, it left no result of this job whose files are what it says,
                or it exported something else than its network.
        """
        program = self._program()
        path = job.output / "job.json"
        write_file(path, job.model_dump_json(indent=2).encode())
        done = subprocess.run(
            ending_with_parent([program, *self._command[1:], "work", str(path)]),
            stdout=sys.stderr,
            check=False,
        )
        if done.returncode != 0:
            raise TrainerFailed(self._command, job.action, f"exit code {done.returncode}; it says why above")
        return self._checked_result(job)

    def _checked_result(self, job: TrainingJob) -> TrainingResult:
        try:
            result = TrainingResult.model_validate_json((job.output / RESULT_FILE).read_bytes())
            stated = {job.output / name: digest for name, digest in result.stated_sha256.items()}
            found = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in stated}
        except OSError as error:
            raise self._unusable(job, f"{error.filename} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            problems = "; ".join(problems_of(error, TrainingResult))
            raise self._unusable(job, f"its {RESULT_FILE} cannot be read: {problems}") from error
        if result.action != job.action:
            raise self._unusable(job, f"its {RESULT_FILE} is that of another action, {result.action!r}")
        for path, digest in stated.items():
            if found[path] != digest:
                problem = f"{path} was cut short or replaced: its sha256 is {found[path]}, {RESULT_FILE} says {digest}"
                raise self._unusable(job, problem)
        if job.action == "export":
            self._require_parity(result)
        return result

    def _require_parity(self, result: TrainingResult) -> None:
        if not result.parity:
            problem = f"{RESULT_FILE} does not say by how much the ONNX differs from the network (parity, by batch)"
            raise TrainerFailed(self._command, result.action, problem)
        for batch, difference in result.parity.items():
            if not difference <= PARITY_LIMIT:  # NaN too
                problem = f"the ONNX differs from the network by {difference:.1e} at batch {batch}"
                raise TrainerFailed(self._command, result.action, f"{problem} ({PARITY_LIMIT:.0e} is allowed)")

    def _unusable(self, job: TrainingJob, problem: str) -> TrainerFailed:
        advice = f"delete {job.output} and run the same command again, which repeats this job"
        return TrainerFailed(self._command, job.action, f"{problem}; {advice}")

    def _program(self) -> str:
        beside = Path(sys.executable).parent / self._command[0]
        found = shutil.which(self._command[0]) or (str(beside) if beside.exists() else None)
        if found is None:
            raise TrainerFailed(self._command, "start", f"there is no program {self._command[0]!r}, install it")
        return found
