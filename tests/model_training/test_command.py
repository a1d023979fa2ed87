import json
from functools import partial
from pathlib import Path

import pytest

from model_training.__main__ import main
from model_training.frame_distribution import SPLIT_SEEDS
from model_training.frame_folder import MAX_SAMPLE_BYTES
from model_training.frame_generator import generate_frame
from model_training.network import parameter_count
from model_training.networks import load_network, new_network
from model_training.part_labels import PART_LABELS, part_label
from model_training.weights_file import save_weights

SAMPLES = Path(__file__).parents[2] / "samples" / "frames"


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(verb in printed for verb in ("frames", "run", "export", "evaluate", "distill", "prune", "work", "all"))


def test_frames_writes_pictures_and_labels(tmp_path: Path) -> None:
    assert main(["frames", str(tmp_path), "--split", "val", "--count", "2"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"frame-00000.jpg", "frame-00001.jpg", "labels.coco.json"}
    assert (tmp_path / "frame-00001.jpg").read_bytes() == generate_frame(SPLIT_SEEDS["val"], 1).jpeg()


def test_frames_in_one_folder_for_each_label(tmp_path: Path) -> None:
    assert main(["frames", str(tmp_path), "--split", "val", "--count", "6", "--layout", "classes"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(PART_LABELS)
    labels = {path.name: path.parent.name for path in tmp_path.rglob("*.jpg")}
    expected = {
        f"frame-{index:05d}.jpg": part_label(generate_frame(SPLIT_SEEDS["val"], index).labels) for index in range(6)
    }
    assert labels == expected
    assert len(set(labels.values())) > 1


def test_a_classifier_from_frames_to_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def act(*arguments: str) -> int:
        return main(["--folder", str(tmp_path), *arguments, "--model", "parts"])

    assert act("run", "--epochs", "1", "--train-frames", "32") == 1
    assert "weights.npz is missing" in capsys.readouterr().err
    save_weights(new_network("student", seed=0).state_dict(), tmp_path / "distilled" / "weights.npz")
    assert act("run", "--epochs", "1", "--train-frames", "32") == 0
    assert act("export") == 0
    assert act("evaluate", "--split", "samples", "--frames", "8") == 0
    assert "of the defective frames go on" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "parts" / "metrics.json").read_text())
    assert metrics["labels"] == list(PART_LABELS)
    assert metrics["parameters"] <= 500_000
    assert metrics["accuracy"]["frames"] == 8
    assert metrics["training"]["epochs"] == 1


def test_a_network_is_pruned_and_exported_as_a_model_of_its_own(tmp_path: Path) -> None:
    act = partial(main_in, tmp_path)
    for name, network in (("distilled", "student"), ("teacher", "teacher")):
        save_weights(new_network(network, seed=0).state_dict(), tmp_path / name / "weights.npz")
    assert act("prune", "--model", "student", "--epochs", "1", "--train-frames", "16") == 0
    whole = parameter_count(load_network("student", tmp_path / "distilled" / "weights.npz"))
    narrow = parameter_count(load_network("student", tmp_path / "pruned-student" / "weights.npz"))
    assert 0.3 * whole < narrow < 0.7 * whole
    assert act("export", "--model", "pruned-student") == 0
    assert (tmp_path / "pruned-student" / "model.onnx").stat().st_size > 4 * narrow


def main_in(folder: Path, *arguments: str) -> int:
    return main(["--folder", str(folder), *arguments])


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
