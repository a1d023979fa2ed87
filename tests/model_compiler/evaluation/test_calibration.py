from pathlib import Path

import numpy as np
import pytest

from model_compiler.evaluation.calibration import calibrate_build
from model_compiler.evaluation.labelled_frames import LabelledFrames, read_labelled_frames
from model_compiler.evaluation.predictions import Classifications, Detections
from tests.model_compiler.evaluation.frame_sets import coco, write_coco_folder, write_picture

LABELS = ("crack", "pit")
GRID = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures that become brighter; twelve boxes each, by turns of either class."""
    made = tmp_path_factory.mktemp("frames")
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number in range(40):
        write_picture(made / f"{number:02}.png", grey=40 + 4 * number, width=GRID * 20, height=40)
        images.append({"id": number, "file_name": f"{number:02}.png"})
        for column in range(GRID):
            box = {"id": len(annotations), "image_id": number, "category_id": 10 + 10 * (column % 2)}
            annotations.append(box | {"bbox": [column * 20, 5, 15, 15]})
    return write_coco_folder(made, coco(images=images, annotations=annotations))


@pytest.fixture(scope="module")
def frames(folder: Path) -> LabelledFrames:
    return read_labelled_frames(folder, LABELS, "detection")


def overconfident(frames: LabelledFrames, power: float = 3.0) -> Detections:
    """One detection a box with a score s; a share s to the power of 3 is where the box is."""
    rng = np.random.default_rng(5)
    answers = []
    for truth in (frame.truth for frame in frames.frames):
        assert truth is not None
        scores = rng.uniform(0.02, 1, len(truth.classes))
        missed = rng.random(len(scores)) >= scores**power
        boxes = truth.boxes_xyxy + np.where(missed, 20, 0)[:, None] * np.array([0, 1, 0, 1])
        rows = np.column_stack([boxes, scores, truth.classes]).astype(np.float32)
        answers.append(rows[np.argsort(-rows[:, 4])])
    return Detections(tuple(answers), np.full(2, 0.5))


def test_an_overconfident_detector_is_calibrated(frames: LabelledFrames) -> None:
    made = calibrate_build(overconfident(frames), frames)
    found = made.confidence
    assert found.method in ("isotonic", "platt")
    assert found.ece_before is not None
    assert found.ece_after is not None
    assert found.ece_after <= found.ece_before / 2
    assert found.pooled is not None
    assert np.interp(0.7, found.pooled.scores, found.pooled.probabilities) == pytest.approx(0.7**3, abs=0.12)
    assert set(found.by_label) == {"crack", "pit"}
    assert made.notes[0].startswith("confidence calibrated")


def test_a_calibrated_detector_is_left_alone(frames: LabelledFrames) -> None:
    found = calibrate_build(overconfident(frames, power=1.0), frames).confidence
    assert (found.method, found.pooled, found.by_label, found.ece_after) == ("none", None, {}, None)
    assert "not half" in found.reason or "no map halves" in found.reason


def test_few_boxes_are_not_calibrated(folder: Path) -> None:
    few = read_labelled_frames(folder, LABELS, "detection", count=5)
    found = calibrate_build(overconfident(few), few)
    assert found.confidence.method == "none"
    assert found.confidence.reason.startswith("no map halves the error on the 5")
    assert set(found.thresholds) == {"crack", "pit"}


def test_without_labels_there_is_still_a_reference(folder: Path, frames: LabelledFrames, tmp_path: Path) -> None:
    for path in folder.glob("[0-9]*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    unlabelled = read_labelled_frames(tmp_path, LABELS, "detection")
    made = calibrate_build(overconfident(frames), unlabelled)
    assert (made.confidence.method, made.confidence.reason) == ("none", "the frames have no labels")
    assert made.thresholds == {}
    assert made.drift_reference.frames == 40
    assert made.notes[0] == "confidence not calibrated: the frames have no labels"


def test_the_reference_counts_boxes_and_frames(frames: LabelledFrames) -> None:
    found = overconfident(frames)
    counts = calibrate_build(found, frames).drift_reference
    shown = sum(int((rows[:, 4] >= counts.lowest_score).sum()) for rows in found.rows)
    assert counts.confidence.total == sum(counts.class_counts) == shown
    assert counts.confidence.counts[0] == 0  # below the lowest score nothing is counted
    assert counts.boxes_per_frame is not None
    assert counts.boxes_per_frame.total == counts.hardness.total == counts.brightness.total == 40
    assert sum(counts.boxes_per_frame.counts[GRID - 4 : GRID + 1]) == 40
    assert counts.box_area_log2 is not None
    # a box of 15 x 15 in a frame of 240 x 40 pixels: log2 of 0.0234 is -5.4
    assert counts.box_area_log2.counts[10] == shown
    assert [index for index, count in enumerate(counts.brightness.counts) if count] == list(range(2, 13))
    assert counts.entropy_bits.counts[0] == 40


def test_what_goes_into_the_card_is_small(frames: LabelledFrames) -> None:
    made = calibrate_build(overconfident(frames), frames)
    size = len(made.confidence.model_dump_json()) + len(made.drift_reference.model_dump_json())
    assert size < 3000


def test_the_same_answers_give_the_same_calibration(frames: LabelledFrames) -> None:
    assert calibrate_build(overconfident(frames), frames) == calibrate_build(overconfident(frames), frames)


def test_harder_frames_score_higher(frames: LabelledFrames) -> None:
    plain = overconfident(frames)
    sure = [rows[rows[:, 4] > 0.9] for rows in plain.rows]
    unsure = Detections((*sure[:-1], plain.rows[-1]), plain.thresholds)
    scale = calibrate_build(unsure, frames).confidence.hardness
    assert scale.hardness[0] == 0.0
    assert scale.hardness[-1] == 1.0
    assert scale.strongest_hidden[-2] == 0.0


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> LabelledFrames:
    made = tmp_path_factory.mktemp("parts")
    for number in range(300):
        write_picture(made / LABELS[number % 2] / f"{number:03}.png", width=8, height=8)
    return read_labelled_frames(made, LABELS, "classification")


def test_an_overconfident_classifier_gets_a_temperature(parts: LabelledFrames) -> None:
    rng = np.random.default_rng(1)
    said = np.where(rng.random(300) < 0.7, parts.class_indices, 1 - parts.class_indices)
    sure = rng.uniform(0.9, 0.999, 300)
    probabilities = np.where(np.arange(2) == said[:, None], sure[:, None], 1 - sure[:, None])
    made = calibrate_build(Classifications(probabilities), parts)
    found = made.confidence
    assert found.method == "temperature"
    assert found.temperature is not None
    assert found.temperature > 2
    assert found.ece_before is not None
    assert found.ece_before > 0.2
    assert (made.drift_reference.boxes_per_frame, made.drift_reference.box_area_log2) == (None, None)
    assert sum(made.drift_reference.class_counts) == 300
    assert len(found.hardness.lack_of_margin) == len(found.hardness.hardness) == 21


def test_a_temperature_that_does_not_help_is_not_used(parts: LabelledFrames) -> None:
    said = np.where(np.arange(300) % 5 > 0, parts.class_indices, 1 - parts.class_indices)  # four of five are right
    probabilities = np.where(np.arange(2) == said[:, None], 0.8, 0.2)
    found = calibrate_build(Classifications(probabilities), parts).confidence
    assert (found.method, found.temperature) == ("none", None)
    assert "which is not half" in found.reason
