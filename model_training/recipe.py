"""The recipe of the demo models: how many frames and epochs, and the steps from frames to a measured ONNX file."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_training.checkpoint import load_checkpoint
from model_training.dataset import render_split
from model_training.evaluate import evaluate_model, suggest_thresholds
from model_training.export import export_detector
from model_training.frame_cache import data_set_hash
from model_training.frame_distribution import DEFECT_CLASSES, GENERATOR_VERSION, SPLIT_SEEDS
from model_training.machine_name import machine_name
from model_training.network import Detector, parameter_count
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH, NETWORKS
from model_training.train import Trainer, TrainingSettings

TRAIN_FRAMES = 7000
VAL_FRAMES = 400
HELDOUT_FRAMES = 5000
TRAINING = {
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


def train_model(workshop: Workshop, name: str, *, epochs: int | None, train_frames: int) -> None:
    """Render what is missing, then train or go on training; `epochs` replaces the recipe's number."""
    settings = TRAINING[name] if epochs is None else replace(TRAINING[name], epochs=epochs)
    trainer = Trainer(NETWORKS[name], settings, workshop.model(name))
    train = render_split("train", train_frames, workshop.cache)
    trainer.fit(train, render_split("val", VAL_FRAMES, workshop.cache))


def export_model(workshop: Workshop, name: str) -> Path:
    """Export the averaged weights of the last checkpoint; returns the ONNX file.

    Raises:
        FileNotFoundError: the model was not trained yet.
        ExportMismatch: the graph differs from the net.
    """
    checkpoint = load_checkpoint(workshop.model(name) / "checkpoint.pt")
    detector = Detector(NETWORKS[checkpoint.network], len(DEFECT_CLASSES))
    detector.load_state_dict(checkpoint.average)
    path = workshop.model(name) / "model.onnx"
    for parity in export_detector(detector, path):
        print(f"batch {parity.batch}: boxes differ by {parity.boxes_px:.1e} px, scores by {parity.scores:.1e}")
    return path


def write_metrics(workshop: Workshop, name: str, *, split: str, frames: int, train_frames: int) -> dict[str, Any]:
    """Measure the exported model and write `metrics.json`; returns its content.

    Raises:
        FileNotFoundError: the model was not trained or not exported yet.
    """
    checkpoint = load_checkpoint(workshop.model(name) / "checkpoint.pt")
    cache = render_split(split, frames, workshop.cache)
    accuracy = evaluate_model(workshop.model(name) / "model.onnx", cache)
    seed = SPLIT_SEEDS[split]
    metrics = {
        "model": name,
        "labels": list(DEFECT_CLASSES),
        "input_wh": [INPUT_WIDTH, INPUT_HEIGHT],
        "parameters": parameter_count(Detector(NETWORKS[name], len(DEFECT_CLASSES))),
        "accuracy": accuracy.report(),
        "suggested_thresholds": suggest_thresholds(
            workshop.model(name) / "model.onnx", render_split("val", VAL_FRAMES, workshop.cache)
        ),
        "data_set": {
            "split": split,
            "seed": seed,
            "frames": frames,
            "generator_version": GENERATOR_VERSION,
            "hash": data_set_hash(seed, frames),
        },
        "training": {
            "epochs": checkpoint.epoch,
            "frames": train_frames,
            "data_set_hash": data_set_hash(SPLIT_SEEDS["train"], train_frames),
            "minutes": round(checkpoint.minutes, 1),
            "machine": machine_name(),
        },
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (workshop.model(name) / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics
