"""Reads back from a ``config.pbtxt`` what it was told of batching and queueing."""

from collections.abc import Iterator

from model_compiler.packaging.pbtxt import ParsedMessage, ParsedValue
from model_compiler.packaging.serving_settings import ServingSettings


def packaged_serving(config: ParsedMessage) -> ServingSettings:
    """The settings that `triton_config` was called with; defaults where the build does not batch.

    Raises:
        ValueError: A value is none that the compiler writes.
    """
    found: dict[str, object] = {}
    largest = _number(config, "max_batch_size")
    if largest:
        found["max_batch_size"] = int(largest)
        sizes = (_number(warmup, "batch_size") for warmup in _messages(config, "model_warmup"))
        found["warmup_batch_sizes"] = tuple(int(size or 1) for size in sizes)
    for batching in _messages(config, "dynamic_batching"):
        delay = _number(batching, "max_queue_delay_microseconds")
        if delay is not None:
            found["batching_delay_seconds"] = delay / 1e6
        for policy in _messages(batching, "default_queue_policy"):
            size, timeout = _number(policy, "max_queue_size"), _number(policy, "default_timeout_microseconds")
            found |= {} if size is None else {"queue_size": int(size)}
            found |= {} if timeout is None else {"queue_timeout_seconds": timeout / 1e6}
    return ServingSettings.model_validate(found)


def _number(message: ParsedMessage, field: str) -> float | None:
    values: list[ParsedValue] = message.get(field, [])
    return float(str(values[-1])) if values else None


def _messages(message: ParsedMessage, field: str) -> Iterator[ParsedMessage]:
    return (value for value in message.get(field, []) if isinstance(value, dict))
