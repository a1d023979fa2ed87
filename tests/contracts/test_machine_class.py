import pytest

from contracts.machine_class import UNKNOWN, MachineFacts, detect_class


@pytest.mark.parametrize(
    ("facts", "name", "accepts"),
    [
        (MachineFacts("x86_64"), "x86-cpu", ()),
        (MachineFacts("AMD64"), "x86-cpu", ()),
        (MachineFacts("x86_64", nvidia_gpu=True), "x86-nvidia-gpu", ("x86-cpu",)),
        (
            MachineFacts("aarch64", "NVIDIA Jetson Orin Nano Developer Kit\0"),
            "jetson-orin-nano",
            ("arm-cpu",),
        ),
        (
            MachineFacts("aarch64", "NVIDIA Jetson Orin NX Engineering Reference Developer Kit"),
            "jetson-orin-nx",
            ("arm-cpu",),
        ),
        (MachineFacts("aarch64", "NVIDIA Jetson AGX Orin Developer Kit"), "jetson-agx-orin", ("arm-cpu",)),
        (MachineFacts("aarch64", "NVIDIA Jetson AGX Thor Developer Kit"), "arm-cpu", ()),
        (MachineFacts("aarch64", "Raspberry Pi 5 Model B Rev 1.0"), "arm-cpu", ()),
        (MachineFacts("arm64", nvidia_gpu=True), "arm-cpu", ()),
    ],
)
def test_a_machine_says_what_it_is(facts: MachineFacts, name: str, accepts: tuple[str, ...]) -> None:
    here = detect_class(facts)
    assert (here.name, here.accepts_builds_of) == (name, accepts)
    assert all(here.accepts(each) for each in (name, *accepts))
    assert not here.accepts("jetson-orin-nx" if name != "jetson-orin-nx" else "jetson-orin-nano")


def test_the_reason_names_the_fact_that_decided() -> None:
    assert "Jetson Orin NX" in detect_class(MachineFacts("aarch64", "NVIDIA Jetson Orin NX")).reason
    assert "Raspberry" in detect_class(MachineFacts("aarch64", "Raspberry Pi 5")).reason


def test_an_unknown_machine_accepts_nothing_until_its_class_is_declared() -> None:
    here = detect_class(MachineFacts("riscv64"))
    assert here.name == UNKNOWN
    assert not here.accepts("x86-cpu")
    assert not here.accepts(UNKNOWN)
    assert "declare" in here.reason
    declared = detect_class(MachineFacts("riscv64"), "riscv-box")
    assert declared.accepts("riscv-box")
    assert not declared.accepts(UNKNOWN)


def test_a_declared_class_also_runs_what_the_machine_runs() -> None:
    here = detect_class(MachineFacts("x86_64", nvidia_gpu=True), "factory-gateway-gpu")
    assert here.name == "factory-gateway-gpu"
    assert here.accepts_builds_of == ("x86-nvidia-gpu", "x86-cpu")
    assert not here.accepts("arm-cpu")


def test_declaring_what_is_detected_changes_nothing() -> None:
    assert detect_class(MachineFacts("x86_64"), "x86-cpu") == detect_class(MachineFacts("x86_64"))
