"""Frames of a folder as verification takes them."""

import shutil
from pathlib import Path

import pytest

from contracts.model_card import InputSpec
from model_compiler.errors import NoFrames, UnusableFrame
from model_compiler.frame_tensors import frames_sha256, prepared_frames

SAMPLES = Path(__file__).parents[2] / "samples" / "frames"
SPEC = InputSpec(width=96, height=64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in sorted(SAMPLES.glob("*.jpg"))[:4]:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_equal_seeds_choose_equal_frames(folder: Path) -> None:
    one, two = (prepared_frames(folder, SPEC, count=3, seed=5) for _ in range(2))
    assert one.shape == (3, 64, 96, 3)
    assert (one == two).all()


def test_the_hash_is_of_the_contents(folder: Path) -> None:
    before = frames_sha256(folder, count=4, seed=0)
    assert frames_sha256(folder, count=4, seed=0) == before
    paths = sorted(folder.iterdir())
    paths[0].write_bytes(paths[-1].read_bytes())
    assert frames_sha256(folder, count=4, seed=0) != before


def test_a_damaged_frame_is_named(folder: Path) -> None:
    damaged = sorted(folder.iterdir())[2]
    damaged.write_bytes(b"no picture")
    with pytest.raises(UnusableFrame, match=damaged.name):
        prepared_frames(folder, SPEC, count=4, seed=0)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(NoFrames, match="0 pictures"):
        prepared_frames(tmp_path, SPEC, count=4, seed=0)
