"""The plain model from a trainer: distilled, pruned, exported, each once."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from contracts.training_job import Action, TrainingJob
from model_compiler.errors import InputFileMissing, NotPruned
from model_compiler.recipe import TrainerSource
from model_compiler.trainer import Trainer

JobFolder = Callable[[str], Path]


def train_and_export(
    source: TrainerSource,
    seed: int,
    trainer: Trainer,
    folder_of: JobFolder,
    report: Callable[[str], None],
    *,
    pruned: bool = False,
    compared: bool = False,
) -> tuple[Path, tuple[str, ...]]:
    """Let the trainer do what the recipe asks for.

    Args:
        source: What to begin with and what to do.
        seed: Of everything random.
        trainer: Goes on with a job of the same folder that was interrupted, and answers at once for a finished one.
        folder_of: Folder of a job by what identifies it.
        report: Told what is being done.
        pruned: Whether the network with fewer channels is wanted.
        compared: Whether the whole network is made too, and the two are compared afterwards.

    Returns:
        The ONNX file, and what there is to tell.

    Raises:
        InputFileMissing: The weights are not there.
        NotPruned: What the trainer pruned is not smaller than what it had made before, and is not compared later.
        TrainerFailed: The trainer could not do it.
    """
    ready = source.prune.weights if pruned and source.prune is not None else None
    weights, notes = ready or source.weights, list[str]()
    if source.distill is not None and not source.distill.teacher_weights.is_file():
        raise InputFileMissing(source.distill.teacher_weights, "weights of the teacher")
    onnx_path, whole_count = Path(), None
    for action in ("export",) if ready is not None else _actions(source, pruned):
        if not weights.is_file():
            raise InputFileMissing(weights, "weights")
        identity = hashlib.sha256(weights.read_bytes()).hexdigest()
        job = _job(action, weights, seed, source)
        job = job.model_copy(update={"output": folder_of(_identity(job, identity, source.command))})
        report(f"{source.network}: {action}")
        result = trainer.work(job)
        if action == "prune" and not compared and whole_count is not None and result.parameter_count >= whole_count:
            raise NotPruned(result.parameter_count, whole_count)
        whole_count = result.parameter_count
        notes += (f"{action}: {result.parameter_count:,} parameters", *result.notes)
        weights = job.output / result.weights
        onnx_path = job.output / (result.onnx or "")
    return onnx_path, tuple(notes)


def _actions(source: TrainerSource, pruned: bool) -> tuple[Action, ...]:
    wanted: tuple[tuple[Action, object], ...] = (("distill", source.distill), ("prune", pruned), ("export", True))
    return tuple(action for action, section in wanted if section)


def _job(action: Action, weights: Path, seed: int, source: TrainerSource) -> TrainingJob:
    job = TrainingJob.model_construct(
        action=action,
        network=source.network,
        weights=weights.resolve(),
        output=Path(),
        seed=seed,
        frame_count=source.frame_count,
    )
    sections = {"distill": source.distill, "prune": source.prune, "export": None}
    section = sections[action]
    return TrainingJob.model_validate(
        job.model_dump() | ({} if section is None else section.model_dump(exclude={"weights"}))
    )


def _identity(job: TrainingJob, weights_sha256: str, command: tuple[str, ...]) -> str:
    facts = job.model_dump(mode="json", exclude={"output", "weights"})
    teacher = None if job.teacher_weights is None else hashlib.sha256(job.teacher_weights.read_bytes()).hexdigest()
    facts |= {"command": command, "weights_sha256": weights_sha256, "teacher_sha256": teacher}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
