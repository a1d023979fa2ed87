"""Does a teacher help? The same student, frames, steps and seed, with and without one.

Both begin with the same random weights: `python -m benchmarks.distillation`, half an hour a seed on two busy cores; it
goes on where it was interrupted.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

from model_training.allocator import keep_freed_memory
from model_training.dataset import render_split
from model_training.device import training_device
from model_training.distillation import DetectorDistillation
from model_training.evaluate import evaluate_model
from model_training.export import export_network
from model_training.frame_cache import FrameCache
from model_training.job import TRAIN_FRAMES, VAL_FRAMES, detection_loss
from model_training.machine_name import machine_name
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH
from model_training.networks import load_network, new_network
from model_training.recipe import HELDOUT_FRAMES, TRAINING
from model_training.train import Trainer
from model_training.training_task import DetectionTask, DistillationTask, TrainingTask

WEIGHTS = Path(__file__).parents[1] / "model_training" / "weights"
RESULTS = Path(__file__).parent / "results"
TEMPERATURE, ALPHA = 2.0, 0.5


@dataclass(frozen=True)
class Budget:
    """What each training may use.

    Attributes:
        frames: of the training split.
        epochs: rounds over them.
        heldout: frames that the result is measured on.
    """

    frames: int
    epochs: int
    heldout: int

    @property
    def name(self) -> str:
        """Folder of its trainings: those of another budget are others."""
        return f"{self.frames}-frames-{self.epochs}-epochs"


@dataclass(frozen=True)
class Frames:
    """What is trained, validated and measured on."""

    train: FrameCache
    val: FrameCache
    heldout: FrameCache


def main() -> None:
    """Measure every seed, and write `distillation.json`, `distillation.md` after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=3500, help="of each training (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--heldout", type=int, default=2000, help="frames to measure on (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("var/training/cache"), help="default: %(default)s")
    parser.add_argument("--folder", type=Path, default=Path("var/training/seeds"), help="default: %(default)s")
    parser.add_argument("--goals", type=Path, default=RESULTS / "models", help="folder for its line of the report")
    options = parser.parse_args()
    keep_freed_memory()
    budget = Budget(options.frames, options.epochs, options.heldout)
    frames = Frames(
        render_split("train", TRAIN_FRAMES, options.cache).first(budget.frames),
        render_split("val", VAL_FRAMES, options.cache).first(min(VAL_FRAMES, budget.frames // 8)),
        render_split("heldout", HELDOUT_FRAMES, options.cache).first(budget.heldout),
    )
    rows, folder = [], options.folder / budget.name
    for seed in range(options.seeds):
        row = {
            "seed": float(seed),
            "alone": _map50(_alone(), frames, budget, seed, folder / f"{seed}-alone"),
            "taught": _map50(_taught(), frames, budget, seed, folder / f"{seed}-taught"),
        }
        rows.append(row)
        _write(rows, budget)
        print(row, flush=True)
    _write_goal([row["taught"] - row["alone"] for row in rows], budget, options.goals)


def _alone() -> TrainingTask:
    return DetectionTask(detection_loss())


def _taught() -> TrainingTask:
    teacher = load_network("teacher", WEIGHTS / "teacher.npz").eval().to(training_device())
    distillation = DetectorDistillation((INPUT_WIDTH, INPUT_HEIGHT), training_device(), temperature=TEMPERATURE)
    return DistillationTask(teacher, detection_loss(), distillation, alpha=ALPHA)


def _map50(task: TrainingTask, frames: Frames, budget: Budget, seed: int, folder: Path) -> float:
    settings = replace(TRAINING["student"], epochs=budget.epochs, seed=seed, clean_share=0.6, warmup_steps=100)
    student = new_network("student", seed=seed).to(training_device())
    folder.mkdir(parents=True, exist_ok=True)
    trained = Trainer(student, "student", task, settings, folder).fit(frames.train, frames.val)
    export_network(trained, folder / "model.onnx")
    return evaluate_model(folder / "model.onnx", frames.heldout, resamples=2).map50


def _write(rows: list[dict[str, float]], budget: Budget) -> None:
    gains = [row["taught"] - row["alone"] for row in rows]
    facts = {"budget": vars(budget), "temperature": TEMPERATURE, "alpha": ALPHA, "machine": machine_name()}
    (RESULTS / "distillation.json").write_text(json.dumps(facts | {"seeds": rows}, indent=2) + "\n")
    command = (
        f"python -m benchmarks.distillation --seeds {len(rows)} --frames {budget.frames} --epochs {budget.epochs} "
        f"--heldout {budget.heldout}"
    )
    setting = (
        f"The student learns for {budget.epochs} rounds over {budget.frames:,} training frames, from the labels alone "
        f"and from labels and teacher (temperature {TEMPERATURE}, alpha {ALPHA}); random weights, frames, order, "
        f"augmentation and learning rate are equal. mAP50 on the first {budget.heldout:,} held-out frames. "
        f"{machine_name()}."
    )
    lines = [
        "# Distillation against training alone",
        "",
        f"`{command}`",
        "",
        setting,
        "",
        "| seed | alone | with the teacher | gain in points |",
        "|---|---|---|---|",
        *(
            f"| {row['seed']:.0f} | {row['alone']:.4f} | {row['taught']:.4f} | {100 * gain:+.2f} |"
            for row, gain in zip(rows, gains, strict=True)
        ),
        f"| mean | | | {100 * sum(gains) / len(gains):+.2f} |",
    ]
    (RESULTS / "distillation.md").write_text("\n".join(lines) + "\n")


def _write_goal(gains: list[float], budget: Budget, folder: Path) -> None:
    """One line for `outpost-compile report`: every seed has to gain."""
    each = ", ".join(f"{100 * gain:+.2f}" for gain in gains)
    goal = {
        "name": f"mAP50 that the teacher adds to the same training of the student, least of {len(gains)} seeds",
        "target": 0.0,
        "value": 100 * min(gains),
        "unit": "points",
        "at_least": True,
        "note": f"{each} on {budget.heldout:,} frames; benchmarks/results/distillation.md",
    }
    (folder / "distillation.goals.json").write_text(json.dumps([goal], indent=1) + "\n")


if __name__ == "__main__":
    main()
