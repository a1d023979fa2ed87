"""The rules alone: facts and hints in, proposal out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_compiler.graph.onnx_model import TensorFacts
from model_compiler.proposal.errors import LabelCountMismatch, NotProposable
from model_compiler.proposal.exporter_notes import ExporterNotes
from model_compiler.proposal.hints import GivenLabels, Hints
from model_compiler.proposal.model_facts import ModelFacts
from model_compiler.proposal.own_normalisation import OwnNormalisation
from model_compiler.proposal.pixel_values import IMAGENET_MEAN, IMAGENET_STD
from model_compiler.proposal.propose import propose

HINTS = Hints(name="parts")
ULTRALYTICS = ExporterNotes(author="Ultralytics", task="detect", size_wh=(640, 640))


def facts(
    *shapes: tuple[int | None, ...], size: tuple[int | None, int | None] = (640, 640), **changes: Any
) -> ModelFacts:
    """A picture of (width, height) and outputs of these shapes."""
    batch = changes.pop("batch", 1)
    outputs = tuple(TensorFacts(f"out{number}", "FP32", shape) for number, shape in enumerate(shapes))
    return replace(ModelFacts(TensorFacts("images", "FP32", (batch, 3, size[1], size[0])), outputs), **changes)


def labels(count: int) -> GivenLabels:
    return GivenLabels("labels.txt", tuple(f"label {number}" for number in range(count)))


@pytest.mark.parametrize(
    ("shape", "given", "expected", "classes"),
    [
        ((1, 84, 8400), None, "yolov8", 80),
        ((1, 5, 8400), None, "yolov8", 1),
        ((1, 25200, 85), None, "yolov5", 80),
        ((1, 25200, 6), None, "yolov5", 1),
        ((1, 84, 8400), 80, "yolov8", 80),
        ((1, 25200, 85), 80, "yolov5", 80),
        ((1, 8400, 84), 79, "yolov5", 79),
        ((1, 12, 500), None, "yolov8", 8),
        ((1, 500, 12), None, "yolov5", 7),
    ],
)
def test_the_head_follows_from_labels_cells_or_the_longer_axis(
    shape: tuple[int, ...], given: int | None, expected: str, classes: int
) -> None:
    made = propose(facts(shape), replace(HINTS, labels=None if given is None else labels(given)))
    assert (made.task, made.head, len(made.labels)) == ("detection", expected, classes)


def test_a_head_that_was_given_wins() -> None:
    made = propose(facts((1, 84, 8400)), replace(HINTS, head="yolov5"))
    assert (made.head, len(made.labels)) == ("yolov5", 8395)


@pytest.mark.parametrize(("width", "height", "anchors"), [(640, 640, 8400), (416, 320, 2730), (1280, 736, 19320)])
def test_cells_are_counted_at_the_size(width: int, height: int, anchors: int) -> None:
    made = propose(facts((1, 9, anchors), size=(width, height)), HINTS)
    assert f"one anchor for each of {anchors} cells" in str(made.assumptions)


@pytest.mark.parametrize(
    ("shapes", "notes", "hint", "expected"),
    [
        (((1, 1000),), ExporterNotes(), None, "classification"),
        (((1, 1000, 1, 1),), ExporterNotes(), None, "classification"),
        (((1, 84, 8400),), ULTRALYTICS, None, "detection"),
        (((1, 7),), replace(ULTRALYTICS, task="classify"), None, "classification"),
        (((1, 84, 8400), (1, 10)), ExporterNotes(), None, "detection"),
        (((1, 84, 8400), (1, 10)), ExporterNotes(), "classification", "classification"),
    ],
)
def test_the_task(shapes: tuple[Any, ...], notes: ExporterNotes, hint: Any, expected: str) -> None:
    made = propose(facts(*shapes, notes=notes), replace(HINTS, task=hint))
    assert made.task == expected


@pytest.mark.parametrize(
    ("changes", "hints", "expected"),
    [
        ({"shapes": [(1, 84, 8400)]}, {}, ("letterbox", "rgb", 1 / 255, (0, 0, 0), (1, 1, 1))),
        ({"shapes": [(1, 9)]}, {}, ("crop", "rgb", 1 / 255, IMAGENET_MEAN, IMAGENET_STD)),
        (
            {"shapes": [(1, 9)], "notes": replace(ULTRALYTICS, task="classify")},
            {},
            ("crop", "rgb", 1 / 255, (0, 0, 0), (1, 1, 1)),
        ),
        (
            {"shapes": [(1, 9)], "own_normalisation": OwnNormalisation(centres=True)},
            {},
            ("crop", "rgb", 1 / 255, (0, 0, 0), (1, 1, 1)),
        ),
        (
            {"shapes": [(1, 9)], "own_normalisation": OwnNormalisation(scales=True, centres=True)},
            {},
            ("crop", "rgb", 1.0, (0, 0, 0), (1, 1, 1)),
        ),
        (
            {"shapes": [(1, 9)]},
            {"fit": "stretch", "color": "bgr", "scale": 1.0, "mean": (127.0, 127.0, 127.0)},
            ("stretch", "bgr", 1.0, (127, 127, 127), (1, 1, 1)),
        ),
    ],
)
def test_pixel_values(changes: dict[str, Any], hints: dict[str, Any], expected: tuple[Any, ...]) -> None:
    at = propose(facts(*changes.pop("shapes"), **changes), replace(HINTS, **hints)).pixels
    assert (at.fit, at.color, at.scale, at.mean, at.std) == expected


@pytest.mark.parametrize(
    ("size", "notes", "given", "expected"),
    [
        ((320, 192), ExporterNotes(size_wh=(640, 640)), None, (320, 192)),
        ((None, None), ExporterNotes(size_wh=(640, 480)), None, (640, 480)),
        ((None, None), ExporterNotes(size_wh=(640, 480)), (320, 320), (320, 320)),
        ((None, None), ExporterNotes(), None, (640, 640)),
        ((None, 480), ExporterNotes(), None, (640, 480)),
    ],
)
def test_the_size(size: Any, notes: ExporterNotes, given: Any, expected: tuple[int, int]) -> None:
    made = propose(facts((1, 84, 8400), size=size, notes=notes), replace(HINTS, size_wh=given))
    assert made.size_wh == expected


def test_the_usual_size_of_a_classifier() -> None:
    assert propose(facts((1, 10), size=(None, None)), HINTS).size_wh == (224, 224)


def test_labels_are_those_given_then_noted_then_numbers() -> None:
    noted = replace(ULTRALYTICS, names=("pit", "crack"))
    assert propose(facts((1, 6, 8400), notes=noted), replace(HINTS, labels=labels(2))).labels == ("label 0", "label 1")
    assert propose(facts((1, 6, 8400), notes=noted), HINTS).labels == ("pit", "crack")
    wrong = propose(facts((1, 7, 8400), notes=noted), HINTS)
    assert wrong.labels == ("class-0", "class-1", "class-2")
    assert "noted 2 names for 3 classes" in str(wrong.assumptions)
    twice = replace(ULTRALYTICS, names=("crane", "dog", "crane", ""))
    assert propose(facts((1, 8, 8400), notes=twice), HINTS).labels == ("crane", "dog", "crane-2", "class-3")


@pytest.mark.parametrize(
    ("shape", "count", "said"),
    [
        ((1, 84, 8400), 79, "79 labels, but the model has 80 classes"),
        ((1, 84, 8400), 79, "a class for the background"),
        ((1, 1000), 3, "3 labels, but the model has 1000 classes"),
        ((1, 25200, 85), 4, "yolov5 has 5 + C = 85"),
    ],
)
def test_another_number_of_labels_is_refused(shape: tuple[int, ...], count: int, said: str) -> None:
    with pytest.raises(LabelCountMismatch) as caught:
        propose(facts(shape), replace(HINTS, labels=labels(count)))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (facts((1, 84, 8400), nms_node="node 'nms' (NonMaxSuppression, gives 'kept')"), "node 'nms'"),
        (facts((1, 300, 6), has_top=True), "selects boxes inside ('out0' FP32 [1,300,6])"),
        (facts((1, 300, 6), notes=replace(ULTRALYTICS, has_nms=True)), "selects boxes inside"),
        (facts((1, 116, 8400), notes=replace(ULTRALYTICS, task="segment")), "noted the task 'segment'"),
        (facts((1, 84, 8400), (1, 84, 8400)), "choose with --output-name"),
        (facts((1, 255, 80, 80), (1, 255, 40, 40)), "one raw map for each scale"),
        (facts((1, 3)[:1]), "a detector gives [N,4+C,A]"),
        (facts((1, 5), sigmoids=frozenset({"out0"})), "comes from a sigmoid"),
    ],
)
def test_what_cannot_be_served_is_refused(given: ModelFacts, said: str) -> None:
    with pytest.raises(NotProposable) as caught:
        propose(given, HINTS)
    assert said in str(caught.value)


@pytest.mark.parametrize("datatype", ["FP16", "FP64"])
def test_an_output_of_another_precision_is_refused(datatype: str) -> None:
    outputs = (TensorFacts("out0", datatype, (1, 84, 8400)),)
    with pytest.raises(NotProposable, match="in single precision, FP32"):
        propose(replace(facts(), outputs=outputs), HINTS)


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        ({"output": "scores"}, "there is no output 'scores': choose one of 'out0'"),
        ({"output": "out0", "task": "classification"}, "is not for classification"),
        ({"task": "classification"}, "for classification, expected"),
        ({"size_wh": (320, 320)}, "--size cannot change it"),
    ],
)
def test_hints_that_the_model_contradicts(hints: dict[str, Any], said: str) -> None:
    with pytest.raises(NotProposable) as caught:
        propose(facts((1, 84, 8400)), replace(HINTS, **hints))
    assert said in str(caught.value)


def test_an_output_among_several_is_named_in_the_recipe() -> None:
    several = facts((1, 25200, 85), (1, 3, 80, 80, 85), (1, 3, 40, 40, 85))
    made = propose(several, HINTS)
    assert made.recipe(Path("m.onnx"), Path(), "x86-cpu")["output"] == {"decoder": "yolov5", "name": "out0"}
    chosen = propose(facts((1, 84, 8400), (1, 84, 8400)), replace(HINTS, output="out1"))
    assert chosen.output == "out1"


def test_everything_assumed_has_a_reason_and_a_way_out_or_none() -> None:
    made = propose(facts((1, 84, 8400)), HINTS)
    flags = {each.subject: each.flag for each in made.assumptions}
    assert flags == {
        "task": "--task",
        "head": "--head",
        "labels": "--labels",
        "size": None,
        "fit": "--fit",
        "colour": "--color",
        "scale": "--scale",
        "mean, std": "--mean --std",
        "variants": "--calibration",
        "evaluation": "--evaluation",
        "batch": None,
    }
    assert all(each.reason for each in made.assumptions)
    assert str(made.assumptions[0]).endswith("three axes; otherwise --task)")


def test_the_recipe_of_a_static_classifier_with_few_calibration_frames() -> None:
    given = replace(HINTS, calibration=Path("/data/frames"), calibration_count=40, grafted=False)
    made = propose(facts((1, 2), size=(224, 224)), given)
    recipe = made.recipe(Path("/data/models/m.onnx"), Path("/data/recipes"), "x86-cpu")
    assert recipe == {
        "model": "parts",
        "version": "1.0.0",
        "task": "classification",
        "onnx": "../models/m.onnx",
        "labels": ["class-0", "class-1"],
        "input": {
            "width": 224,
            "height": 224,
            "color": "rgb",
            "mode": "crop",
            "scale": 1 / 255,
            "mean": list(IMAGENET_MEAN),
            "std": list(IMAGENET_STD),
        },
        "grafted": False,
        "calibration": {"frames": "../frames", "count": 40, "allow_few_frames": True},
        "evaluation": {"frames": "../frames"},
        "targets": {"x86-cpu": {}},
        "serving": {"max_batch_size": 1},
    }


def test_many_calibration_frames_and_others_to_measure_on() -> None:
    given = replace(HINTS, calibration=Path("/a"), calibration_count=5000, evaluation=Path("/b"))
    made = propose(facts((None, 2), size=(224, 224), batch=None), given)
    recipe = made.recipe(Path("/m.onnx"), Path("/"), "x86-cpu")
    assert recipe["calibration"] == {"frames": "a", "count": 200}
    assert recipe["evaluation"] == {"frames": "b"}
    assert "serving" not in recipe
    single = made.one_frame_at_a_time("it says so")
    assert single.recipe(Path("/m.onnx"), Path("/"), "x86-cpu")["serving"] == {"max_batch_size": 1}
    assert [each.value for each in single.assumptions if each.subject == "batch"] == ["one frame at a time"]
