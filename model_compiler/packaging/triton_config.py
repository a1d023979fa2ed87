"""What Triton needs to know of a build, as the content of its ``config.pbtxt``.

Nothing in it depends on the machine: instances and threads are chosen when the build is loaded.
"""

from contracts.model_card import CARD_PARAMETER, ModelCard
from model_compiler.graph.onnx_model import GraphInterface, TensorFacts
from model_compiler.packaging.pbtxt import EnumName, Message
from model_compiler.recipe import Recipe, Target

MODEL_FILE = "model.onnx"
PRECISION_PARAMETER = "precision"


def triton_config(card: ModelCard, interface: GraphInterface, recipe: Recipe, target: Target) -> Message:
    """Triton's model configuration for a build.

    Args:
        card: Repeated in ``parameters``, so that a gateway needs no file of a remote Triton.
        interface: The tensors of the packaged model. Where each has an open first axis, requests are batched.
        recipe: Gives batch sizes and the queue policy.
        target: Gives the backend.
    """
    tensors = (*interface.inputs, *interface.outputs)
    batched = all(tensor.shape and tensor.shape[0] is None for tensor in tensors)
    batch_sizes = _warmup_sizes(recipe) if batched else (1,)
    return {
        "name": card.build,
        "backend": target.backend,
        "default_model_filename": MODEL_FILE,
        "max_batch_size": recipe.serving.max_batch_size if batched else 0,
        "input": [_tensor(tensor, batched=batched) for tensor in interface.inputs],
        "output": [_tensor(tensor, batched=batched) for tensor in interface.outputs],
        **({"dynamic_batching": {"default_queue_policy": _queue_policy(recipe)}} if batched else {}),
        "model_warmup": [_warmup(interface, size, batched=batched) for size in batch_sizes],
        "parameters": [
            *([_parameter(PRECISION_PARAMETER, target.precision)] if target.precision != "auto" else []),
            _parameter(CARD_PARAMETER, card.model_dump_json()),
        ],
    }


def _warmup_sizes(recipe: Recipe) -> tuple[int, ...]:
    chosen = recipe.serving.warmup_batch_sizes
    sizes = (1, recipe.serving.max_batch_size) if chosen is None else chosen
    return tuple(sorted(set(sizes)))


def _queue_policy(recipe: Recipe) -> Message:
    return {
        "timeout_action": EnumName("REJECT"),
        "default_timeout_microseconds": round(recipe.serving.queue_timeout_seconds * 1e6),
        "allow_timeout_override": True,
        "max_queue_size": recipe.serving.queue_size,
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
