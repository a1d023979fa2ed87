import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from model_training.batches import plain_batches, training_batches, training_groups
from model_training.dataset import render_prepared, render_split
from model_training.frame_cache import FrameCache, cache_paths, data_set_hash
from model_training.frame_distribution import SPLIT_SEEDS

FRAMES = 6
RENDERS_SLOWLY = """
import sys, time
from pathlib import Path
import numpy as np
from model_training.file_lock import file_lock
images, labels = Path(sys.argv[2]).with_suffix(".npy"), Path(sys.argv[2])
with file_lock(labels.with_suffix(".lock"), wait=True):
    print("locked", flush=True)
    time.sleep(1.0)
    np.save(images, np.full((1, 320, 416, 3), 7, np.uint8))
    np.savez(labels, boxes_xyxy=np.zeros((0, 4)), classes=[], starts=[0, 0], placements=[[1, 1, 0, 0]], hard=[False])
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FrameCache:
    return render_split("samples", FRAMES, tmp_path_factory.mktemp("cache"), processes=2)


def test_a_rendered_split_holds_what_single_frames_give(cache: FrameCache) -> None:
    out = np.empty((320, 416, 3), np.uint8)
    for index in range(FRAMES):
        boxes, classes, placement, hard = render_prepared(SPLIT_SEEDS["samples"], index, out)
        assert np.array_equal(out, cache.images[index])
        assert np.array_equal(boxes, cache.labels_of(index)[0])
        assert np.array_equal(classes, cache.labels_of(index)[1])
        assert placement == pytest.approx(tuple(cache.placements[index]))
        assert hard == bool(cache.hard[index])


def test_frames_are_letterboxed_to_the_model_size(cache: FrameCache) -> None:
    assert cache.images.shape == (FRAMES, 320, 416, 3)
    assert (np.asarray(cache.images[:, :4]) == 114).all()
    assert cache.placements[0] == pytest.approx([0.325, 0.325, 0.0, 4.0])


def test_a_second_call_reads_the_cache(cache: FrameCache, tmp_path: Path) -> None:
    first = render_split("samples", 1, tmp_path, processes=1)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    second = render_split("samples", 1, tmp_path, processes=1)
    assert np.array_equal(first.images, second.images)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written


def test_who_comes_while_another_process_renders_waits_and_takes_its_frames(tmp_path: Path) -> None:
    _, labels_path = cache_paths(tmp_path, "samples", SPLIT_SEEDS["samples"], 1)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", RENDERS_SLOWLY, str(tmp_path), str(labels_path)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        taken = render_split("samples", 1, tmp_path, processes=1)
    assert other.returncode == 0
    assert (np.asarray(taken.images) == 7).all()


def test_the_hash_names_seed_and_size() -> None:
    assert data_set_hash(1, 10) == data_set_hash(1, 10)
    assert len({data_set_hash(1, 10), data_set_hash(2, 10), data_set_hash(1, 11)}) == 3


def test_the_first_frames_alone(cache: FrameCache) -> None:
    part = cache.first(4)
    assert len(part) == len(part.hard) == len(part.placements) == 4
    assert all(np.array_equal(part.labels_of(index)[0], cache.labels_of(index)[0]) for index in range(4))
    assert len(part.classes) == sum(len(cache.labels_of(index)[1]) for index in range(4))


def test_an_epoch_is_repeatable_and_epochs_differ(cache: FrameCache) -> None:
    def images(epoch: int) -> NDArray[np.uint8]:
        groups = training_groups(cache, batch_size=2, clean_share=1.0, seed=1, epoch=epoch)
        batches = training_batches(cache, groups, seed=1, epoch=epoch)
        return np.concatenate([batch.images.numpy() for batch in batches])

    assert np.array_equal(images(0), images(0))
    assert not np.array_equal(images(0), images(1))


def test_batches_without_augmentation_keep_order_and_the_rest(cache: FrameCache) -> None:
    batches = list(plain_batches(cache, batch_size=4))
    assert [len(batch.images) for batch in batches] == [4, 2]
    assert np.array_equal(batches[1].images[0].permute(1, 2, 0).numpy(), cache.images[4])
    assert int(sum(batch.valid.sum() for batch in batches)) == len(cache.classes)


def test_a_share_of_the_clean_frames_takes_part(cache: FrameCache) -> None:
    clean = set(np.nonzero(cache.starts[1:] == cache.starts[:-1])[0].tolist())
    assert 0 < len(clean) < FRAMES
    groups = training_groups(cache, batch_size=1, clean_share=0.0, seed=1, epoch=0)
    assert {int(group[0]) for group in groups} == set(range(FRAMES)) - clean


RENDER = """
import sys
from pathlib import Path
from model_training.dataset import render_split
from model_training.frame_folder import write_class_folders, write_frames
if __name__ == "__main__":
    {call}
"""


@pytest.mark.parametrize(
    "call",
    [
        "render_split('val', 2_000, Path(sys.argv[1]), processes=1)",
        "write_frames(Path(sys.argv[1]), 1, range(2_000), processes=1)",
        "write_class_folders(Path(sys.argv[1]), 1, range(2_000), processes=1)",
    ],
    ids=["cache", "coco", "classes"],
)
def test_kill_9_of_the_owner_ends_the_processes_that_render_for_it(tmp_path: Path, call: str) -> None:
    (tmp_path / "render.py").write_text(RENDER.format(call=call))
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    training = psutil.Popen([sys.executable, str(tmp_path / "render.py"), str(tmp_path)], cwd=root, env=environment)
    until = time.monotonic() + 120
    while len(children := training.children()) < 2:
        assert training.is_running()
        assert time.monotonic() < until
        time.sleep(0.05)
    training.kill()
    training.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
