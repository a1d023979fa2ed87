"""The folder of a job: what it was begun with, what it has so far, and who works in it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.training_job import RESULT_FILE, TrainingJob, TrainingResult
from model_training.atomic_file import write_atomically
from model_training.file_lock import file_lock

PRUNED_FILE, WEIGHTS_FILE, MODEL_FILE = "pruned.npz", "weights.npz", "model.onnx"
BEGUN_FILE, CHECKPOINT_FILE = "begun.json", "checkpoint.pt"
_LEARNED = (RESULT_FILE, CHECKPOINT_FILE, WEIGHTS_FILE)
_LOCK_FILE = "lock"
_PATHS = {"weights", "teacher_weights", "output"}
_WORDS = {
    "epochs": "--epochs",
    "frame_count": "--train-frames",
    "weights_sha256": "the weights that it begins with (sha256)",
    "teacher_weights_sha256": "the weights of the teacher (sha256)",
}


class FolderInUse(Exception):
    """Two trainings want to work in one folder."""

    def __init__(self, folder: Path) -> None:
        """Keep which folder."""
        super().__init__(f"another training works in {folder}: wait until it has ended, then repeat the command")
        self.folder = folder


class OtherTrainingKept(Exception):
    """A folder holds what another training learned, which is not thrown away."""

    def __init__(self, folder: Path, differences: tuple[str, ...], deleted: Path) -> None:
        """Keep the folder, what differs if that is known, and what to delete for a new beginning."""
        what = "; ".join(differences) or "what it was begun with cannot be read"
        super().__init__(
            f"{folder} holds a training that was begun otherwise ({what}); nothing was changed: repeat the command as"
            f" it was to go on with it, or delete {deleted} to begin anew"
        )
        self.folder, self.differences, self.deleted = folder, differences, deleted


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Keep other processes from training in a folder.

    Raises:
        FolderInUse: One does already.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(folder / _LOCK_FILE, wait=False))
        except BlockingIOError as error:
            raise FolderInUse(folder) from error
        yield


def begin(job: TrainingJob, *, keep: Path | None) -> None:
    """Make the job's folder, without what another job left in it.

    Args:
        job: Its paths are not part of what it is, the content of its weights is.
        keep: Refuse instead where the other job learned something, with the advice to delete this folder.

    Raises:
        OtherTrainingKept: See ``keep``; nothing was removed.
        FileNotFoundError: Weights are not there.
    """
    facts, before = _facts(job, _digests(job)), _facts_begun(job.output)
    if facts == before:
        return
    if keep is not None and any((job.output / name).exists() for name in _LEARNED):
        raise OtherTrainingKept(job.output, _differences(before or facts, facts), keep)
    for name in (*_LEARNED, PRUNED_FILE, MODEL_FILE):
        (job.output / name).unlink(missing_ok=True)
    write_atomically(job.output / BEGUN_FILE, json.dumps([job.model_dump(mode="json"), _digests(job)]).encode())


def job_begun(folder: Path) -> TrainingJob | None:
    """The job of a folder; None where there is none, or its file is damaged."""
    found = _begun(folder)
    return None if found is None else found[0]


def finished(folder: Path) -> TrainingResult | None:
    """The result in a folder; None where it, or a file that it names, is not there whole."""
    try:
        result = TrainingResult.model_validate_json((folder / RESULT_FILE).read_bytes())
        files = result.stated_sha256.items()
        whole = all(hashlib.sha256((folder / path).read_bytes()).hexdigest() == stated for path, stated in files)
    except (FileNotFoundError, ValidationError):
        return None
    return result if whole else None


def _begun(folder: Path) -> tuple[TrainingJob, list[str]] | None:
    try:
        job, digests = json.loads((folder / BEGUN_FILE).read_bytes())
        return TrainingJob.model_validate(job), list(digests)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _facts_begun(folder: Path) -> dict[str, Any] | None:
    found = _begun(folder)
    return None if found is None else _facts(*found)


def _digests(job: TrainingJob) -> list[str]:
    paths = (job.weights, job.teacher_weights)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path is not None]


def _facts(job: TrainingJob, digests: list[str]) -> dict[str, Any]:
    names = ("weights_sha256", "teacher_weights_sha256")
    return job.model_dump(mode="json", exclude=_PATHS) | dict(zip(names, digests, strict=False))


def _differences(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{_WORDS.get(name, name)}: {_shown(before.get(name))} then, {_shown(now.get(name))} now"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    )


def _shown(value: object) -> str:
    return "the recipe's" if value is None else str(value)[:12]
