import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.errors import InputFileMissing, NoFrames, UniformFrames, UnusableFrame
from model_compiler.quantization.calibration_frames import CalibrationFrames, read_calibration_frames
from model_compiler.quantization.errors import CalibrationFramesRefused
from model_compiler.quantization.settings import QuantizationSettings
from vision.prepare import prepare_frame

SPEC = InputSpec(
    width=32, height=24, datatype="FP32", layout="NCHW", color="bgr", mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.25)
)


def picture(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (30, 50, 3), dtype=np.uint8)


def write(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        assert cv2.imwrite(str(folder / f"{index:03}.{'jpg' if index % 2 else 'png'}"), picture(index))


def read(folder: Path, **settings: object) -> CalibrationFrames:
    given = {"frames": folder, "allow_few_frames": True, "count": 10} | settings
    return read_calibration_frames(QuantizationSettings.model_validate(given), SPEC)


def test_frames_are_prepared_as_serving_prepares_them(tmp_path: Path) -> None:
    write(tmp_path, 3)
    frames = read(tmp_path)
    for path, values in zip(frames.paths, frames, strict=True):
        pixels = np.empty((24, 32, 3), np.uint8)
        prepare_frame(path.read_bytes(), input_wh=(32, 24), color="bgr", out=pixels)
        expected = (pixels / 255 - np.array(SPEC.mean)) / np.array(SPEC.std)
        assert values.dtype == np.float32
        np.testing.assert_allclose(values[0].transpose(1, 2, 0), expected, atol=1e-5)


def test_the_drawing_depends_on_the_seed_only(tmp_path: Path) -> None:
    write(tmp_path / "here" / "cracked", 12)
    write(tmp_path / "there" / "cracked", 12)
    here, there = read(tmp_path / "here"), read(tmp_path / "there")
    assert [path.name for path in here.paths] == [path.name for path in there.paths]
    assert here.sha256 == there.sha256
    assert len(here) == 10
    assert read(tmp_path / "here", seed=1).paths != here.paths


def test_the_hash_is_that_of_the_lines_of_sha256sum(tmp_path: Path) -> None:
    write(tmp_path, 2)
    lines = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(tmp_path.iterdir())
    )
    assert read(tmp_path).sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_a_missing_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing, match="folder of frames"):
        read(tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(NoFrames, match="has 0 pictures"):
        read(tmp_path)


def test_fewer_than_a_hundred_are_refused_unless_allowed(tmp_path: Path) -> None:
    write(tmp_path, 5)
    with pytest.raises(CalibrationFramesRefused, match="5 pictures are not enough"):
        read(tmp_path, allow_few_frames=False, count=100)
    assert len(read(tmp_path)) == 5


def test_copies_are_counted_and_refused(tmp_path: Path) -> None:
    write(tmp_path, 3)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes((tmp_path / "000.png").read_bytes())
    with pytest.raises(CalibrationFramesRefused, match="2 of 5 are exact copies"):
        read(tmp_path)


def test_frames_of_one_colour_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 3)
    assert cv2.imwrite(str(tmp_path / "lid.jpg"), np.full((30, 50, 3), 17, np.uint8))
    with pytest.raises(UniformFrames, match=r"1 of 4 are of one colour, .*lid\.jpg"):
        read(tmp_path)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    write(tmp_path, 2)
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "001.jpg").read_bytes()[:40])
    with pytest.raises(UnusableFrame, match=r"broken\.jpg"):
        read(tmp_path)
