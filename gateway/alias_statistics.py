"""Triton's statistics of the build behind an alias (of both behind a cascade), under the alias's name."""

from typing import Protocol

from google.protobuf.message import Message

from gateway.catalogue import Catalogue
from gateway.oip import service_pb2

_TIMEOUT_SECONDS = 10.0


class Calls(Protocol):
    """Passes a call on to Triton."""

    async def call(self, method: str, message: Message, timeout_seconds: float) -> Message:
        """See ``TensorClient.call``."""
        ...


async def alias_statistics(alias: str, catalogue: Catalogue, calls: Calls) -> Message:
    """Ask Triton about the build that answers now; for a cascade, about those of both its aliases, under their names.

    Raises:
        UnknownModel: No such alias.
        ModelNotReady: None of its builds is ready.
        BackendError: Triton could not answer.
    """
    cascade = catalogue.cascades.get(alias)
    if cascade is not None:
        first = await _statistics_of(cascade.first, catalogue, calls)
        then = await _statistics_of(cascade.then, catalogue, calls)
        first.MergeFrom(then)
        return first
    return await _statistics_of(alias, catalogue, calls)


async def _statistics_of(alias: str, catalogue: Catalogue, calls: Calls) -> Message:
    build = catalogue.resolve(alias, "").build.name
    answer = await calls.call("ModelStatistics", service_pb2.ModelStatisticsRequest(name=build), _TIMEOUT_SECONDS)
    for model in answer.model_stats:
        model.name = alias
    return answer
