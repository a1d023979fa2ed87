"""Builds of `benchmarks.resident_backend`: on a GPU their tensors never pass the machine's memory."""

import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from google.protobuf import text_format

from benchmarks import resident_backend
from contracts.model_card import CARD_PARAMETER, InputSpec, ModelCard, NmsSpec, OutputSpec, Thresholds
from gateway.oip import model_config_pb2

HARDWARE_CLASS = "x86-cpu"
_LABELS = ("wide", "tall")


def write_resident_build(
    folder: Path,
    model: str,
    *,
    input_wh: tuple[int, int],
    output_shape: tuple[int, int],
    on_gpu: bool,
    instances: int = 1,
    pause_ms: float = 0.0,
) -> ModelCard:
    """Write a build directory.

    Args:
        folder: The build's parent.
        model: The alias.
        input_wh: Size of the input, uint8.
        output_shape: (K, 6) for candidates, (4 + C, A) for a raw head of the form yolov8.
        on_gpu: Its instances run on the first GPU, else on the CPU.
        instances: How many.
        pause_ms: How long an inference takes besides.
    """
    candidates = output_shape[1] == 6
    labels = _LABELS if candidates else (*_LABELS, *(f"class {index}" for index in range(2, output_shape[0] - 4)))
    card = ModelCard(
        model=model,
        version="1.0.0",
        hardware_class=HARDWARE_CLASS,
        labels=labels,
        input=InputSpec(width=input_wh[0], height=input_wh[1]),
        output=OutputSpec(name=resident_backend.OUTPUT, decoder="candidates" if candidates else "yolov8"),
        thresholds=Thresholds(default=0.2),
        nms=NmsSpec(),
    )
    config = _config(card, output_shape, pause_ms)
    group = config.instance_group.add(count=instances, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU)
    if on_gpu:
        group.kind = model_config_pb2.ModelInstanceGroup.KIND_GPU
        group.gpus.append(0)  # not one on every GPU
    target = folder / card.build
    (target / "1").mkdir(parents=True)
    (target / "config.pbtxt").write_text(text_format.MessageToString(config))
    (target / "card.json").write_text(card.model_dump_json(indent=1) + "\n")
    shutil.copy(resident_backend.__file__, target / "1" / "model.py")
    return card


def _config(card: ModelCard, output_shape: Sequence[int], pause_ms: float) -> model_config_pb2.ModelConfig:
    config = model_config_pb2.ModelConfig(name=card.build, backend="python", max_batch_size=8)
    dims = [card.input.height, card.input.width, 3]
    config.input.add(name=card.input.name, data_type=model_config_pb2.TYPE_UINT8, dims=dims)
    config.output.add(name=card.output.name, data_type=model_config_pb2.TYPE_FP32, dims=output_shape)
    config.parameters[CARD_PARAMETER].string_value = card.model_dump_json()
    config.parameters[resident_backend.PAUSE_PARAMETER].string_value = str(pause_ms)
    config.parameters["FORCE_CPU_ONLY_INPUT_TENSORS"].string_value = "no"
    return config


def why_no_device_arrays() -> str:
    """What is missing for the model to run on a GPU; empty where something may do. Imports nothing large."""
    if find_spec("cupy") is not None:
        return ""
    try:
        found = version("torch")
    except PackageNotFoundError:
        found = "+cpu"
    if not found.endswith("+cpu"):
        return ""
    return "there is no PyTorch with CUDA and no CuPy, one of which the resident model needs"
