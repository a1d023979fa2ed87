import json
from pathlib import Path

import pytest

from model_training.__main__ import main
from model_training.frame_distribution import SPLIT_SEEDS
from model_training.frame_folder import MAX_SAMPLE_BYTES
from model_training.frame_generator import generate_frame

SAMPLES = Path(__file__).parents[2] / "samples" / "frames"


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(verb in printed for verb in ("frames", "run", "export", "evaluate", "all"))


def test_frames_writes_pictures_and_labels(tmp_path: Path) -> None:
    assert main(["frames", str(tmp_path), "--split", "val", "--count", "2"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"frame-00000.jpg", "frame-00001.jpg", "labels.coco.json"}
    assert (tmp_path / "frame-00001.jpg").read_bytes() == generate_frame(SPLIT_SEEDS["val"], 1).jpeg()


@pytest.mark.parametrize("verb", ["export", "evaluate"])
def test_a_model_that_is_not_there_is_said_so(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path), verb, "--model", "student"]) == 1
    assert "train and export the model first" in capsys.readouterr().err


def test_the_samples_show_all_classes_and_a_clean_frame() -> None:
    document = json.loads((SAMPLES / "labels.coco.json").read_text())
    assert len(document["images"]) == 8
    assert {row["category_id"] for row in document["annotations"]} == {1, 2, 3, 4, 5, 6}
    labelled = {row["image_id"] for row in document["annotations"]}
    assert len(labelled) == 7
    for image in document["images"]:
        assert (SAMPLES / image["file_name"]).stat().st_size <= MAX_SAMPLE_BYTES
