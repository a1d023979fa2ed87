"""The state of a training on disk, replaced atomically after each epoch."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from model_training.atomic_file import write_atomically


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a killed training needs to go on.

    Attributes:
        network: name of the network settings.
        epoch: number of finished epochs.
        minutes: training time so far.
        model, average, best, optimizer: state dictionaries of the net, its moving average, that average after the epoch
            with the lowest validation loss, and the optimizer.
        history: one row an epoch: column name to value.
        frames: what it learns from; None in files that do not say it.
    """

    network: str
    epoch: int
    minutes: float
    model: dict[str, Any]
    average: dict[str, Any]
    best: dict[str, Any]
    optimizer: dict[str, Any]
    history: list[dict[str, float]]
    frames: int | None = None


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Replace the file: a kill at any moment leaves one whole file."""
    content = io.BytesIO()
    torch.save(vars(checkpoint), content)
    write_atomically(path, content.getvalue())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; only tensors and plain values are accepted.

    Raises:
        FileNotFoundError: there is none.
    """
    return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
