from typing import Any

import pytest
from pydantic import ValidationError

from contracts.confidence_calibration import ConfidenceCalibration, ScoreMap

SCALE = {"frames": 8, "hardness": (0.0, 0.5, 1.0)}
MAP = {"scores": (0.1, 0.9), "probabilities": (0.0, 0.8)}
SHA = "0" * 64


def calibration(**facts: Any) -> ConfidenceCalibration:
    given = {"dataset_sha256": SHA, "samples": 500, "hardness": SCALE, **facts}
    return ConfidenceCalibration.model_validate(given)


def test_survives_json() -> None:
    made = calibration(method="isotonic", pooled=MAP, by_label={"pit": MAP}, ece_before=0.2, ece_after=0.05)
    assert ConfidenceCalibration.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("scores", "probabilities", "problem"),
    [
        ((0.1, 0.2), (0.5,), "2 scores do not fit 1 probabilities"),
        ((0.2, 0.2), (0.5, 0.6), "scores must rise"),
        ((0.1, 0.2), (0.6, 0.5), "probabilities must not fall"),
    ],
)
def test_a_map_rises(scores: tuple[float, ...], probabilities: tuple[float, ...], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ScoreMap(scores=scores, probabilities=probabilities)


@pytest.mark.parametrize(
    "facts",
    [
        {"method": "isotonic"},
        {"method": "none", "pooled": MAP},
        {"method": "temperature"},
        {"method": "platt", "pooled": MAP, "temperature": 2.0},
    ],
)
def test_a_method_has_what_it_needs_and_nothing_else(facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="does not fit the maps"):
        calibration(**facts)
