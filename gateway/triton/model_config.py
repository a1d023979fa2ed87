"""Triton's model config: from ``config.pbtxt`` to the JSON that a load call takes, with this machine's values. Pure."""

from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format, text_format

from contracts.engine_cache import PLAN_FILE
from contracts.model_card import OutputSpec
from gateway.oip import model_config_pb2

GENERATION_PARAMETER = "outpost_generation"
THREADS_PARAMETER = "intra_op_thread_count"
OWN_BACKENDS = ("onnxruntime", "openvino")
_RAW_DECODERS = ("yolov8", "yolov5")
_TENSORRT, _TENSORRT_PLATFORM = "tensorrt", "tensorrt_plan"


class InvalidModelConfig(ValueError):
    """The text is not a model config."""


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """How much of the machine one build may use."""

    instances: int
    threads_per_instance: int


def parse_config(content: bytes) -> model_config_pb2.ModelConfig:
    """Read ``config.pbtxt``.

    Raises:
        InvalidModelConfig: With the place of the mistake.
    """
    try:
        return text_format.Parse(content.decode(), model_config_pb2.ModelConfig())
    except UnicodeDecodeError as error:
        raise InvalidModelConfig(f"config.pbtxt: is not UTF-8 text from byte {error.start} on") from error
    except text_format.ParseError as error:
        raise InvalidModelConfig(f"config.pbtxt: {error}") from error


def needs_plan(config: model_config_pb2.ModelConfig) -> bool:
    """Whether the build runs on a plan that its machine makes of it."""
    return bool(config.backend == _TENSORRT or config.platform == _TENSORRT_PLATFORM)


def raw_output_shape(config: model_config_pb2.ModelConfig, output: OutputSpec) -> tuple[int, ...]:
    """Shape of one frame's raw output, FP32, where it is fixed; empty for others, which are small."""
    if output.decoder not in _RAW_DECODERS:
        return ()
    for each in config.output:
        dims = tuple(each.dims[0 if config.max_batch_size else 1 :])
        if each.name == output.name and each.data_type == model_config_pb2.TYPE_FP32 and all(dim > 0 for dim in dims):
            return dims
    return ()


def config_with_plan(
    config: model_config_pb2.ModelConfig, owner_parameter: str, owner: str
) -> model_config_pb2.ModelConfig:
    """The config of a TensorRT build with the plan for its file, in place of the ONNX that the plan was made from.

    Args:
        config: As packaged.
        owner_parameter: Name of the parameter that tells what Triton keeps of the plan from others' files.
        owner: Its value.
    """
    changed = model_config_pb2.ModelConfig()
    changed.CopyFrom(config)
    changed.default_model_filename = PLAN_FILE
    changed.parameters[owner_parameter].string_value = owner
    return changed


def config_for_machine(config: model_config_pb2.ModelConfig, limits: MachineLimits, generation: str) -> dict[str, Any]:
    """The config with this machine's instances and threads.

    Only builds of our own backends that leave the number of instances open are changed: they name no instance group,
    or only groups on the CPU without a count. They get their instances, and lose dynamic batching, which gains nothing
    on CPUs (the rows of a batch run one after the other) and spreads requests unevenly over the instances.
    """
    changed = model_config_pb2.ModelConfig()
    changed.CopyFrom(config)
    if config.backend in OWN_BACKENDS and all(_leaves_count_open(group) for group in config.instance_group):
        groups = changed.instance_group or [changed.instance_group.add()]
        for group in groups:
            group.kind = model_config_pb2.ModelInstanceGroup.KIND_CPU
            group.count = max(1, limits.instances // len(groups))
        changed.ClearField("dynamic_batching")
        changed.parameters[THREADS_PARAMETER].string_value = str(limits.threads_per_instance)
    return config_of_generation(changed, generation)


def _leaves_count_open(group: model_config_pb2.ModelInstanceGroup) -> bool:
    return group.count == 0 and group.kind in (group.KIND_AUTO, group.KIND_CPU) and not group.gpus


def config_of_generation(config: model_config_pb2.ModelConfig, generation: str) -> dict[str, Any]:
    """The config with a mark of its own, as a load call takes it.

    A load with another value makes Triton load a fresh set of instances while the old set serves, which is how a set
    with a dead instance is replaced; an unchanged config makes the load do nothing.
    """
    changed = model_config_pb2.ModelConfig()
    changed.CopyFrom(config)
    changed.parameters[GENERATION_PARAMETER].string_value = generation
    result: dict[str, Any] = json_format.MessageToDict(changed, preserving_proto_field_name=True)
    return result
