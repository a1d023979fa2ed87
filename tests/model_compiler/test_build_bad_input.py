"""``outpost-compile build`` with frames and weights that cannot be right: a sentence, and nothing is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import yaml

from model_compiler.__main__ import main
from tests.model_compiler.proposal.exports import resnet
from tests.model_compiler.tiny_detectors import LARGE, build

INT8 = {"variant": "int8", "backend": "onnxruntime"}


class Workplace:
    """A folder with a detector, its recipe, frames to calibrate with and others to measure on, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = build(LARGE)
        self.frames = folder / "frames"
        self.heldout = folder / "heldout"
        for place in (self.frames, self.heldout):
            for index in range(3):
                self.frame(f"{index}.png", np.random.default_rng(index).integers(0, 256, (20, 30, 3)), place)
        self.recipe: dict[str, Any] = {
            "model": "parts",
            "version": "1.0.0",
            "onnx": "model.onnx",
            "labels": ["a", "b", "c", "d", "e"],
            "calibration": {"frames": "frames", "count": 3, "allow_few_frames": True},
            "evaluation": {"frames": "heldout"},
            "targets": {"x86-cpu": {"variants": [INT8]}},
        }

    def frame(self, name: str, pixels: Any, place: Path | None = None) -> None:
        path = (place or self.frames) / name
        path.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), np.asarray(pixels, np.uint8))

    def build(self) -> int:
        onnx.save_model(self.model, self.folder / "model.onnx")
        (self.folder / "recipe.yaml").write_text(yaml.safe_dump(self.recipe))
        folders = ("--output", str(self.folder / "builds"), "--cache", str(self.folder / "cache"))
        return main(["build", str(self.folder / "recipe.yaml"), *folders])


def _empty(place: Workplace) -> None:
    (place.folder / "nothing").mkdir()
    place.recipe["calibration"] |= {"frames": "nothing"}


def _few(place: Workplace) -> None:
    place.recipe["calibration"] = {"frames": "frames"}


def _copies(place: Workplace) -> None:
    place.frame("copy.png", np.random.default_rng(0).integers(0, 256, (20, 30, 3)))
    place.recipe["calibration"]["count"] = 4


def _constant(place: Workplace) -> None:
    place.frame("lid.png", np.full((20, 30, 3), 17))
    place.recipe["calibration"]["count"] = 4


def _damaged(place: Workplace) -> None:
    whole = (place.frames / "0.png").read_bytes()
    (place.frames / "0.png").write_bytes(whole[: len(whole) // 2])


def _missing(place: Workplace) -> None:
    del place.recipe["calibration"]


def _unknown_sub_folder(place: Workplace) -> None:
    place.model = resnet(size=64)
    place.recipe |= {"task": "classification"}
    for path in place.frames.iterdir():
        path.unlink()
    for index, name in enumerate(("a", "b", "crackk")):
        place.frame(f"{name}/{index}.png", np.random.default_rng(index).integers(0, 256, (20, 30, 3)))


def _unknown_category(place: Workplace) -> None:
    images = [{"id": index, "file_name": f"{index}.png", "width": 30, "height": 20} for index in range(3)]
    boxes = [{"id": 0, "image_id": 0, "category_id": 0, "bbox": [1, 1, 5, 5]}]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 0, "name": "crackk"}]}
    (place.frames / "labels.coco.json").write_text(json.dumps(content))


def _nan_weights(place: Workplace) -> None:
    weight = next(weight for weight in place.model.graph.initializer if len(weight.dims) == 4)
    values = np.full(list(weight.dims), np.nan, np.float32)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


SPOILT_FRAMES = [
    (_empty, "nothing has 0 pictures"),
    (_few, "3 pictures are not enough for ranges"),
    (_copies, "are exact copies of others"),
    (_constant, "are of one colour"),
    (_damaged, "0.png"),
    (_missing, "needs calibration frames"),
    (_unknown_sub_folder, "'crackk' is not among the labels"),
    (_unknown_category, "'crackk'"),
]


@pytest.mark.parametrize(("spoil", "message"), [*SPOILT_FRAMES, (_nan_weights, "NaN")])
def test_it_is_said_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Workplace], None], message: str
) -> None:
    place = Workplace(tmp_path)
    spoil(place)
    assert place.build() == 1
    said = capsys.readouterr().err
    assert message in said.splitlines()[-1]
    assert "quantize" not in said
    assert not (tmp_path / "builds").exists()


@pytest.mark.parametrize(("spoil", "message"), SPOILT_FRAMES)
def test_frames_are_looked_at_before_a_trainer_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Workplace], None], message: str
) -> None:
    place = Workplace(tmp_path)
    spoil(place)
    place.recipe |= {"onnx": None, "trainer": {"command": ["no-such-trainer"], "network": "n", "weights": "w"}}
    assert place.build() == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_an_ungrafted_build_asks_for_no_labels(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    _unknown_category(place)
    place.recipe |= {"grafted": False, "evaluation": None}
    place.recipe["targets"] = {"x86-cpu": {"variants": [{"variant": "f32", "backend": "onnxruntime"}]}}
    assert place.build() == 0
