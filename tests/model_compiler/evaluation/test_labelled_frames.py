from pathlib import Path
from typing import Any

import pytest

from model_compiler.errors import InputFileMissing, NoFrames, UnusableFrame
from model_compiler.evaluation.errors import MislabelledFrame
from model_compiler.evaluation.labelled_frames import read_labelled_frames
from tests.model_compiler.evaluation.frame_sets import coco, write_coco_folder, write_picture

LABELS = ("crack", "pit")
BOX = {"id": 5, "image_id": 7, "category_id": 10, "bbox": [1, 1, 5, 5]}


def test_boxes_by_coco(tmp_path: Path) -> None:
    found = read_labelled_frames(write_coco_folder(tmp_path), LABELS, "detection")
    assert [frame.name for frame in found.frames] == ["a.png", "sub/b.png"]
    assert found.labelled
    assert found.truths_xyxy[0].tolist() == [[1, 2, 31, 42], [0, 0, 64, 48]]
    assert [classes.tolist() for classes in found.truth_classes] == [[0, 1], []]  # categories by name; no crowds
    assert found.frames[1].read() == (tmp_path / "sub" / "b.png").read_bytes()


def test_a_labels_file_elsewhere(tmp_path: Path) -> None:
    folder = write_coco_folder(tmp_path / "frames")
    (folder / "labels.coco.json").rename(tmp_path / "truth.json")
    assert not read_labelled_frames(folder, LABELS, "detection").labelled
    assert read_labelled_frames(folder, LABELS, "detection", annotations=tmp_path / "truth.json").labelled
    with pytest.raises(InputFileMissing, match=r"labels .*none\.json"):
        read_labelled_frames(folder, LABELS, "detection", annotations=tmp_path / "none.json")


def test_without_labels_every_picture_is_taken(tmp_path: Path) -> None:
    folder = write_coco_folder(tmp_path)
    (folder / "labels.coco.json").unlink()
    found = read_labelled_frames(folder, LABELS, "detection")
    assert [frame.name for frame in found.frames] == ["a.png", "c.png", "sub/b.png"]
    assert not found.labelled


def test_a_subset_is_drawn_by_its_seed(tmp_path: Path) -> None:
    for number in range(30):
        write_picture(tmp_path / f"{number:02}.png", grey=number)
    drawn = [read_labelled_frames(tmp_path, LABELS, "detection", count=10, seed=seed) for seed in (1, 1, 2)]
    names = [[frame.name for frame in found.frames] for found in drawn]
    assert names[0] == names[1] == sorted(names[0])
    assert names[0] != names[2]
    assert drawn[0].sha256 == drawn[1].sha256 != drawn[2].sha256


def test_the_hash_is_of_pictures_and_truth(tmp_path: Path) -> None:
    folder = write_coco_folder(tmp_path)
    before = read_labelled_frames(folder, LABELS, "detection").sha256
    write_coco_folder(folder, coco(annotations=[BOX]))
    moved = read_labelled_frames(folder, LABELS, "detection").sha256
    write_picture(folder / "a.png", grey=101)
    assert len({before, moved, read_labelled_frames(folder, LABELS, "detection").sha256}) == 3


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"categories": [{"id": 10, "name": "hole"}, {"id": 20, "name": "pit"}]}, "category 10: 'hole' is not among"),
        ({"annotations": [BOX | {"bbox": [60, 40, 10, 5]}]}, r"annotation 5: bbox .* outside its picture of 64 x 48"),
        ({"annotations": [BOX | {"bbox": [-3, 0, 10, 5]}]}, "annotation 5: bbox .* outside"),
        ({"annotations": [BOX | {"bbox": [1, 1, 0, 5]}]}, "annotation 5: bbox .* no width or height"),
        ({"annotations": [BOX | {"bbox": ["left", 1, 2, 5]}]}, r"annotations\.0\.bbox\.0: not COCO labels"),
        ({"annotations": [BOX | {"image_id": 8}]}, "annotation 5: image_id 8 is not among the images"),
        ({"annotations": [BOX | {"category_id": 8}]}, "annotation 5: category_id 8 is not among the categories"),
        ({"annotations": []}, "none of the 2 frames has a box"),
        (
            {"annotations": [BOX], "images": [{"id": 7, "file_name": "gone.png"}]},
            r"image 7 \(gone.png\): there is no such picture",
        ),
        (
            {"annotations": [BOX], "images": [{"id": 7, "file_name": "../../etc/hostname"}]},
            "image 7 .*: it lies outside",
        ),
        (
            {"annotations": [BOX], "images": [{"id": 7, "file_name": "labels.coco.json"}]},
            r"image 7 .*cannot be decoded|not supported",
        ),
        ({"images": [{"id": 7, "file_name": "a.png"}] * 2}, "images: an id or file_name is there twice"),
    ],
)
def test_a_wrong_label_is_refused_by_name(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    folder = write_coco_folder(tmp_path, coco(**change))
    with pytest.raises(MislabelledFrame, match=problem):
        read_labelled_frames(folder, LABELS, "detection")


def test_labels_that_are_no_json_are_refused(tmp_path: Path) -> None:
    folder = write_coco_folder(tmp_path)
    (folder / "labels.coco.json").write_text("not json")
    with pytest.raises(MislabelledFrame, match=r"labels\.coco\.json, content: not COCO labels"):
        read_labelled_frames(folder, LABELS, "detection")


def test_one_sub_folder_per_label(tmp_path: Path) -> None:
    for name in ("pit/1.png", "crack/2.png", "crack/deep/3.JPG"):
        write_picture(tmp_path / name)
    found = read_labelled_frames(tmp_path, LABELS, "classification")
    assert [frame.name for frame in found.frames] == ["crack/2.png", "crack/deep/3.JPG", "pit/1.png"]
    assert found.class_indices.tolist() == [0, 0, 1]


def test_a_sub_folder_that_is_no_label_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "crakc" / "1.png")
    with pytest.raises(MislabelledFrame, match="'crakc' is not among the labels 'crack', 'pit'"):
        read_labelled_frames(tmp_path, LABELS, "classification")


def test_a_loose_picture_beside_labelled_ones_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "crack" / "1.png")
    write_picture(tmp_path / "2.png")
    with pytest.raises(MislabelledFrame, match=r"2\.png, place: it lies beside the labels' sub-folders"):
        read_labelled_frames(tmp_path, LABELS, "classification")


def test_loose_pictures_alone_are_unlabelled(tmp_path: Path) -> None:
    write_picture(tmp_path / "2.png")
    assert not read_labelled_frames(tmp_path, LABELS, "classification").labelled


def test_too_few_pictures(tmp_path: Path) -> None:
    with pytest.raises(NoFrames, match=r"has 0 pictures .* at least 1"):
        read_labelled_frames(tmp_path, LABELS, "detection")
    write_picture(tmp_path / "1.png")
    with pytest.raises(NoFrames, match=r"has 1 pictures .* at least 2"):
        read_labelled_frames(tmp_path, LABELS, "detection", count=2)


def test_an_unlabelled_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no picture")
    with pytest.raises(UnusableFrame, match=r"2\.png"):
        read_labelled_frames(tmp_path, LABELS, "detection")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing, match="folder of frames"):
        read_labelled_frames(tmp_path / "none", LABELS, "detection")


def test_a_coco_file_for_a_classifier_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{}")
    with pytest.raises(MislabelledFrame, match="one sub-folder for each label"):
        read_labelled_frames(tmp_path, ["a"], "classification", annotations=tmp_path / "labels.json")
