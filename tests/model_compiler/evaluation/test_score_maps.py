import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_compiler.evaluation.score_maps import (
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    pool_adjacent_violators,
    tempered,
)


def overconfident(seed: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores s of which a share s squared is right."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.05, 1, count)
    return scores, rng.random(count) < scores**2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([3, 2, 1], [2, 2, 2]),
        ([0, 1, 0, 1, 1], [0, 0.5, 0.5, 1, 1]),
        ([1, 0, 0, 1], [1 / 3, 1 / 3, 1 / 3, 1]),
        ([5], [5]),
    ],
)
def test_pool_adjacent_violators(values: list[float], expected: list[float]) -> None:
    assert pool_adjacent_violators(np.array(values, np.float64)) == pytest.approx(expected)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40))
def test_pooling_rises_and_keeps_the_mean(values: list[float]) -> None:
    pooled = pool_adjacent_violators(np.array(values))
    assert (np.diff(pooled) >= -1e-9).all()
    assert pooled.mean() == pytest.approx(np.mean(values), abs=1e-9)


@pytest.mark.parametrize("fit", [fit_isotonic, fit_platt])
def test_a_map_makes_scores_into_probabilities(fit: type[object]) -> None:
    fitted = fit(*overconfident(0, 4000))  # type: ignore[call-arg]
    scores, hits = overconfident(1, 4000)
    before = expected_calibration_error(scores, hits)
    after = expected_calibration_error(fitted(scores), hits)  # type: ignore[operator]
    assert before > 0.15
    assert after < 0.03


@pytest.mark.parametrize("fit", [fit_isotonic, fit_platt])
def test_a_map_rises_even_where_scores_mislead(fit: type[object]) -> None:
    scores = np.linspace(0.1, 0.9, 200)
    fitted = fit(scores, scores < 0.5)  # type: ignore[call-arg]
    mapped = fitted(np.linspace(0, 1, 50))  # type: ignore[operator]
    assert (np.diff(mapped) >= 0).all()
    assert mapped == pytest.approx(np.full(50, 0.5), abs=0.01)


@pytest.mark.parametrize("fit", [fit_isotonic, fit_platt])
@pytest.mark.parametrize("hits", [[True], [False], [True] * 5, [False] * 5])
def test_a_few_equal_boxes_do_no_harm(fit: type[object], hits: list[bool]) -> None:
    fitted = fit(np.full(len(hits), 0.7), np.array(hits))  # type: ignore[call-arg]
    assert 0 <= fitted(np.array([0.7]))[0] <= 1  # type: ignore[operator]


def test_expected_calibration_error() -> None:
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0
    assert expected_calibration_error(np.array([0.9, 0.9]), np.array([True, False])) == pytest.approx(0.4)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, np.bool_)) == 0


def test_the_temperature_that_made_the_scores_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 4))
    honest = tempered(np.exp(logits), 1.0)
    classes = (rng.random((4000, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    overconfident_scores = tempered(np.exp(logits), 1 / 3)
    assert fit_temperature(overconfident_scores, classes) == pytest.approx(3.0, rel=0.1)
    assert tempered(overconfident_scores, 3.0) == pytest.approx(honest, abs=1e-3)
