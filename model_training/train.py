"""The training loop: resumable after any kill, one checkpoint an epoch."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from model_training.batches import Batch, plain_batches, training_batches, training_groups
from model_training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model_training.frame_cache import FrameCache
from model_training.frame_distribution import DEFECT_CLASSES
from model_training.loss import DetectionLoss, LossParts
from model_training.loss_history import plot_losses, write_losses_csv
from model_training.network import Detector
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH, NetworkSettings
from model_training.schedule import learning_rate_factor, update_average


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how fast a net learns.

    Attributes:
        epochs: rounds over the frames.
        batch_size: frames a step.
        clean_share: share of the frames without defects that takes part in an epoch: they teach less and cost as much.
        learning_rate: of AdamW, after the warm-up.
        weight_decay: of the convolutions.
        warmup_steps: steps of the linear warm-up.
        gradient_limit: largest norm of the gradient.
        seed: of weights, order and augmentation.
    """

    epochs: int
    batch_size: int = 16
    clean_share: float = 1.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    gradient_limit: float = 10.0
    seed: int = 7


class Trainer:
    """One training in one folder, which holds `checkpoint.pt`, `losses.csv` and `losses.png`."""

    def __init__(
        self,
        network: NetworkSettings,
        settings: TrainingSettings,
        folder: Path,
        *,
        device: torch.device | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build the net from its seed, or go on from the checkpoint in the folder."""
        torch.manual_seed(settings.seed)
        self._network, self._settings, self._folder, self._clock = network, settings, folder, clock
        self._device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = Detector(network, len(DEFECT_CLASSES)).to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = copy.deepcopy(self._model).eval()
        self._optimizer = torch.optim.AdamW(_parameter_groups(self._model, settings), lr=settings.learning_rate)
        self._loss = DetectionLoss((INPUT_WIDTH, INPUT_HEIGHT), self._device)
        self._epoch, self._minutes = 0, 0.0
        self._history: list[dict[str, float]] = []
        if (folder / "checkpoint.pt").exists():
            self._restore(load_checkpoint(folder / "checkpoint.pt"))

    @property
    def finished_epochs(self) -> int:
        """Number of epochs done, those before a restart included."""
        return self._epoch

    @property
    def history(self) -> list[dict[str, float]]:
        """One row an epoch."""
        return list(self._history)

    def fit(self, train: FrameCache, val: FrameCache) -> Detector:
        """Train the epochs that are left and return the averaged net."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            while self._epoch < self._settings.epochs:
                started = self._clock()
                task = progress.add_task(f"epoch {self._epoch + 1}/{self._settings.epochs}")
                trained = self._train_epoch(train, partial(_show, progress, task))
                validated = self._validate(val)
                self._minutes += (self._clock() - started) / 60
                self._finish_epoch(trained, validated)
                progress.console.print(
                    f"epoch {self._epoch}: train {trained:.3f}, validation {validated:.3f}, {self._minutes:.1f} min"
                )
        averaged: Detector = self._average
        return averaged

    def _train_epoch(self, cache: FrameCache, report: Callable[[int, int], None]) -> float:
        settings = self._settings
        groups = training_groups(
            cache,
            batch_size=settings.batch_size,
            clean_share=settings.clean_share,
            seed=settings.seed,
            epoch=self._epoch,
        )
        steps, total = len(groups), 0.0
        self._model.train()
        for number, batch in enumerate(training_batches(cache, groups, seed=settings.seed, epoch=self._epoch)):
            # Epochs differ by a few batches when clean frames are drawn; the schedule does not notice.
            step = self._epoch * steps + number
            factor = learning_rate_factor(step, settings.epochs * steps, settings.warmup_steps)
            for group in self._optimizer.param_groups:
                group["lr"] = settings.learning_rate * factor
            parts = self._forward(self._model, batch)
            self._optimizer.zero_grad(set_to_none=True)
            parts.total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), settings.gradient_limit)
            self._optimizer.step()
            update_average(self._average, self._model, step)
            total += float(parts.total.detach())
            report(number + 1, steps)
        return total / steps

    @torch.no_grad()
    def _validate(self, cache: FrameCache) -> float:
        losses = [float(self._forward(self._average, batch).total) for batch in plain_batches(cache, batch_size=16)]
        return sum(losses) / max(1, len(losses))

    def _forward(self, model: Detector, batch: Batch) -> LossParts:
        batch = batch.to(self._device)
        images = batch.images.to(memory_format=torch.channels_last).float() / 255.0
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            distances, logits = model(images)
        return self._loss(distances, logits, batch.boxes_xyxy, batch.classes, batch.valid)

    def _finish_epoch(self, trained: float, validated: float) -> None:
        self._epoch += 1
        row = {"epoch": float(self._epoch), "train_loss": trained, "val_loss": validated, "minutes": self._minutes}
        self._history.append(row)
        save_checkpoint(
            Checkpoint(
                network=self._network.name,
                epoch=self._epoch,
                minutes=self._minutes,
                model=self._model.state_dict(),
                average=self._average.state_dict(),
                optimizer=self._optimizer.state_dict(),
                history=self._history,
            ),
            self._folder / "checkpoint.pt",
        )
        write_losses_csv(self._history, self._folder / "losses.csv")
        plot_losses(self._history, self._folder / "losses.png", f"{self._network.name}: loss per epoch")

    def _restore(self, checkpoint: Checkpoint) -> None:
        self._model.load_state_dict(checkpoint.model)
        self._average.load_state_dict(checkpoint.average)
        self._optimizer.load_state_dict(checkpoint.optimizer)
        self._epoch, self._minutes = checkpoint.epoch, checkpoint.minutes
        self._history = list(checkpoint.history)


def _show(progress: Progress, task: TaskID, step: int, total: int) -> None:
    progress.update(task, completed=step, total=total)


def _parameter_groups(model: Detector, settings: TrainingSettings) -> list[dict[str, object]]:
    """Weight decay acts on convolutions only, not on biases and norms."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
