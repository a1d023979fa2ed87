import pytest
from pydantic import ValidationError

from contracts.build_performance import BuildPerformance


def test_what_was_not_measured_has_no_numbers() -> None:
    with pytest.raises(ValidationError, match="not_measured, but there are numbers"):
        BuildPerformance(hardware_class="jetson-orin-nx", status="not_measured", latency_p50_ms=3.0)


def test_what_was_measured_has_numbers() -> None:
    with pytest.raises(ValidationError, match="measured, but there is no number"):
        BuildPerformance(hardware_class="x86-cpu", status="measured", peak_memory_bytes=10)


def test_survives_json() -> None:
    made = BuildPerformance(hardware_class="x86-cpu", status="measured", images_per_second=80.0)
    assert BuildPerformance.model_validate_json(made.model_dump_json()) == made
