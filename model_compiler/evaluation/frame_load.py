"""Sends frames to one alias with one caller or several, and keeps the time."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from model_compiler.evaluation.gateway_client import GatewayClient

Answer = TypeVar("Answer")
Frame = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Answered:
    """A load: how many frames were answered, in which time from the first to the last."""

    frames: int
    seconds: float


class FrameLoad:
    """Callers of one alias; connections stay open.

    Args:
        address: ``host:port`` of the gateway.
        alias: What answers.
        frames: Names and pictures, sent in turn.
    """

    def __init__(self, address: str, alias: str, frames: Sequence[Frame]) -> None:
        self._address = address
        self._alias = alias
        self._frames = frames

    def latencies(self, seconds: float) -> tuple[float, ...]:
        """One caller: seconds from each frame's bytes to its answer; at least one.

        Raises:
            EvaluationError: A frame is not answered.
        """
        with self._client() as client:
            client.ask(self._frames[0][1], self._frames[0][0])
            found: list[float] = []
            until = time.perf_counter() + seconds
            for name, frame in itertools.cycle(self._frames):
                began_at = time.perf_counter()
                client.ask(frame, name)
                ended_at = time.perf_counter()
                found.append(ended_at - began_at)
                if ended_at >= until:
                    return tuple(found)
        raise AssertionError("a cycle does not end")

    def answered(self, seconds: float, callers: int) -> Answered:
        """Several callers, each sending its next frame when the last was answered; at least one each.

        Raises:
            EvaluationError: A frame is not answered.
        """
        began_at = time.perf_counter()
        until = began_at + seconds
        turn = itertools.cycle(self._frames)
        lock = threading.Lock()

        def call() -> int:
            count = 0
            with self._client() as client:
                while count == 0 or time.perf_counter() < until:
                    with lock:
                        name, frame = next(turn)
                    client.ask(frame, name)
                    count += 1
            return count

        with ThreadPoolExecutor(callers) as pool:
            counts = [future.result() for future in [pool.submit(call) for _ in range(callers)]]
        return Answered(sum(counts), time.perf_counter() - began_at)

    @contextmanager
    def _client(self) -> Iterator[GatewayClient]:
        client = GatewayClient(self._address, self._alias)
        try:
            yield client
        finally:
            client.close()


def ask_all(
    address: str, alias: str, count: int, callers: int, ask: Callable[[GatewayClient, int], Answer]
) -> list[Answer]:
    """Answers to ``count`` questions in their order, asked by several callers at once.

    Args:
        address: ``host:port`` of the gateway.
        alias: What answers.
        count: Number of questions.
        callers: Connections.
        ask: Given a connection and the number of the question.

    Raises:
        EvaluationError: A question is not answered.
    """
    local = threading.local()
    clients: list[GatewayClient] = []

    def one(number: int) -> Answer:
        if not hasattr(local, "client"):
            local.client = GatewayClient(address, alias)
            clients.append(local.client)
        return ask(local.client, number)

    try:
        with ThreadPoolExecutor(callers) as pool:
            return list(pool.map(one, range(count)))
    finally:
        for client in clients:
            client.close()
