import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model_training.batches import Batch
from model_training.checkpoint import load_checkpoint
from model_training.frame_cache import FrameCache
from model_training.job import detection_loss
from model_training.network import Detector
from model_training.network_settings import NetworkSettings
from model_training.schedule import learning_rate_factor
from model_training.train import Trainer, TrainingSettings
from model_training.training_diverged import TrainingDiverged
from model_training.training_task import DetectionTask

TINY = NetworkSettings("tiny", (16, 16, 16, 16, 16), (1, 1, 1, 1), (16, 16, 16), 16, 1, "relu")
SETTINGS = TrainingSettings(epochs=3, batch_size=2, warmup_steps=2)


@pytest.fixture(scope="module")
def cache() -> FrameCache:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (4, 320, 416, 3)).astype(np.uint8)
    boxes = np.array([[40, 40, 90, 80], [200, 100, 260, 190], [30, 200, 60, 230]], np.float32)
    return FrameCache(
        images=images,
        boxes_xyxy=boxes,
        classes=np.array([0, 3, 5]),
        starts=np.array([0, 1, 1, 3, 3]),
        placements=np.tile([0.325, 0.325, 0.0, 4.0], (4, 1)),
        hard=np.zeros(4, np.bool_),
    )


def trainer_in(
    folder: Path, settings: TrainingSettings = SETTINGS, clock: Callable[[], float] = time.monotonic
) -> Trainer:
    torch.manual_seed(settings.seed)
    return Trainer(Detector(TINY, 6), TINY.name, DetectionTask(detection_loss()), settings, folder, clock=clock)


class Killed(Exception):
    pass


class ClockThatKills:
    """Stops the training at its n-th reading, as a kill would: without a chance to clean up."""

    def __init__(self, readings: int) -> None:
        self._left = readings

    def __call__(self) -> float:
        self._left -= 1
        if self._left < 0:
            raise Killed
        return 0.0


def test_a_killed_training_goes_on_where_its_checkpoint_stands(cache: FrameCache, tmp_path: Path) -> None:
    whole = trainer_in(tmp_path / "whole")
    whole.fit(cache, cache)
    killed = trainer_in(tmp_path / "killed", clock=ClockThatKills(4))
    with pytest.raises(Killed):
        killed.fit(cache, cache)
    again = trainer_in(tmp_path / "killed")
    assert again.finished_epochs == 2
    again.fit(cache, cache)
    assert again.finished_epochs == 3
    losses = [[row["train_loss"] for row in trainer.history] for trainer in (whole, again)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_a_run_leaves_checkpoint_table_and_plot(cache: FrameCache, tmp_path: Path) -> None:
    trainer_in(tmp_path, replace(SETTINGS, epochs=1)).fit(cache, cache)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt", "losses.csv", "losses.png"}
    assert (tmp_path / "losses.csv").read_text().splitlines()[0] == "epoch,train_loss,val_loss,minutes"
    assert (tmp_path / "losses.png").read_bytes()[:4] == b"\x89PNG"
    checkpoint = load_checkpoint(tmp_path / "checkpoint.pt")
    assert checkpoint.epoch == 1
    assert all(torch.isfinite(value).all() for value in checkpoint.average.values())


def test_a_half_written_checkpoint_is_never_read(cache: FrameCache, tmp_path: Path) -> None:
    trainer_in(tmp_path, replace(SETTINGS, epochs=1)).fit(cache, cache)
    (tmp_path / "checkpoint.tmp").write_bytes(b"half a file")
    assert trainer_in(tmp_path).finished_epochs == 1


def test_a_finished_training_is_not_repeated(cache: FrameCache, tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=1)
    trainer_in(tmp_path, settings).fit(cache, cache)
    written = (tmp_path / "checkpoint.pt").stat().st_mtime_ns
    trainer_in(tmp_path, settings).fit(cache, cache)
    assert (tmp_path / "checkpoint.pt").stat().st_mtime_ns == written


class WorseningTask:
    """Learns nothing; its validation loss is given."""

    def __init__(self, validation_losses: list[float]) -> None:
        self._losses = iter(validation_losses)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        if torch.is_grad_enabled():
            return sum((parameter.sum() for parameter in model.parameters()), torch.zeros(()))
        return torch.tensor(next(self._losses))


def test_the_best_epoch_is_kept_and_patience_ends(cache: FrameCache, tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=9, patience=2)
    begun = Trainer(nn.Conv2d(3, 2, 1), "toy", WorseningTask([3.0]), replace(settings, epochs=1), tmp_path)
    begun.fit(cache, cache)
    trainer = Trainer(nn.Conv2d(3, 2, 1), "toy", WorseningTask([1.0, 2.0, 1.5]), settings, tmp_path)
    best = trainer.fit(cache, cache)
    assert [row["val_loss"] for row in trainer.history] == [3.0, 1.0, 2.0, 1.5]
    checkpoint = load_checkpoint(tmp_path / "checkpoint.pt")
    assert torch.equal(best.state_dict()["weight"], checkpoint.best["weight"])
    assert not torch.equal(checkpoint.best["weight"], checkpoint.average["weight"])


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_validation_loss_that_is_no_number_is_never_the_best(cache: FrameCache, tmp_path: Path, wrong: float) -> None:
    trainer = Trainer(nn.Conv2d(3, 2, 1), "toy", WorseningTask([wrong]), SETTINGS, tmp_path)
    with pytest.raises(TrainingDiverged, match=r"the validation loss of epoch 1 is (nan|inf); no epoch was finished"):
        trainer.fit(cache, cache)
    assert trainer.history == []
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_last_good_epoch_stays_when_a_training_diverges(cache: FrameCache, tmp_path: Path) -> None:
    trainer = Trainer(nn.Conv2d(3, 2, 1), "toy", WorseningTask([3.0, math.nan]), SETTINGS, tmp_path)
    with pytest.raises(TrainingDiverged, match="the state after epoch 1 is kept in") as caught:
        trainer.fit(cache, cache)
    assert (caught.value.epoch, caught.value.loss, caught.value.rate) == (2, "validation", SETTINGS.learning_rate)
    checkpoint = load_checkpoint(tmp_path / "checkpoint.pt")
    assert [row["val_loss"] for row in checkpoint.history] == [3.0]
    slower = Trainer(nn.Conv2d(3, 2, 1), "toy", WorseningTask([2.0, 1.0]), SETTINGS.scaled(0.5), tmp_path)
    slower.fit(cache, cache)
    assert [row["val_loss"] for row in slower.history] == [3.0, 2.0, 1.0]


class ExplodingTask:
    """Its training loss is infinite."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return sum((parameter.sum() for parameter in model.parameters()), torch.zeros(())) * math.inf


def test_a_training_loss_that_is_no_number_ends_it_at_once(cache: FrameCache, tmp_path: Path) -> None:
    trainer = Trainer(nn.Conv2d(3, 2, 1), "toy", ExplodingTask(), SETTINGS, tmp_path)
    with pytest.raises(TrainingDiverged, match="the training loss of epoch 1"):
        trainer.fit(cache, cache)
    assert list(tmp_path.iterdir()) == []


def test_the_learning_rate_warms_up_and_falls() -> None:
    factors = [learning_rate_factor(step, 100, 10) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9] == 1.0
    assert factors[55] == pytest.approx(0.02 + 0.98 * (1 + math.cos(math.pi / 2)) / 2)
    assert factors[100] == pytest.approx(0.02)
