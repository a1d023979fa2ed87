"""A model that finds the same things in every frame."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from gateway.frame_memory import FrameMemory, HostFrameMemory


class FakeFrameBackend:
    """Implements ``FrameBackend``.

    Args:
        candidates: Rows of x1, y1, x2, y2 in input pixels, score, class.
    """

    def __init__(self, candidates: Sequence[Sequence[float]] = ()) -> None:
        self.candidates = np.array(candidates, dtype=np.float32).reshape(-1, 6)
        self.outputs: dict[str, NDArray[np.float32]] = {}
        self.asked: list[tuple[str, NDArray[np.uint8 | np.float32]]] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.entered = 0
        self.cancelled = 0

    async def infer(
        self, build: str, card: ModelCard, memory: FrameMemory, slot: int, timeout_seconds: float
    ) -> NDArray[np.float32]:
        """Wait while ``open`` is not set, then fail with ``error`` or return the build's output or the candidates."""
        self.entered += 1
        assert isinstance(memory, HostFrameMemory)
        datatype = np.uint8 if card.input.datatype == "UINT8" else np.float32
        self.asked.append((build, memory.array(slot, card.input.shape, datatype).copy()))
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return self.outputs.get(build, self.candidates)
