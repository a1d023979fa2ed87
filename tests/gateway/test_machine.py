"""What this machine is, and whose builds it loads."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.machine_class import MachineFacts
from gateway.machine import read_facts, refusal, serving_class
from gateway.settings import Settings

X86 = MachineFacts("x86_64")
JETSON = MachineFacts("aarch64", "NVIDIA Jetson Orin NX Engineering Reference Developer Kit")


def test_facts_are_read_from_the_system(tmp_path: Path) -> None:
    assert read_facts(tmp_path).nvidia_gpu is False
    assert read_facts(tmp_path).device_tree_model == ""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    assert read_facts(tmp_path).nvidia_gpu is False
    (tmp_path / "dev" / "nvidia0").touch()
    (tmp_path / "proc" / "device-tree").mkdir(parents=True)
    (tmp_path / "proc" / "device-tree" / "model").write_bytes(b"NVIDIA Jetson AGX Orin\0")
    assert read_facts(tmp_path).nvidia_gpu is True
    assert read_facts(tmp_path).device_tree_model == "NVIDIA Jetson AGX Orin"


@pytest.mark.parametrize(
    ("facts", "settings", "name", "loads", "refuses"),
    [
        (X86, Settings(), "x86-cpu", ["x86-cpu"], ["arm-cpu", "jetson-orin-nx"]),
        (X86, Settings(hardware_class="medical-cart-cpu"), "medical-cart-cpu", ["x86-cpu"], ["arm-cpu"]),
        (X86, Settings(accepted_classes="arm-cpu,my-box"), "x86-cpu", ["arm-cpu", "my-box"], ["jetson-orin-nx"]),
        (JETSON, Settings(), "jetson-orin-nx", ["jetson-orin-nx", "arm-cpu"], ["x86-cpu", "jetson-orin-nano"]),
        (X86, Settings(triton="grpc://h:1", hardware_class="x86-nvidia-gpu"), "x86-nvidia-gpu", [], ["x86-cpu"]),
        (MachineFacts("riscv64"), Settings(), "unknown", [], ["x86-cpu"]),
        (MachineFacts("riscv64"), Settings(hardware_class="my-riscv"), "my-riscv", ["my-riscv"], ["x86-cpu"]),
    ],
)
def test_whose_builds_are_loaded(
    facts: MachineFacts, settings: Settings, name: str, loads: list[str], refuses: list[str]
) -> None:
    machine = serving_class(settings, facts)
    assert machine is not None
    assert machine.name == name
    assert [refusal(machine, each) for each in loads] == [""] * len(loads)
    for each in refuses:
        assert refusal(machine, each).startswith(f"it is built for {each}, and this machine is {name} (")


def test_an_external_triton_is_judged_by_the_settings_only() -> None:
    machine = serving_class(Settings(triton="grpc://h:1"), X86)
    assert machine is None
    assert refusal(machine, "jetson-orin-nx") == ""


@pytest.mark.parametrize("text", ["x86 cpu", "X86", "a,,b", ",a", "a,"])
def test_classes_that_are_none(text: str) -> None:
    with pytest.raises(ValidationError, match="accepted_classes"):
        Settings(accepted_classes=text)
