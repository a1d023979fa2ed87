"""What Triton needs to know of a build, as the content of its ``config.pbtxt``.

Nothing in it depends on the machine: how many instances and threads there are is chosen when the build is loaded.
"""

from contracts.model_card import CARD_PARAMETER, ModelCard
from model_compiler.graph.onnx_model import GraphInterface, TensorFacts
from model_compiler.packaging.pbtxt import EnumName, Message
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.variant import Backend, Precision

MODEL_FILE = "model.onnx"
"""What a build holds for every backend; a TensorRT device compiles its plan from it and names that when it loads."""
PRECISION_PARAMETER = "precision"


def triton_config(
    card: ModelCard,
    interface: GraphInterface,
    serving: ServingSettings,
    *,
    backend: Backend,
    precision: Precision = "auto",
) -> Message:
    """Triton's model configuration for a build.

    Args:
        card: Repeated in ``parameters``, so that a gateway needs no file of a remote Triton.
        interface: The tensors of the packaged model. Where each has an open first axis, requests are batched.
        serving: Batch sizes and the queue policy.
        backend: What runs the model.
        precision: What the backend computes in; ``auto`` leaves it to the machine, and TensorRT reads it in the graph.
    """
    tensors = (*interface.inputs, *interface.outputs)
    batched = all(tensor.shape and tensor.shape[0] is None for tensor in tensors)
    of_backend = _tensorrt(interface, serving, batched=batched) if backend == "tensorrt" else _processor(backend)
    return {
        "name": card.build,
        **of_backend,
        "max_batch_size": serving.max_batch_size if batched else 0,
        "input": [_tensor(tensor, batched=batched) for tensor in interface.inputs],
        "output": [_tensor(tensor, batched=batched) for tensor in interface.outputs],
        **({"dynamic_batching": _dynamic_batching(serving)} if batched else {}),
        "model_warmup": [
            _warmup(interface, size, batched=batched) for size in _warmed_sizes(serving, backend, batched=batched)
        ],
        "parameters": [
            *([_parameter(PRECISION_PARAMETER, precision)] if precision != "auto" and backend != "tensorrt" else []),
            _parameter(CARD_PARAMETER, card.model_dump_json()),
        ],
    }


def _processor(backend: Backend) -> Message:
    """These backends compute on the CPU, also where a GPU is."""
    return {
        "backend": backend,
        "default_model_filename": MODEL_FILE,
        "instance_group": [{"kind": EnumName("KIND_CPU")}],
    }


def _tensorrt(interface: GraphInterface, serving: ServingSettings, *, batched: bool) -> Message:
    """A plan has one optimisation profile for each optimum batch size, and a CUDA graph is captured at each.

    The fields are those of ``ModelOptimizationPolicy.Cuda`` and ``ModelInstanceGroup`` in Triton's model_config.proto.
    """
    optima = serving.optimum_batch_sizes if batched else (0,)
    shapes: list[Message] = [
        {"key": tensor.name, "value": {"dim": _dims(tensor, batched=batched)}} for tensor in interface.inputs
    ]
    return {
        "platform": "tensorrt_plan",
        "backend": "tensorrt",
        "default_model_filename": MODEL_FILE,
        "instance_group": [
            {"kind": EnumName("KIND_GPU"), "profile": [str(index) for index in range(len(optima))]},
        ],
        "optimization": {
            "cuda": {"graphs": True, "graph_spec": [{"batch_size": size, "input": shapes} for size in optima]}
        },
    }


def _warmed_sizes(serving: ServingSettings, backend: Backend, *, batched: bool) -> tuple[int, ...]:
    if not batched:
        return (1,)
    optima = serving.optimum_batch_sizes if backend == "tensorrt" else ()
    return tuple(sorted({*serving.warmed_batch_sizes, *optima}))


def _dynamic_batching(serving: ServingSettings) -> Message:
    delay_microseconds = round(serving.batching_delay_seconds * 1e6)
    return {
        **({"max_queue_delay_microseconds": delay_microseconds} if delay_microseconds else {}),
        "default_queue_policy": {
            "timeout_action": EnumName("REJECT"),
            "default_timeout_microseconds": round(serving.queue_timeout_seconds * 1e6),
            "allow_timeout_override": True,
            "max_queue_size": serving.queue_size,
        },
    }


def _tensor(tensor: TensorFacts, *, batched: bool) -> Message:
    return {"name": tensor.name, "data_type": _type(tensor), "dims": _dims(tensor, batched=batched)}


def _type(tensor: TensorFacts) -> EnumName:
    return EnumName(f"TYPE_{tensor.datatype}")


def _dims(tensor: TensorFacts, *, batched: bool) -> list[int]:
    return [-1 if size is None else size for size in tensor.shape[1 if batched else 0 :]]


def _warmup(interface: GraphInterface, batch_size: int, *, batched: bool) -> Message:
    inputs: list[Message] = [
        {
            "key": tensor.name,
            "value": {
                "data_type": _type(tensor),
                "dims": [max(size, 1) for size in _dims(tensor, batched=batched)],
                "zero_data": True,
            },
        }
        for tensor in interface.inputs
    ]
    return {"name": f"batch-{batch_size}", "batch_size": batch_size, "inputs": inputs}


def _parameter(key: str, value: str) -> Message:
    return {"key": key, "value": {"string_value": value}}
