"""What counts as a picture of a folder, and what is refused."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.model_card import InputSpec
from model_compiler.errors import InputFileMissing, NoFrames, UniformFrames, UnusableFrame
from model_compiler.frame_folder import (
    contents_sha256,
    frame_digests,
    frame_paths,
    prepared_frame,
    read_frame,
    refuse_uniform_frames,
)

SAMPLES = Path(__file__).parents[2] / "samples" / "frames"
SPEC = InputSpec(width=96, height=64)


def write_picture(path: Path, *, grey: int = 100, spread: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((48, 64, 3), grey, np.uint8)
    pixels[0, 0] = grey + spread
    assert cv2.imwrite(str(path), pixels)
    return path


def test_every_format_counts_in_the_order_of_paths(tmp_path: Path) -> None:
    names = ["a/1.webp", "a/2.JPG", "a-b/1.bmp", "b.png", "c.jpeg"]
    for name in reversed(names):
        write_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "folder.jpg").mkdir()
    assert [path.relative_to(tmp_path).as_posix() for path in frame_paths(tmp_path)] == names


def test_a_missing_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing, match=r"folder of frames .*missing"):
        frame_paths(tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(NoFrames, match=r"has 0 pictures \(JPEG, PNG, WebP, BMP\)"):
        frame_paths(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture", None])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "1.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableFrame, match=r"frame .*1\.jpg: "):
        read_frame(path)


def test_a_picture_that_is_cut_short_is_named(tmp_path: Path) -> None:
    whole = min(SAMPLES.glob("*.jpg"))
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(UnusableFrame, match=r"cut\.jpg"):
        prepared_frame(path, SPEC)
    with pytest.raises(UnusableFrame, match=r"cut\.jpg"):
        refuse_uniform_frames(tmp_path, [path])


def test_frames_come_in_the_colour_order_of_the_model() -> None:
    path = min(SAMPLES.glob("*.jpg"))
    rgb, bgr = prepared_frame(path, SPEC), prepared_frame(path, SPEC, color="bgr")
    assert rgb.shape == (64, 96, 3)
    assert (rgb == bgr[..., ::-1]).all()


def test_pictures_that_show_nothing_are_counted_and_refused(tmp_path: Path) -> None:
    paths = [
        write_picture(tmp_path / "lid.png", spread=2),
        write_picture(tmp_path / "night.png", grey=0),
        write_picture(tmp_path / "speck.png", spread=3),
    ]
    with pytest.raises(UniformFrames, match=r"2 of 3 are of one colour, .*lid\.png is the first"):
        refuse_uniform_frames(tmp_path, paths)
    refuse_uniform_frames(tmp_path, paths[2:])


def test_the_hash_is_of_names_and_contents_and_not_of_the_place(tmp_path: Path) -> None:
    write_picture(tmp_path / "here" / "a" / "1.png")
    write_picture(tmp_path / "here" / "2.png", grey=50)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    here, there = (
        contents_sha256(folder, frame_digests(reversed(frame_paths(folder))))
        for folder in (tmp_path / "here", tmp_path / "there")
    )
    assert here == there
    (tmp_path / "there" / "2.png").rename(tmp_path / "there" / "3.png")
    assert contents_sha256(tmp_path / "there", frame_digests(frame_paths(tmp_path / "there"))) != here
