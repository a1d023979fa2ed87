"""A training that went wrong, as a fact."""

from pathlib import Path
from typing import Literal


class TrainingDiverged(Exception):
    """A loss is NaN or infinite; nothing of its epoch was kept."""

    def __init__(
        self, name: str, loss: Literal["training", "validation"], value: float, *, epoch: int, rate: float, folder: Path
    ) -> None:
        """Keep what diverged, in which epoch (from 1), at which learning rate, and where the last good state lies."""
        kept = f"the state after epoch {epoch - 1} is kept in {folder}" if epoch > 1 else "no epoch was finished before"
        super().__init__(
            f"training of {name} diverged: the {loss} loss of epoch {epoch} is {value}; {kept}. Lower the learning rate"
            f" ({rate:g} now): the same command with --learning-rate-scale 0.5 before its verb goes on from there;"
            ' in a recipe: trainer.command: [outpost-train, --learning-rate-scale, "0.5"], which begins anew'
        )
        self.name, self.loss, self.value = name, loss, value
        self.epoch, self.rate, self.folder = epoch, rate, folder
