"""The training loop: resumable after any kill, one checkpoint an epoch."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import nn

from model_training.batches import plain_batches, training_batches, training_groups
from model_training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model_training.frame_cache import FrameCache
from model_training.loss_history import plot_losses, write_losses_csv
from model_training.schedule import learning_rate_factor, update_average
from model_training.training_diverged import TrainingDiverged
from model_training.training_task import TrainingTask


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
        patience: epochs without a better validation loss after which it stops early; None never does.
        seed: of weights, order and augmentation.
    """

    epochs: int
    batch_size: int = 16
    clean_share: float = 1.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    gradient_limit: float = 10.0
    patience: int | None = None
    seed: int = 7

    def scaled(self, scale: float) -> "TrainingSettings":
        """These settings with a learning rate times ``scale``."""
        return replace(self, learning_rate=self.learning_rate * scale)


class Trainer:
    """One training in one folder, which holds `checkpoint.pt`, `losses.csv` and `losses.png`."""

    def __init__(
        self,
        model: nn.Module,
        name: str,
        task: TrainingTask,
        settings: TrainingSettings,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the model as it is, on its device, or go on from the checkpoint in the folder."""
        torch.manual_seed(settings.seed)
        self._name, self._task, self._settings, self._folder, self._clock = name, task, settings, folder, clock
        self._device = next(model.parameters()).device
        self._model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = copy.deepcopy(self._model).eval()
        self._optimizer = torch.optim.AdamW(_parameter_groups(self._model, settings), lr=settings.learning_rate)
        self._epoch, self._minutes = 0, 0.0
        self._history: list[dict[str, float]] = []
        self._best: dict[str, Any] = {}
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

    def fit(self, train: FrameCache, val: FrameCache) -> nn.Module:
        """Train the epochs that are left; returns the averaged net after the epoch with the lowest validation loss.

        Raises:
            TrainingDiverged: A loss is NaN or infinite; the checkpoint is that of the epoch before.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            while self._epoch < self._settings.epochs and not self._stands_still():
                started = self._clock()
                task = progress.add_task(f"epoch {self._epoch + 1}/{self._settings.epochs}")
                trained = self._train_epoch(train, partial(_show, progress, task))
                validated = self._validate(val)
                self._minutes += (self._clock() - started) / 60
                self._finish_epoch(trained, validated, len(train))
                progress.console.print(
                    f"epoch {self._epoch}: train {trained:.3f}, validation {validated:.3f}, {self._minutes:.1f} min"
                )
        best: nn.Module = copy.deepcopy(self._average)
        best.load_state_dict(self._best)
        return best

    @property
    def minutes(self) -> float:
        """Training time so far, those before a restart included."""
        return self._minutes

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
            loss = self._task.loss(self._model, batch.to(self._device))
            total += self._finite("training", float(loss.detach()))
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), settings.gradient_limit)
            self._optimizer.step()
            update_average(self._average, self._model, step)
            report(number + 1, steps)
        return total / steps

    @torch.no_grad()
    def _validate(self, cache: FrameCache) -> float:
        batches = plain_batches(cache, batch_size=16)
        losses = [float(self._task.loss(self._average, batch.to(self._device))) for batch in batches]
        return self._finite("validation", sum(losses) / max(1, len(losses)))

    def _finite(self, loss: Literal["training", "validation"], value: float) -> float:
        if math.isfinite(value):
            return value
        rate = self._settings.learning_rate
        raise TrainingDiverged(self._name, loss, value, epoch=self._epoch + 1, rate=rate, folder=self._folder)

    def _stands_still(self) -> bool:
        if self._settings.patience is None or not self._history:
            return False
        losses = [row["val_loss"] for row in self._history]
        return len(losses) - 1 - losses.index(min(losses)) >= self._settings.patience

    def _finish_epoch(self, trained: float, validated: float, frames: int) -> None:
        self._epoch += 1
        if all(validated < row["val_loss"] for row in self._history):
            self._best = copy.deepcopy(self._average.state_dict())
        row = {"epoch": float(self._epoch), "train_loss": trained, "val_loss": validated, "minutes": self._minutes}
        self._history.append(row)
        save_checkpoint(
            Checkpoint(
                network=self._name,
                epoch=self._epoch,
                minutes=self._minutes,
                model=self._model.state_dict(),
                average=self._average.state_dict(),
                best=self._best,
                optimizer=self._optimizer.state_dict(),
                history=self._history,
                frames=frames,
            ),
            self._folder / "checkpoint.pt",
        )
        write_losses_csv(self._history, self._folder / "losses.csv")
        plot_losses(self._history, self._folder / "losses.png", f"{self._name}: loss per epoch")

    def _restore(self, checkpoint: Checkpoint) -> None:
        self._model.load_state_dict(checkpoint.model)
        self._average.load_state_dict(checkpoint.average)
        self._best = checkpoint.best
        self._optimizer.load_state_dict(checkpoint.optimizer)
        self._epoch, self._minutes = checkpoint.epoch, checkpoint.minutes
        self._history = list(checkpoint.history)


def _show(progress: Progress, task: TaskID, step: int, total: int) -> None:
    progress.update(task, completed=step, total=total)


def _parameter_groups(model: nn.Module, settings: TrainingSettings) -> list[dict[str, object]]:
    """Weight decay acts on convolutions only, not on biases and norms."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
