from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.training_job import TrainingJob, TrainingResult

EXPORT = {"action": "export", "network": "student", "weights": "student.npz", "output": "out"}
DISTILL = EXPORT | {"action": "distill", "teacher_network": "teacher", "teacher_weights": "teacher.npz"}
PRUNE = EXPORT | {"action": "prune", "parameter_reduction": 0.45}
RESULT = {"action": "prune", "weights": "weights.npz", "weights_sha256": "0" * 64, "parameter_count": 10}


@pytest.mark.parametrize("content", [EXPORT, DISTILL, PRUNE])
def test_a_job_comes_back_from_its_file(content: dict[str, object]) -> None:
    job = TrainingJob.model_validate(content)
    assert TrainingJob.model_validate_json(job.model_dump_json()) == job


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (EXPORT | {"action": "train"}, "Input should be 'export', 'prune' or 'distill'"),
        (EXPORT | {"colour": "red"}, "Extra inputs are not permitted"),
        (EXPORT | {"schema_version": 2}, "Input should be 1"),
        (DISTILL | {"teacher_weights": None}, "'distill' needs teacher_network and teacher_weights"),
        (DISTILL | {"temperature": 0.0}, "greater than 0"),
        (DISTILL | {"alpha": 1.1}, "less than or equal to 1"),
        (DISTILL | {"epochs": 0}, "greater than or equal to 1"),
        (PRUNE | {"parameter_reduction": None}, "'prune' needs parameter_reduction"),
        (PRUNE | {"parameter_reduction": 1.0}, "less than 1"),
    ],
)
def test_a_job_that_cannot_be_meant_is_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingJob.model_validate(content)


def test_a_result_comes_back_with_its_parity_by_batch() -> None:
    model = {"onnx": "model.onnx", "onnx_sha256": "1" * 64, "parity": {1: 1e-6, 8: 2e-6}}
    result = TrainingResult.model_validate(RESULT | model)
    again = TrainingResult.model_validate_json(result.model_dump_json())
    assert again == result
    assert again.parity == {1: 1e-6, 8: 2e-6}
    assert again.stated_sha256 == {Path("weights.npz"): "0" * 64, Path("model.onnx"): "1" * 64}


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "abc"},
        {"parameter_count": 0},
        {"minutes": -1.0},
        {"onnx": "model.onnx"},
        {"action": "export"},
    ],
)
def test_a_result_with_impossible_values_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingResult.model_validate(RESULT | change)
