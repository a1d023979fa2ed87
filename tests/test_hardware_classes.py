"""The hardware classes that come with Outpost, and what the guides say of them."""

import re
from pathlib import Path

import pytest

from contracts.machine_class import MachineFacts, detect_class
from model_compiler.hardware_catalogue import HARDWARE_CLASSES, read_hardware_classes

CLASSES = read_hardware_classes()
GUIDES = Path(__file__).parents[1] / "docs" / "guides"


def test_the_promised_classes_are_there() -> None:
    assert set(CLASSES) >= {
        *("jetson-orin-nano", "jetson-orin-nx", "jetson-agx-orin", "x86-cpu", "arm-cpu", "x86-nvidia-gpu"),
        *("jetson-vision-standard", "intel-lowpower-detector", "factory-gateway-gpu", "medical-cart-cpu"),
    }
    assert {path.stem for path in HARDWARE_CLASSES.iterdir()} == set(CLASSES)


@pytest.mark.parametrize(
    "facts",
    [
        MachineFacts("x86_64"),
        MachineFacts("x86_64", nvidia_gpu=True),
        MachineFacts("aarch64"),
        MachineFacts("aarch64", "NVIDIA Jetson Orin Nano Developer Kit"),
        MachineFacts("aarch64", "NVIDIA Jetson Orin NX Engineering Reference Developer Kit"),
        MachineFacts("aarch64", "NVIDIA Jetson AGX Orin Developer Kit"),
    ],
)
def test_a_detected_class_is_there_and_accepts_what_its_file_says(facts: MachineFacts) -> None:
    here = detect_class(facts)
    assert CLASSES[here.name].accepts_builds_of == here.accepts_builds_of
    assert CLASSES[here.name].cpu_architecture == facts.architecture


@pytest.mark.parametrize(
    ("declared", "facts"),
    [
        ("jetson-vision-standard", MachineFacts("aarch64", "NVIDIA Jetson Orin NX")),
        ("intel-lowpower-detector", MachineFacts("x86_64")),
        ("factory-gateway-gpu", MachineFacts("x86_64", nvidia_gpu=True)),
        ("medical-cart-cpu", MachineFacts("x86_64")),
    ],
)
def test_a_declared_class_accepts_what_its_file_says(declared: str, facts: MachineFacts) -> None:
    here = detect_class(facts, declared)
    assert CLASSES[declared].accepts_builds_of == here.accepts_builds_of


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_leaves_memory_for_the_system(name: str) -> None:
    memory = CLASSES[name].memory
    runs_in = memory.accelerator_bytes or memory.total_bytes
    assert memory.models_ceiling_bytes <= (0.75 if memory.accelerator_bytes else 0.25) * runs_in


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_has_a_baseline_to_be_compared_with(name: str) -> None:
    target = CLASSES[name]
    backends = {variant.backend for variant in target.variants}
    assert all(any(v.variant == "f32" and v.backend == backend for v in target.variants) for backend in backends)


def test_no_jetson_of_this_generation_claims_eight_bit_floats_or_more_power_than_it_has() -> None:
    agx = CLASSES["jetson-agx-orin"]
    assert max(mode.watts for mode in agx.power_modes) == 60
    assert min(mode.watts for mode in agx.power_modes) == 15
    assert {fact.name: fact.value for fact in agx.facts}["peak_int8_sparse"] == 275


def test_the_reported_operating_points_of_an_orin_nx() -> None:
    points = CLASSES["jetson-orin-nx"].operating_points
    assert [(point.watts, point.latency_ms, round(point.frames_per_second)) for point in points] == [
        (8, 18, 56),
        (12, 12, 83),
        (15, 10, 100),
        (25, 9, 111),
    ]


def test_the_guide_lists_every_class_with_what_it_accepts() -> None:
    rows = {}
    for line in (GUIDES / "hardware-classes.md").read_text().splitlines():
        cells = [re.findall(r"`([a-z0-9-]+)`", cell) for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and len(cells[0]) == 1 and cells[0][0] in CLASSES:
            rows[cells[0][0]] = tuple(cells[3])
    assert rows == {name: target.accepts_builds_of for name, target in CLASSES.items()}


def test_the_guide_shows_every_key_of_the_file() -> None:
    guide = (GUIDES / "hardware-classes.md").read_text()
    keys = set(type(CLASSES["x86-cpu"]).model_fields) - {"schema_version"}
    assert {key for key in keys if not re.search(rf"^{key}:", guide, re.MULTILINE)} == set()
