import numpy as np
import pytest

from model_compiler.quantization.output_fidelity import MOST_DB, OutputFidelity, channel_sqnr_db
from tests.model_compiler.quantization.small_networks import batch, detector


def test_noise_of_a_tenth_is_twenty_decibels() -> None:
    expected = np.random.default_rng(0).standard_normal((2, 3, 500)).astype(np.float32)
    expected[:, 1] *= 100
    np.testing.assert_allclose(channel_sqnr_db(expected, expected * np.float32(1.1)), [20, 20, 20], atol=0.01)
    np.testing.assert_allclose(
        channel_sqnr_db(expected.transpose(0, 2, 1), expected.transpose(0, 2, 1) * np.float32(0.9)), 20, atol=0.01
    )


def test_silent_channels_are_left_out() -> None:
    expected = np.ones((2, 3, 5), np.float32)
    expected[:, 0] = 0
    assert channel_sqnr_db(expected, expected + np.float32(0.1)).shape == (2,)


def test_a_network_is_like_itself() -> None:
    assert OutputFidelity(detector(), [batch()]).sqnr_db(detector()) == pytest.approx(MOST_DB)
