import json
from functools import partial
from pathlib import Path

import pytest

from contracts.training_job import TrainingJob
from model_training.__main__ import main
from model_training.checkpoint import Checkpoint, save_checkpoint
from model_training.export import export_network
from model_training.frame_distribution import SPLIT_SEEDS
from model_training.frame_folder import MAX_SAMPLE_BYTES
from model_training.frame_generator import generate_frame
from model_training.job_folder import begin, sole_use
from model_training.network import parameter_count
from model_training.networks import load_network, new_network
from model_training.part_labels import PART_LABELS, part_label
from model_training.recipe import Workshop, write_metrics
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
    assert metrics["training"]["frames"] == 32


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("distill", "--epochs", "0"), "--epochs: expected a whole number from 1"),
        (("prune", "--model", "student", "--epochs", "-1"), "--epochs: expected a whole number from 1"),
        (("run", "--model", "student", "--train-frames", "0"), "--train-frames: expected a whole number from 1"),
        (("evaluate", "--model", "student", "--frames", "0"), "--frames: expected a whole number from 1"),
        (("frames", "out", "--count", "-1"), "--count: expected a whole number from 1"),
        (("frames", "out", "--count", "1.5"), "--count: expected a whole number from 1 to 999999999, got 1.5"),
        (("--learning-rate-scale", "abc", "distill"), "expected a number above 0, got abc"),
        (("--learning-rate-scale", "nan", "distill"), "expected a number above 0, got nan"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main_in(tmp_path, *arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_job_file_that_is_not_there_is_no_untrained_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main_in(tmp_path, "work", str(tmp_path / "nope.json")) == 1
    assert capsys.readouterr().err == f"outpost-train: {tmp_path / 'nope.json'} is missing\n"


@pytest.fixture
def learned(tmp_path: Path) -> Path:
    for name, seed in (("student", 1), ("teacher", 2)):
        save_weights(new_network("student", seed=seed).state_dict(), tmp_path / name / "weights.npz")
    job = TrainingJob(
        action="distill",
        network="student",
        weights=tmp_path / "student" / "weights.npz",
        teacher_network="teacher",
        teacher_weights=tmp_path / "teacher" / "weights.npz",
        output=tmp_path / "distilled",
        epochs=1,
        frame_count=16,
    )
    begin(job, keep=None)
    (job.output / "checkpoint.pt").write_bytes(b"hours of work")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "begun", "message"),
    [
        (("--epochs", "2", "--train-frames", "16"), None, "(--epochs: 1 then, 2 now)"),
        (("--train-frames", "32"), None, "(--epochs: 1 then, the recipe's now; --train-frames: 16 then, 32 now)"),
        (("--epochs", "1", "--train-frames", "16"), b"\xff", "(what it was begun with cannot be read)"),
    ],
)
def test_what_was_learned_with_other_options_is_kept(
    learned: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    begun: bytes | None,
    message: str,
) -> None:
    if begun is not None:
        (learned / "distilled" / "begun.json").write_bytes(begun)
    before = {path.name: path.read_bytes() for path in (learned / "distilled").iterdir()}
    assert main_in(learned, "distill", *options) == 1
    said = capsys.readouterr().err
    assert message in said
    assert f"or delete {learned / 'distilled'} to begin anew" in said
    assert before.items() <= {path.name: path.read_bytes() for path in (learned / "distilled").iterdir()}.items()


def test_pruning_with_other_options_names_the_folder_of_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_weights(new_network("teacher", seed=1).state_dict(), tmp_path / "teacher" / "weights.npz")
    begun = tmp_path / "pruned-teacher" / "begun"
    begun.mkdir(parents=True)
    (begun / "checkpoint.pt").write_bytes(b"hours of work")
    assert main_in(tmp_path, "prune", "--model", "teacher") == 1
    said = capsys.readouterr().err
    assert f"{begun} holds a training" in said
    assert f"delete {tmp_path / 'pruned-teacher'} to" in said
    assert (begun / "checkpoint.pt").read_bytes() == b"hours of work"


def test_two_trainings_do_not_share_a_folder(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sole_use(learned / "distilled"):
        assert main_in(learned, "distill", "--epochs", "1", "--train-frames", "16") == 1
    assert f"another training works in {learned / 'distilled'}" in capsys.readouterr().err
    with sole_use(learned / "student"):
        assert main_in(learned, "run", "--model", "student", "--epochs", "1", "--train-frames", "16") == 1
    assert f"another training works in {learned / 'student'}" in capsys.readouterr().err


@pytest.mark.parametrize(("in_checkpoint", "in_job", "expected"), [(16, 32, 16), (None, 32, 32), (None, None, None)])
def test_metrics_say_how_many_frames_it_learned_from_where_that_is_known(
    tmp_path: Path, in_checkpoint: int | None, in_job: int | None, expected: int | None
) -> None:
    folder = tmp_path / "parts"
    save_weights(new_network("parts", seed=0).state_dict(), folder / "weights.npz")
    export_network(load_network("parts", folder / "weights.npz"), folder / "model.onnx")
    save_checkpoint(Checkpoint("parts", 1, 0.5, {}, {}, {}, {}, [], in_checkpoint), folder / "checkpoint.pt")
    if in_job is not None:
        weights = folder / "weights.npz"
        job = TrainingJob(action="export", network="parts", weights=weights, output=folder, frame_count=in_job)
        content = [job.model_dump(mode="json"), ["0" * 64]]
        (folder / "begun.json").write_text(json.dumps(content))
    training = write_metrics(Workshop(tmp_path), "parts", split="samples", frames=2)["training"]
    assert training.get("frames") == expected
    assert ("data_set_hash" in training) == (expected is not None)


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
