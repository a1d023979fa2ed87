"""The recipe of the demo models: how many frames and epochs, and the steps from frames to a measured ONNX file."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.training_job import TrainingJob
from model_training.atomic_file import write_atomically
from model_training.checkpoint import Checkpoint, load_checkpoint
from model_training.classifier_accuracy import evaluate_classifier
from model_training.dataset import render_split
from model_training.device import training_device
from model_training.evaluate import evaluate_model, suggest_thresholds
from model_training.export import export_network
from model_training.frame_cache import FrameCache, data_set_hash
from model_training.frame_distribution import DEFECT_CLASSES, GENERATOR_VERSION, SPLIT_SEEDS
from model_training.job import TRAIN_FRAMES, VAL_FRAMES, detection_loss, do_job
from model_training.job_folder import job_begun, sole_use
from model_training.machine_name import machine_name
from model_training.network import parameter_count
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH
from model_training.networks import CLASSIFIER, load_network, new_network
from model_training.part_classifier import PartClassifier
from model_training.part_labels import PART_LABELS
from model_training.train import Trainer, TrainingSettings
from model_training.training_task import ClassificationTask, DetectionTask
from model_training.weights_file import load_weights, save_weights

HELDOUT_FRAMES = 5000
PARAMETER_REDUCTION = 0.45
PRUNED = {"student": "distilled", "teacher": "teacher"}
"""Networks that are pruned, and the model whose weights they begin with."""
FINE_TUNING_EPOCHS = {"student": (5, None), "teacher": (6, 6)}
"""Taught by the whole network, then by the teacher at full learning rate again."""
TRAINING = {
    "parts": TrainingSettings(epochs=3, batch_size=32, learning_rate=1e-3, weight_decay=0.05, warmup_steps=100),
    "student": TrainingSettings(epochs=14),
    "teacher": TrainingSettings(epochs=12, batch_size=8, clean_share=0.35, learning_rate=1.5e-3, warmup_steps=500),
}


@dataclass(frozen=True)
class Workshop:
    """Folders of the training: `cache/` for frames, one folder for each model."""

    folder: Path

    @property
    def cache(self) -> Path:
        """Rendered frames."""
        return self.folder / "cache"

    def model(self, name: str) -> Path:
        """Folder of one model."""
        return self.folder / name

    def weights(self, name: str) -> Path:
        """What a model has learned."""
        return self.model(name) / "weights.npz"


def train_model(
    workshop: Workshop, name: str, *, epochs: int | None, train_frames: int, learning_rate_scale: float = 1.0
) -> None:
    """Render what is missing, then train or go on training; `epochs` replaces the recipe's number.

    Raises:
        FolderInUse: another process trains this model.
        TrainingDiverged: a loss is NaN or infinite.
        FileNotFoundError: the classifier begins with the distilled student, which is not there.
    """
    settings = TRAINING[name].scaled(learning_rate_scale)
    settings = settings if epochs is None else replace(settings, epochs=epochs)
    device = training_device()
    task = ClassificationTask() if name == CLASSIFIER else DetectionTask(detection_loss())
    network = new_network(name, seed=settings.seed)
    if isinstance(network, PartClassifier):
        network.begin_with(load_weights(workshop.weights("distilled")))
    with sole_use(workshop.model(name)):
        trainer = Trainer(network.to(device), name, task, settings, workshop.model(name))
        train = render_split("train", train_frames, workshop.cache)
        averaged = trainer.fit(train, render_split("val", min(VAL_FRAMES, train_frames), workshop.cache))
        save_weights(averaged.state_dict(), workshop.weights(name))


def distill_student(
    workshop: Workshop, *, epochs: int | None, train_frames: int, learning_rate_scale: float = 1.0
) -> None:
    """Let the trained student learn from the trained teacher; the result is a model of its own, `distilled`.

    Raises:
        FolderInUse: another process trains this model.
        OtherTrainingKept: the model was begun with other options or weights.
        TrainingDiverged: a loss is NaN or infinite.
        FileNotFoundError: one of them was not trained yet.
    """
    job = TrainingJob(
        action="distill",
        network="student",
        weights=workshop.weights("student"),
        teacher_network="teacher",
        teacher_weights=workshop.weights("teacher"),
        output=workshop.model("distilled"),
        epochs=epochs,
        frame_count=train_frames,
    )
    do_job(job, workshop.cache, learning_rate_scale=learning_rate_scale, keep=job.output)


def prune_model(
    workshop: Workshop, name: str, *, epochs: int | None, train_frames: int, learning_rate_scale: float = 1.0
) -> None:
    """Remove channels of a trained network and let the rest learn again; the result is the model `pruned-<name>`.

    Args:
        workshop: where the trained models are.
        name: a key of `PRUNED`.
        epochs: of each of the trainings; None takes those of the recipe.
        train_frames: what it learns from.
        learning_rate_scale: times the learning rate.

    Raises:
        FolderInUse: another process trains this model.
        OtherTrainingKept: the model was begun with other options or weights.
        TrainingDiverged: a loss is NaN or infinite.
        FileNotFoundError: the network or the teacher was not trained yet.
        NothingToPrune: so much cannot leave.
    """
    first, second = FINE_TUNING_EPOCHS[name]
    folder = workshop.model(f"pruned-{name}")
    prune = TrainingJob(
        action="prune",
        network=name,
        weights=workshop.weights(PRUNED[name]),
        parameter_reduction=PARAMETER_REDUCTION,
        output=folder / "begun" if second else folder,
        epochs=epochs or first,
        frame_count=train_frames,
    )
    begun = do_job(prune, workshop.cache, learning_rate_scale=learning_rate_scale, keep=folder)
    if second is None:
        return
    learn = TrainingJob(
        action="distill",
        network=name,
        weights=prune.output / begun.weights,
        teacher_network="teacher",
        teacher_weights=workshop.weights("teacher"),
        output=folder,
        epochs=epochs or second,
        frame_count=train_frames,
    )
    do_job(learn, workshop.cache, learning_rate_scale=learning_rate_scale, keep=folder)


def export_model(workshop: Workshop, name: str) -> Path:
    """Export the weights of a trained model; returns the ONNX file.

    Raises:
        FileNotFoundError: the model was not trained yet.
        ExportMismatch: the graph differs from the net.
    """
    path = workshop.model(name) / "model.onnx"
    for parity in export_network(load_network(network_of(name), workshop.weights(name)), path):
        print(f"batch {parity.batch}: boxes differ by {parity.boxes_px:.1e} px, scores by {parity.scores:.1e}")
    return path


def network_of(name: str) -> str:
    """The network of a model: the distilled student is a student, a pruned network takes the widths of its weights."""
    return "student" if name == "distilled" else name.removeprefix("pruned-")


def write_metrics(workshop: Workshop, name: str, *, split: str, frames: int) -> dict[str, Any]:
    """Measure the exported model and write `metrics.json`; returns its content.

    Raises:
        FileNotFoundError: the model was not trained or not exported yet.
    """
    checkpoint = load_checkpoint(workshop.model(name) / "checkpoint.pt")
    seed = SPLIT_SEEDS[split]
    metrics = {
        "model": name,
        "input_wh": [INPUT_WIDTH, INPUT_HEIGHT],
        "parameters": parameter_count(load_network(network_of(name), workshop.weights(name))),
        **_measured(workshop, name, render_split(split, frames, workshop.cache)),
        "data_set": {
            "split": split,
            "seed": seed,
            "frames": frames,
            "generator_version": GENERATOR_VERSION,
            "hash": data_set_hash(seed, frames),
        },
        "training": {
            "epochs": checkpoint.epoch,
            **_trained_on(checkpoint, job_begun(workshop.model(name))),
            "minutes": round(checkpoint.minutes, 1),
            "machine": machine_name(),
        },
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_atomically(workshop.model(name) / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    return metrics


def _trained_on(checkpoint: Checkpoint, job: TrainingJob | None) -> dict[str, Any]:
    """The frames that a network learned from; nothing where no file says it."""
    frames = checkpoint.frames
    if frames is None and job is not None:
        frames = job.frame_count or TRAIN_FRAMES
    return {} if frames is None else {"frames": frames, "data_set_hash": data_set_hash(SPLIT_SEEDS["train"], frames)}


def _measured(workshop: Workshop, name: str, cache: FrameCache) -> dict[str, Any]:
    model = workshop.model(name) / "model.onnx"
    if name == CLASSIFIER:
        return {"labels": list(PART_LABELS), "accuracy": evaluate_classifier(model, cache).report()}
    val = render_split("val", VAL_FRAMES, workshop.cache)
    return {
        "labels": list(DEFECT_CLASSES),
        "accuracy": evaluate_model(model, cache).report(),
        "suggested_thresholds": suggest_thresholds(model, val),
    }
