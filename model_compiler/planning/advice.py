"""Starting points for kinds of work: which target is worth trying first. Your own measurement decides."""

from dataclasses import dataclass
from typing import Literal

Workload = Literal["battery-video", "several-models", "portable", "mobile", "wireless-gateway", "sensor"]


@dataclass(frozen=True, slots=True)
class Advice:
    """A target for a kind of work.

    Attributes:
        classes: Hardware classes to try first, in this order; empty where the target cannot run Triton.
        target: In words.
        because: Why.
    """

    workload: Workload
    classes: tuple[str, ...]
    target: str
    because: str


ADVICE: tuple[Advice, ...] = (
    Advice(
        "battery-video",
        ("jetson-orin-nx", "jetson-vision-standard", "jetson-orin-nano"),
        "Jetson Orin NX",
        "more than 10 frames/s from a battery: power modes from 10 W, and no fan needed at the lower ones",
    ),
    Advice(
        "several-models",
        ("jetson-agx-orin", "factory-gateway-gpu", "x86-nvidia-gpu"),
        "Jetson AGX Orin",
        "several models at once on mains power: 64 GB of memory at 15 to 60 W",
    ),
    Advice(
        "portable",
        ("x86-cpu", "intel-lowpower-detector", "medical-cart-cpu", "arm-cpu"),
        "a CPU with OpenVINO",
        "one ONNX model on many families of devices, without an accelerator to depend on",
    ),
    Advice(
        "mobile",
        (),
        "Snapdragon or a similar mobile SoC",
        "camera pipeline and NPU on one chip, but no Triton: export INT8 Q/DQ ONNX for the vendor's toolchain",
    ),
    Advice(
        "wireless-gateway",
        (),
        "Arm Ethos-U",
        "an NPU for integers only (INT8, no FP32 or FP16), and no Triton: export INT8 Q/DQ ONNX for Vela",
    ),
    Advice(
        "sensor",
        (),
        "a microcontroller with LiteRT Micro (TensorFlow Lite Micro)",
        "below 100 mW, and no Triton: export INT8 Q/DQ ONNX and convert it; ask a larger device when it triggers",
    ),
)

ARCHITECTURES: dict[str, str] = {
    "jetson-orin-nano": "MobileNetV3, EfficientNet-B0, YOLOv8n",
    "jetson-orin-nx": "EfficientNet-B0 to B2, ResNet-34, YOLOv8n or s",
    "jetson-agx-orin": "ResNet-50, vision transformers, YOLOv8m",
    "x86-cpu": "MobileNetV2 or V3, YOLOv8n at 416 to 640 pixels",
    "arm-cpu": "MobileNetV3-Small, SqueezeNet, YOLOv8n at 320 pixels",
}
"""Families worth trying first on a class. The smallest model inside the gate wins, whatever its family."""


def advice_for(workload: Workload) -> Advice:
    """The starting point for a kind of work."""
    return next(advice for advice in ADVICE if advice.workload == workload)
