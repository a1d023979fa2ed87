"""What this machine is, and whose builds may be loaded into its Triton."""

import platform
from dataclasses import replace
from pathlib import Path

from contracts.machine_class import MachineClass, MachineFacts, detect_class
from gateway.cores import usable_cores
from gateway.settings import Settings


def read_facts(root: Path = Path("/")) -> MachineFacts:
    """Ask the operating system.

    Args:
        root: Where ``/dev`` and ``/proc`` are.
    """
    try:
        tree = (root / "proc/device-tree/model").read_text(errors="replace").strip("\0 \n")
    except OSError:
        tree = ""
    return MachineFacts(platform.machine(), tree, any((root / "dev").glob("nvidia[0-9]*")))


def instances_per_build(settings: Settings) -> int:
    """Instances that each build for the CPU gets: one for each group of cores that it takes threads for."""
    return settings.instances or max(1, usable_cores() // (settings.threads_per_instance or 1))


def serving_class(settings: Settings, facts: MachineFacts) -> MachineClass | None:
    """The class whose builds are loaded; None where all are, since Triton is on a machine out of sight.

    Args:
        settings: They may declare the class, and name further ones.
        facts: Of this machine; an external Triton's is only known as far as the settings declare it.
    """
    declared = settings.hardware_class or None
    if settings.on_this_machine:
        found = detect_class(facts, declared)
    elif declared is not None:
        found = MachineClass(declared, "the operator declared it for the external Triton")
    else:
        return None
    return replace(found, accepts_builds_of=(*found.accepts_builds_of, *settings.accepted_class_names))


def refusal(machine: MachineClass | None, hardware_class: str) -> str:
    """Why builds for a class are not loaded here; empty where they are."""
    if machine is None or machine.accepts(hardware_class):
        return ""
    accepted = ", ".join((machine.name, *machine.accepts_builds_of))
    return (
        f"it is built for {hardware_class}, and this machine is {machine.name} ({machine.reason}), which loads builds"
        f" for {accepted}; install a build for one of these, or name the class with --accepted-classes"
    )
