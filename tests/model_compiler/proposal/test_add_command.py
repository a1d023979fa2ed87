"""``outpost-compile add`` from the file to the build."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import yaml

from contracts.build_manifest import CARD_FILE
from contracts.model_card import ModelCard
from model_compiler.__main__ import main
from model_compiler.commands.add import goes_on
from model_compiler.packaging.build_directory import verify_build
from model_compiler.recipe_file import read_recipe
from tests.model_compiler.proposal.exports import DETECT_NOTES, efficientnet, resnet, yolov5, yolov8
from tests.model_compiler.small_graphs import graph, node

Add = Callable[..., int]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Saves a model (or bytes) and adds it with these options."""

    def run(model: onnx.ModelProto | bytes, *options: str, file: str = "parts.onnx") -> int:
        data = model if isinstance(model, bytes) else model.SerializeToString()
        (tmp_path / file).write_bytes(data)
        folders = ("--output", str(tmp_path / "builds"), "--cache", str(tmp_path / "cache"))
        return main(["add", str(tmp_path / file), "--name", "parts", "--for", "x86-cpu", *folders, *options])

    return run


def card_of(folder: Path, name: str = "parts-1.0.0_x86-cpu") -> ModelCard:
    verify_build(folder / "builds" / name)
    return ModelCard.model_validate_json((folder / "builds" / name / CARD_FILE).read_bytes())


def write_labels(folder: Path, *names: str) -> str:
    (folder / "labels.txt").write_text("\n".join(names) + "\n")
    return str(folder / "labels.txt")


@pytest.mark.parametrize(
    ("model", "size", "batched"),
    [
        (yolov8(), 640, False),
        (yolov8(size=160, batch="batch", notes=DETECT_NOTES), 160, True),
        (yolov5(size=160), 160, False),
        (yolov5(batch="batch"), 640, True),
    ],
    ids=["yolov8", "yolov8-dynamic", "yolov5", "yolov5-dynamic"],
)
def test_detectors_become_builds(add: Add, tmp_path: Path, model: onnx.ModelProto, size: int, batched: bool) -> None:
    assert add(model, "--labels", write_labels(tmp_path, "pit", "crack", "dent")) == 0
    card = card_of(tmp_path)
    assert (card.task, card.labels) == ("detection", ("pit", "crack", "dent"))
    assert (card.input.shape, card.input.mode, card.output.decoder) == ((1, size, size, 3), "letterbox", "candidates")
    config = (tmp_path / "builds" / "parts-1.0.0_x86-cpu" / "config.pbtxt").read_text()
    assert ("max_batch_size: 4" in config) == batched


@pytest.mark.parametrize("model", [resnet(), efficientnet()], ids=["resnet", "efficientnet"])
def test_classifiers_become_builds(
    add: Add, tmp_path: Path, model: onnx.ModelProto, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(model) == 0
    card = card_of(tmp_path)
    assert (card.task, card.input.mode, card.output.decoder) == ("classification", "crop", "probabilities")
    assert card.input.mean == (0.485, 0.456, 0.406)
    said = capsys.readouterr().out
    assert "those of ImageNet, which torchvision and timm use; otherwise --mean --std" in " ".join(said.split())
    recipe = (tmp_path / "parts.yaml").read_text()
    assert recipe.startswith("# Proposed by `outpost-compile add`.")
    assert "#   fit: crop (" in recipe
    assert read_recipe(tmp_path / "parts.yaml").onnx == tmp_path / "parts.onnx"


def test_an_ungrafted_build_keeps_the_tensors_of_the_model(add: Add, tmp_path: Path) -> None:
    assert add(resnet(as_map=True, size=64), "--ungrafted", "--version", "2.1.0") == 0
    card = card_of(tmp_path, "parts-2.1.0_x86-cpu")
    assert (card.input.name, card.input.datatype, card.output.decoder) == ("images", "FP32", "logits")


def test_what_is_given_wins_over_what_is_assumed(add: Add, tmp_path: Path) -> None:
    model = yolov8(batch="n", open_size=True, size=160)
    options = "--size 160x160 --fit stretch --color bgr --scale 0.004 --mean 0.1 0.2 0.3 --std 0.8 0.9 1"
    assert (
        add(
            model,
            *options.split(),
            "--head",
            "yolo11",
            "--task",
            "detection",
            "--recipe",
            str(tmp_path / "recipes" / "own.yaml"),
        )
        == 0
    )
    recipe = yaml.safe_load((tmp_path / "recipes" / "own.yaml").read_text())
    assert recipe["onnx"] == "../parts.onnx"
    assert recipe["input"] == {
        "width": 160,
        "height": 160,
        "color": "bgr",
        "mode": "stretch",
        "scale": 0.004,
        "mean": [0.1, 0.2, 0.3],
        "std": [0.8, 0.9, 1.0],
    }
    assert card_of(tmp_path).input.mode == "stretch"


def test_a_picture_of_the_user_is_tried(add: Add, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    (tmp_path / "photo.jpg").write_bytes(bytes(cv2.imencode(".jpg", picture)[1]))
    assert add(resnet(size=64), "--image", str(tmp_path / "photo.jpg")) == 0
    assert f"tried on {tmp_path / 'photo.jpg'}: best score" in capsys.readouterr().out


def test_the_same_again_is_told_that_the_build_exists(
    add: Add, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = resnet(size=64)
    assert add(model) == 0
    assert add(model) == 1
    assert "exists and builds never change" in capsys.readouterr().err
    assert add(model, "--version", "1.0.1") == 1
    assert "parts.yaml exists and says something else" in capsys.readouterr().err
    assert add(model, "--version", "1.0.1", "--recipe", str(tmp_path / "next.yaml")) == 0


def test_an_interrupted_add_goes_on_with_its_own_recipe(add: Add, tmp_path: Path) -> None:
    model = resnet(size=64)
    assert add(model) == 0
    before = (tmp_path / "parts.yaml").read_text()
    (tmp_path / "builds" / "parts-1.0.0_x86-cpu").rename(tmp_path / "gone")
    assert add(model) == 0
    assert (tmp_path / "parts.yaml").read_text() == before


def test_doubts_stop_it_unless_yes_is_said(add: Add, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = yolov8(sigmoid=False, size=64)
    assert add(model) == 1
    assert "go on all the same with --yes" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.onnx"]


@pytest.mark.parametrize(
    ("doubts", "answer", "expected"),
    [((), "", True), ((), "n", False), (("odd",), "", False), (("odd",), "Yes", True), ((), "what", False)],
)
def test_at_a_terminal_it_asks(doubts: tuple[str, ...], answer: str, expected: bool) -> None:
    questions = list[str]()

    def ask(question: str) -> str:
        questions.append(question)
        return answer

    assert goes_on(doubts, yes=False, ask=ask) == expected
    assert len(questions) == 1
    assert goes_on(doubts, yes=True, ask=ask)
    assert len(questions) == 1


def bad_nan() -> onnx.ModelProto:
    model = resnet(size=64)
    weight = next(weight for weight in model.graph.initializer if len(weight.dims) == 4)
    values = np.full(list(weight.dims), np.nan, np.float32)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    return model


BAD: dict[str, tuple[Any, list[str], str]] = {
    "pickle": (pickle.dumps({"model": 1}), [], "Python pickle, which is never loaded"),
    "checkpoint": (b"PK\x03\x04rest", [], "PyTorch checkpoint, which is never loaded"),
    "cut": (resnet(size=64).SerializeToString()[:-100], [], "cannot be parsed"),
    "text": (b"hello", [], "is not an ONNX model"),
    "unknown operator": (graph([node("Frobnicate", ["x"], ["y"], name="odd")]), [], "node 'odd' (Frobnicate"),
    "nan": (bad_nan(), [], "weights 'weight_"),
    "segmentation": (yolov8(size=64, notes={"task": "segment"}), [], "noted the task 'segment'"),
    "nms": (yolov8(size=64, notes={"args": "{'nms': True}"}), [], "export without it (nms=False"),
    "size": (yolov8(size=64), ["--size", "32x32"], "--size cannot change it"),
    "output": (yolov8(size=64), ["--output-name", "boxes"], "there is no output 'boxes'"),
    "class": (yolov8(size=64), ["--for", "x86-cpus"], "did you mean 'x86-cpu'?"),
    "name": (yolov8(size=64), ["--name", "My Parts"], "--name and --version: "),
    "version": (yolov8(size=64), ["--version", "1.0"], "--name and --version: "),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_and_nothing_is_written(
    add: Add, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    model, options, said = BAD[kind]
    assert add(model, *options) == 1
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.onnx"]


def test_bad_files_are_refused_and_nothing_is_written(
    add: Add, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"no picture")
    labels = write_labels(tmp_path, "pit", "crack")
    for options, said in (
        (["--labels", labels], "2 labels, but the model has 5 classes"),
        (["--labels", str(tmp_path / "none.txt")], "labels file"),
        (["--image", str(tmp_path / "none.jpg")], "picture"),
        (["--image", str(tmp_path / "photo.jpg")], "photo.jpg: The image cannot be decoded"),
        (["--calibration", str(tmp_path / "empty")], "has 0 pictures"),
    ):
        assert add(resnet(size=64), *options) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "builds").exists()
    assert not (tmp_path / "parts.yaml").exists()


@pytest.mark.parametrize("size", ["640", "640x", "0x640", "640x9000", "axb"])
def test_a_size_that_is_none_is_wrong_usage(add: Add, size: str) -> None:
    with pytest.raises(SystemExit) as caught:
        add(yolov8(size=64), "--size", size)
    assert caught.value.code == 2
