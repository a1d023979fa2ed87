from pathlib import Path

import pytest
from pydantic import ValidationError

from model_compiler.quantization.settings import QuantizationSettings


def test_defaults_are_enough() -> None:
    settings = QuantizationSettings(frames=Path("frames"))
    assert 100 <= settings.count <= 300


@pytest.mark.parametrize(
    "wrong", [{"count": 99}, {"count": 301}, {"method": "kl"}, {"percentile": 101.0}, {"frame": 1}]
)
def test_wrong_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        QuantizationSettings.model_validate({"frames": "frames"} | wrong)


def test_few_frames_are_allowed_explicitly() -> None:
    assert QuantizationSettings(frames=Path("frames"), count=8, allow_few_frames=True).count == 8
