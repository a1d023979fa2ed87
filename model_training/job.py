"""Jobs from files: what the compiler asks for and cannot do itself."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import nn

from contracts.training_job import RESULT_FILE, TrainingJob, TrainingResult
from model_training.atomic_file import write_atomically
from model_training.dataset import render_split
from model_training.device import training_device
from model_training.distillation import DetectorDistillation
from model_training.export import export_network
from model_training.job_folder import MODEL_FILE, PRUNED_FILE, WEIGHTS_FILE, begin, finished, sole_use
from model_training.loss import DetectionLoss
from model_training.network import Detector, parameter_count
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH
from model_training.networks import load_network
from model_training.pruning import prune_network
from model_training.train import Trainer, TrainingSettings
from model_training.training_task import ClassifierDistillationTask, DistillationTask, TrainingTask
from model_training.weights_file import save_weights

TRAIN_FRAMES, VAL_FRAMES = 7000, 400
FINE_TUNING = TrainingSettings(epochs=4, clean_share=0.6, learning_rate=1e-3, warmup_steps=100, patience=3)
DISTILLATION = TrainingSettings(epochs=36, clean_share=0.6, learning_rate=1.5e-3, warmup_steps=200)


class JobUnreadable(Exception):
    """A file is not a job."""

    def __init__(self, path: Path, problem: str) -> None:
        """Keep which file and why."""
        super().__init__(f"job {path}: {problem}")
        self.path, self.problem = path, problem


class TeacherOfAnotherKind(Exception):
    """A detector cannot learn from a classifier, nor a classifier from a detector."""

    def __init__(self, network: str, teacher: str) -> None:
        """Keep both names."""
        super().__init__(f"{network!r} cannot learn from {teacher!r}: one is a detector, the other a classifier")
        self.network, self.teacher = network, teacher


def read_job(path: Path) -> TrainingJob:
    """Read a job.

    Raises:
        FileNotFoundError: There is no such file.
        JobUnreadable: It is something else.
    """
    try:
        return TrainingJob.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise JobUnreadable(path, f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from error


def do_job(
    job: TrainingJob, cache: Path, *, learning_rate_scale: float = 1.0, keep: Path | None = None
) -> TrainingResult:
    """Do a job, or go on with it; a finished one is not repeated, unless its result or a file of it is damaged.

    Args:
        job: What to do; its folder gets `result.json` last, when all is done. What another job left there, or the same
            one with other weights, is removed.
        cache: Folder of rendered frames.
        learning_rate_scale: Times the learning rate of the training that is left.
        keep: What another job learned there is not removed but refused, with the advice to delete this folder.

    Raises:
        FolderInUse: Another process works in the job's folder.
        OtherTrainingKept: See ``keep``.
        TrainingDiverged: A loss is NaN or infinite.
        FileNotFoundError: Weights are not there.
        WeightsUnreadable: They are of another network.
        NothingToPrune: So much cannot leave.
        TeacherOfAnotherKind: A detector and a classifier.
    """
    with sole_use(job.output):
        begin(job, keep=keep)
        done = finished(job.output)
        if done is not None:
            return done
        result = {"export": _export, "prune": _prune, "distill": _distill}[job.action](job, cache, learning_rate_scale)
        write_atomically(job.output / RESULT_FILE, result.model_dump_json(indent=2).encode() + b"\n")
        return result


def _export(job: TrainingJob, _: Path, __: float) -> TrainingResult:
    network = load_network(job.network, job.weights)
    path = job.output / MODEL_FILE
    parities = export_network(network, path)
    return TrainingResult(
        action=job.action,
        weights=job.weights.resolve(),
        weights_sha256=hashlib.sha256(job.weights.read_bytes()).hexdigest(),
        parameter_count=parameter_count(network),
        onnx=Path(MODEL_FILE),
        onnx_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        parity={parity.batch: parity.largest for parity in parities},
        notes=tuple(f"differs from PyTorch by {each.largest:.1e} at batch {each.batch}" for each in parities),
    )


def _prune(job: TrainingJob, cache: Path, learning_rate_scale: float) -> TrainingResult:
    original = load_network(job.network, job.weights)
    pruned = job.output / PRUNED_FILE
    if not pruned.exists():
        save_weights(prune_network(original, job.parameter_reduction or 0.0).network.state_dict(), pruned)
    network = load_network(job.network, pruned)
    removed = 1 - parameter_count(network) / parameter_count(original)
    note = f"{removed:.1%} of {parameter_count(original):,} parameters removed; the rest learned from the whole network"
    settings = FINE_TUNING.scaled(learning_rate_scale)
    return _trained(job, cache, network, _distillation_task(job, network, original), settings, note)


def _distill(job: TrainingJob, cache: Path, learning_rate_scale: float) -> TrainingResult:
    network = load_network(job.network, job.weights)
    teacher_name = job.teacher_network or ""
    teacher = load_network(teacher_name, job.teacher_weights or Path())
    if isinstance(network, Detector) != isinstance(teacher, Detector):
        raise TeacherOfAnotherKind(job.network, teacher_name)
    note = f"learned from {teacher_name} at temperature {job.temperature}, alpha {job.alpha}"
    settings = DISTILLATION.scaled(learning_rate_scale)
    return _trained(job, cache, network, _distillation_task(job, network, teacher), settings, note)


def _distillation_task(job: TrainingJob, network: nn.Module, teacher: nn.Module) -> TrainingTask:
    device = training_device()
    placed: nn.Module = teacher.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not isinstance(network, Detector):
        return ClassifierDistillationTask(placed, temperature=job.temperature, alpha=job.alpha)
    distillation = DetectorDistillation((INPUT_WIDTH, INPUT_HEIGHT), device, temperature=job.temperature)
    return DistillationTask(placed, detection_loss(), distillation, alpha=job.alpha)


def _trained(
    job: TrainingJob, cache: Path, network: nn.Module, task: TrainingTask, settings: TrainingSettings, note: str
) -> TrainingResult:
    """Train the network on, in the job's folder, and keep its averaged weights."""
    chosen = replace(settings, seed=job.seed, epochs=job.epochs or settings.epochs)
    trainer = Trainer(network.to(training_device()), job.network, task, chosen, job.output)
    frames = job.frame_count or TRAIN_FRAMES
    val = render_split("val", min(VAL_FRAMES, frames), cache)
    averaged = trainer.fit(render_split("train", frames, cache), val)
    digest = save_weights(averaged.state_dict(), job.output / WEIGHTS_FILE)
    best = min(row["val_loss"] for row in trainer.history)
    losses = (
        f"lowest validation loss {best:.3f} in {trainer.finished_epochs} epochs, learning rate {chosen.learning_rate:g}"
    )
    return TrainingResult(
        action=job.action,
        weights=Path(WEIGHTS_FILE),
        weights_sha256=digest,
        parameter_count=parameter_count(averaged),
        minutes=trainer.minutes,
        notes=(note, losses),
    )


def detection_loss() -> DetectionLoss:
    """The loss of a detector of the demo's input size."""
    return DetectionLoss((INPUT_WIDTH, INPUT_HEIGHT), training_device())
