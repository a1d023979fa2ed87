import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from contracts.training_job import TrainingJob, TrainingResult
from model_training.__main__ import main
from model_training.job import TeacherOfAnotherKind, do_job
from model_training.job_folder import FolderInUse, begin, sole_use
from model_training.network import parameter_count
from model_training.networks import load_network, new_network
from model_training.weights_file import load_weights, save_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jobs")
    for seed, name in enumerate(("student", "parts")):
        save_weights(new_network(name, seed=seed).state_dict(), folder / f"{name}.npz")
    return folder


def run(folder: Path, name: str, **job: object) -> TrainingResult:
    content = {"output": str(folder / name), "weights": str(folder / "student.npz"), "network": "student"} | job
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content))
    assert main(["--folder", str(folder / "training"), "work", str(path)]) == 0
    return TrainingResult.model_validate_json((folder / name / "result.json").read_bytes())


def test_export_writes_a_model_equal_to_the_network(folder: Path) -> None:
    result = run(folder, "export", action="export")
    assert set(result.parity) == {1, 8}
    assert max(result.parity.values()) <= 1e-4
    assert result.parameter_count == parameter_count(load_network("student", folder / "student.npz"))
    assert result.onnx is not None
    session = onnxruntime.InferenceSession(str(folder / "export" / result.onnx), providers=["CPUExecutionProvider"])
    (rows,) = session.run(None, {"images": np.zeros((3, 3, 320, 416), np.float32)})
    assert rows.shape == (3, 10, 2730)


def test_pruning_gives_a_smaller_network_that_goes_on_learning(folder: Path) -> None:
    result = run(folder, "prune", action="prune", parameter_reduction=0.4, epochs=1, frame_count=16, network="parts",
                 weights=str(folder / "parts.npz"))  # fmt: skip
    before = parameter_count(load_network("parts", folder / "parts.npz"))
    smaller = load_network("parts", folder / "prune" / result.weights)
    assert parameter_count(smaller) == result.parameter_count < 0.75 * before
    assert any("parameters removed" in note for note in result.notes)


def test_distillation_changes_the_student_and_is_not_repeated(folder: Path) -> None:
    job = {"action": "distill", "teacher_network": "student", "teacher_weights": str(folder / "student.npz")}
    result = run(folder, "distill", **job, epochs=1, frame_count=16)
    before, after = load_weights(folder / "student.npz"), load_weights(folder / "distill" / result.weights)
    assert before.keys() == after.keys()
    assert not torch.equal(before["stem.conv.weight"], after["stem.conv.weight"])
    written = (folder / "distill" / "weights.npz").stat().st_mtime_ns
    assert run(folder, "distill", **job, epochs=1, frame_count=16) == result
    assert (folder / "distill" / "weights.npz").stat().st_mtime_ns == written


def test_other_weights_or_settings_in_the_same_folder_are_another_job(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.npz"
    weights.write_bytes((folder / "student.npz").read_bytes())
    job = TrainingJob(action="export", network="student", weights=weights, output=tmp_path / "job")
    first = do_job(job, tmp_path)
    assert do_job(job, tmp_path) == first
    save_weights(new_network("student", seed=9).state_dict(), weights)
    second = do_job(job, tmp_path)
    assert second.weights_sha256 != first.weights_sha256
    assert second.onnx_sha256 != first.onnx_sha256


def test_a_job_moved_with_its_weights_is_still_the_same_job(folder: Path, tmp_path: Path) -> None:
    job = TrainingJob(action="export", network="parts", weights=folder / "parts.npz", output=tmp_path / "job")
    begin(job, keep=None)
    (job.output / "checkpoint.pt").write_bytes(b"half")
    moved = tmp_path / "moved"
    job.output.rename(moved)
    weights = tmp_path / "parts.npz"
    weights.write_bytes(job.weights.read_bytes())
    begin(job.model_copy(update={"output": moved, "weights": weights}), keep=None)
    assert (moved / "checkpoint.pt").read_bytes() == b"half"


def test_two_processes_do_not_work_in_one_folder(folder: Path, tmp_path: Path) -> None:
    job = TrainingJob(action="export", network="parts", weights=folder / "parts.npz", output=tmp_path / "job")
    with sole_use(job.output), pytest.raises(FolderInUse, match=f"another training works in {job.output}: wait"):
        do_job(job, tmp_path)
    assert do_job(job, tmp_path).onnx is not None


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("result.json", b'{"action": "exp'),
        ("result.json", b"\xff\x00"),
        ("begun.json", b"\xff\x00"),
        ("model.onnx", b""),
    ],
)
def test_a_damaged_file_makes_the_job_be_done_again(folder: Path, tmp_path: Path, name: str, damage: bytes) -> None:
    job = TrainingJob(action="export", network="parts", weights=folder / "parts.npz", output=tmp_path / "job")
    first = do_job(job, tmp_path)
    whole = {path.name: path.read_bytes() for path in job.output.iterdir()}
    (job.output / name).write_bytes(damage)
    assert do_job(job, tmp_path) == first
    assert {path.name: path.read_bytes() for path in job.output.iterdir()} == whole


def test_weights_of_a_relative_path_are_found_again(folder: Path, tmp_path: Path) -> None:
    weights = Path(os.path.relpath(folder / "parts.npz"))
    job = TrainingJob(action="export", network="parts", weights=weights, output=tmp_path / "job")
    written = (job.output / do_job(job, tmp_path).weights).read_bytes()
    assert written == (folder / "parts.npz").read_bytes()
    before = (job.output / "model.onnx").stat().st_mtime_ns
    do_job(job, tmp_path)
    assert (job.output / "model.onnx").stat().st_mtime_ns == before


def test_a_training_that_diverges_says_so_and_goes_on_with_a_lower_rate(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(folder / "parts.npz")
    content = {"action": "distill", "network": "parts", "weights": weights, "epochs": 1, "frame_count": 16}
    content |= {"teacher_network": "parts", "teacher_weights": weights, "output": str(tmp_path / "out")}
    (tmp_path / "job.json").write_text(json.dumps(content))

    def work(*options: str) -> int:
        return main(["--folder", str(folder / "training"), *options, "work", str(tmp_path / "job.json")])

    assert work("--learning-rate-scale", "1e30") == 1
    said = capsys.readouterr().err
    assert "outpost-train: training of parts diverged: the" in said
    assert "loss of epoch 1 is" in said
    assert "--learning-rate-scale 0.5" in said
    assert 'in a recipe: trainer.command: [outpost-train, --learning-rate-scale, "0.5"]' in said
    assert not (tmp_path / "out" / "result.json").exists()
    assert work() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "paint"}, "action: Input should be"),
        ({"action": "prune"}, "needs parameter_reduction"),
        ({"action": "distill"}, "needs teacher_network"),
        ({"network": "giant"}, "there is no network 'giant'"),
        ({"weights": "nowhere.npz"}, "nowhere.npz"),
        ({"network": "parts"}, "of another network"),
        ({"color": "red"}, "color: Extra inputs"),
    ],
)
def test_bad_jobs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], message: str
) -> None:
    content = {"action": "export", "network": "student", "weights": str(folder / "student.npz")}
    content["output"] = str(tmp_path / "out")
    (tmp_path / "job.json").write_text(json.dumps(content | change))
    assert main(["work", str(tmp_path / "job.json")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "result.json").exists()


def test_a_classifier_learns_from_a_classifier(folder: Path) -> None:
    weights = str(folder / "parts.npz")
    job = {"action": "distill", "network": "parts", "weights": weights}
    result = run(
        folder, "classifier", **job, teacher_network="parts", teacher_weights=weights, epochs=1, frame_count=16
    )
    assert (folder / "classifier" / result.weights).is_file()


def test_a_classifier_cannot_learn_from_a_detector(folder: Path, tmp_path: Path) -> None:
    job = TrainingJob(
        action="distill",
        network="parts",
        weights=folder / "parts.npz",
        teacher_network="student",
        teacher_weights=folder / "student.npz",
        output=tmp_path,
    )
    with pytest.raises(TeacherOfAnotherKind, match="'parts' cannot learn from 'student'"):
        do_job(job, tmp_path)
