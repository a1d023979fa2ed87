import numpy as np
import pytest

from vision.hardness import expected_errors, lack_of_margin, on_scale, strongest_hidden


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [([], 0.0), ([1.0, 0.0], 0.0), ([0.5], 0.5), ([0.9, 0.2, 0.6], 0.1 + 0.2 + 0.4)],
)
def test_expected_errors(probabilities: list[float], expected: float) -> None:
    assert expected_errors(np.array(probabilities)) == pytest.approx(expected)


def test_a_crowd_does_not_saturate_but_has_an_end() -> None:
    assert expected_errors(np.full(10, 0.9)) == pytest.approx(1.0)
    assert expected_errors(np.full(500, 0.9)) == pytest.approx(5.0)


def test_a_frame_that_shows_nothing_can_be_hard() -> None:
    assert strongest_hidden(np.array([0.3, 0.2]), np.array([False, False])) == 0.3
    assert strongest_hidden(np.array([0.9, 0.2]), np.array([True, False])) == 0.2
    assert strongest_hidden(np.array([0.9]), np.array([True])) == 0.0
    assert strongest_hidden(np.zeros(0), np.zeros(0, np.bool_)) == 0.0


def test_lack_of_margin() -> None:
    found = lack_of_margin(np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]))
    assert found == pytest.approx([0.5, 1.0, 0.0])
    assert lack_of_margin(np.array([[0.8]])) == pytest.approx([0.2])


def test_the_scale_is_the_distribution_of_the_calibration_frames() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=4000)
    scaled = on_scale(values, np.quantile(values, np.linspace(0, 1, 21)))
    assert np.quantile(scaled, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.01)


def test_the_usual_value_is_easy_and_a_new_extreme_is_hard() -> None:
    quantiles = np.array([0.0, 0.0, 0.0, 1.0, 2.0])
    assert on_scale(np.array([-1.0, 0.0, 1.0, 1.5, 2.0, 9.0]), quantiles).tolist() == [0.0, 0.0, 0.75, 0.875, 1.0, 1.0]
