"""Which hardware class a machine belongs to, from facts that its operating system states."""

from dataclasses import dataclass

UNKNOWN = "unknown"
"""Name of the class of a machine that no class describes; it accepts no build."""

_JETSONS = (("orin nano", "jetson-orin-nano"), ("orin nx", "jetson-orin-nx"), ("agx orin", "jetson-agx-orin"))
_CPU_CLASSES = {
    "x86_64": "x86-cpu",
    "amd64": "x86-cpu",
    "aarch64": "arm-cpu",
    "arm64": "arm-cpu",
}


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What is read from a machine.

    Attributes:
        architecture: As ``uname -m`` says: ``x86_64``, ``aarch64``.
        device_tree_model: Content of ``/proc/device-tree/model`` without its closing NUL; empty where there is none.
        nvidia_gpu: Whether a device ``/dev/nvidia<number>`` can be opened here; in a container, whether it was given.
    """

    architecture: str
    device_tree_model: str = ""
    nvidia_gpu: bool = False


@dataclass(frozen=True, slots=True)
class MachineClass:
    """The class of one machine.

    Attributes:
        name: Of the hardware class, or ``unknown``.
        reason: One sentence for people.
        accepts_builds_of: Further classes whose builds run here.
    """

    name: str
    reason: str
    accepts_builds_of: tuple[str, ...] = ()

    def accepts(self, hardware_class: str) -> bool:
        """Whether a build for this class may be loaded here."""
        return self.name != UNKNOWN and hardware_class in (self.name, *self.accepts_builds_of)


def detect_class(facts: MachineFacts, declared: str | None = None) -> MachineClass:
    """The class that a machine says it is, or was declared to be.

    Some classes are more than a machine can say of itself (a medical cart is an x86 computer with a policy): those are
    declared by the operator. A declared class also accepts the builds that the detected one runs.

    Args:
        facts: Of the machine.
        declared: The class that the operator names, where there is one.
    """
    found = _detect(facts)
    if declared is None or declared == found.name:
        return found
    others = () if found.name == UNKNOWN else (found.name, *found.accepts_builds_of)
    return MachineClass(declared, f"the operator declared it; the machine itself says: {found.reason}", others)


def _detect(facts: MachineFacts) -> MachineClass:
    cpu_class = _CPU_CLASSES.get(facts.architecture.lower())
    if cpu_class is None:
        return MachineClass(
            UNKNOWN, f"no hardware class has the architecture {facts.architecture!r}: declare the class of this machine"
        )
    if cpu_class == "arm-cpu":
        return _detect_arm(facts)
    if facts.nvidia_gpu:
        return MachineClass("x86-nvidia-gpu", f"{facts.architecture} with an NVIDIA GPU", ("x86-cpu",))
    return MachineClass("x86-cpu", f"{facts.architecture} without an NVIDIA GPU")


def _detect_arm(facts: MachineFacts) -> MachineClass:
    model = facts.device_tree_model.strip("\0 \n")
    for words, name in _JETSONS:
        if words in model.lower():
            return MachineClass(name, f"the device tree says {model!r}", ("arm-cpu",))
    seen = f"{facts.architecture}, device tree {model!r}" if model else f"{facts.architecture} without a device tree"
    return MachineClass("arm-cpu", f"{seen}: no class of its own, so its CPU")
