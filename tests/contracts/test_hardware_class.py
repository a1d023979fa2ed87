from typing import Any

import pytest
from pydantic import ValidationError

from contracts.hardware_class import HardwareClass

SMALLEST: dict[str, Any] = {
    "name": "shop-box",
    "tier": "gateway",
    "description": "A box in a shop",
    "cpu_architecture": "x86_64",
    "accelerator": "none",
    "runtime": "openvino",
    "backends": ["openvino", "onnxruntime"],
    "variants": [{"variant": "int8", "backend": "openvino"}],
    "memory": {"total_bytes": 8_000_000_000, "models_ceiling_bytes": 2_000_000_000},
    "storage_bytes": 32_000_000_000,
    "latency": {"shortest_budget_ms": 30, "ceiling_p99_ms": 100, "ceiling_load_seconds": 30},
    "power_modes": [{"name": "default", "watts": 28}],
    "thermal": {"cooling": "active", "ambient_max_celsius": 40, "sustained_share": 0.8},
    "connectivity": "online",
    "update_interval_hours": 24,
    "rollout": {"waves": [{"name": "all", "percent": 100, "soak_hours": 0}]},
    "fallback": {"build_does_not_load": "previous-build"},
}
GPU: dict[str, Any] = SMALLEST | {
    "accelerator": "nvidia-gpu",
    "runtime": "tensorrt",
    "backends": ["tensorrt", "openvino"],
    "variants": [{"variant": "f16", "backend": "tensorrt"}],
    "accepts_builds_of": ["x86-cpu"],
    "fallback": {
        "build_does_not_load": "previous-build",
        "accelerator_is_gone": "fallback-class",
        "hardware_class": "x86-cpu",
    },
}


@pytest.mark.parametrize("field", [field for field in SMALLEST if field != "schema_version"])
def test_every_fact_of_a_target_is_required(field: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){field}.*required"):
        HardwareClass.model_validate({key: value for key, value in SMALLEST.items() if key != field})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tier": "cloud"}, "soc"),
        ({"backends": ["onnxruntime"]}, "runtime 'openvino' is not among the backends"),
        ({"backends": ["openvino", "tensorrt"]}, "'tensorrt' needs an accelerator"),
        ({"variants": [{"variant": "int8", "backend": "tensorrt"}]}, "variants name \\['tensorrt'\\]"),
        ({"variants": []}, "variants"),
        ({"variants": SMALLEST["variants"] * 2}, "entries of variants must differ"),
        ({"memory": {"total_bytes": 8, "models_ceiling_bytes": 8}}, "below the memory that models run in, 8"),
        ({"memory": {"total_bytes": 9, "accelerator_bytes": 4, "models_ceiling_bytes": 5}}, "run in, 4"),
        ({"latency": {"shortest_budget_ms": 9, "ceiling_p99_ms": 8, "ceiling_load_seconds": 1}}, "must not be above"),
        ({"power_modes": [{"name": "a", "watts": 0}]}, "watts"),
        ({"power_modes": [{"name": "a", "watts": 1, "gpu_frequency_max_khz": 5}]}, "gpu_frequency_max_khz"),
        ({"power_modes": [{"name": "a", "watts": 1}, {"name": "a", "watts": 2}]}, "power_modes must differ"),
        ({"thermal": {"cooling": "active", "ambient_max_celsius": 40, "sustained_share": 1.1}}, "sustained_share"),
        ({"rollout": {"waves": [{"name": "a", "percent": 10, "soak_hours": 1}]}}, "end at 100"),
        (
            {
                "rollout": {
                    "waves": [
                        {"name": "a", "percent": 100, "soak_hours": 1},
                        {"name": "b", "percent": 10, "soak_hours": 1},
                    ]
                }
            },
            "must grow",
        ),
        ({"fallback": {"build_does_not_load": "fallback-class"}}, "hardware_class is missing"),
        (
            {"fallback": {"build_does_not_load": "previous-build", "accelerator_is_gone": "stop"}},
            "does not suit accelerator 'none'",
        ),
        (
            {"fallback": {"build_does_not_load": "fallback-class", "hardware_class": "arm-cpu"}},
            "'arm-cpu' is not among accepts_builds_of",
        ),
        ({"facts": [{"name": "peak", "value": 40, "unit": "TOPS", "source": "maker"}]}, "date"),
        ({"facts": [{"name": "peak", "value": 40, "unit": "TOPS", "date": "2026-01-01"}]}, "source"),
        ({"storage_bytes": -1}, "storage_bytes"),
        ({"name": "Shop Box"}, "name"),
    ],
)
def test_a_class_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HardwareClass.model_validate(SMALLEST | change)


def test_a_class_with_an_accelerator_says_what_serves_without_it() -> None:
    assert HardwareClass.model_validate(GPU).fallback.hardware_class == "x86-cpu"
    with pytest.raises(ValidationError, match="does not suit accelerator 'nvidia-gpu'"):
        HardwareClass.model_validate(GPU | {"fallback": {"build_does_not_load": "previous-build"}})


def test_an_operating_point_gives_frames_and_energy() -> None:
    point = {"model": "m", "watts": 8, "latency_ms": 18, "source": "s", "date": "2026-01-01"}
    read = HardwareClass.model_validate(SMALLEST | {"operating_points": [point]}).operating_points[0]
    assert read.frames_per_second == pytest.approx(55.6, abs=0.1)
    assert read.joules_per_frame == pytest.approx(0.144)
