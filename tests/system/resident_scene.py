"""Regions of a worker at the Triton of a gateway that serves the resident model: what goes in, and what comes out."""

import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from gateway.catalogue import Catalogue, LoadedBuild
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.device_output import on_host
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.regions import DeviceMemoryMaker, FrameRegions
from gateway.supervision.model_keeper import read_card
from gateway.transport import Transport
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from gateway.triton.frame_client import FrameClient
from gateway.triton.region_register import RegionRegister
from tests.system.resident_leg import SHAPES, Leg, Pixels

SLOTS = 2


class ResidentScene:
    """``FrameRegions`` and ``FrameClient`` as a worker has them.

    Args:
        leg: Where the memory is.
        triton_address: Of a Triton that has the builds loaded.
    """

    def __init__(self, leg: Leg, triton_address: str) -> None:
        self._connection = TritonConnection(triton_address)
        self._client = FrameClient(self._connection)
        self._device: Any = None
        self._prefix = f"outpost_test_{uuid.uuid4().hex}_"
        self.used: list[Transport] = []
        self.regions = FrameRegions(
            self._client,
            self._prefix,
            SLOTS,
            use_shared_memory=True,
            on_transport=self.used.append,
            make_device_memory=self._device_memory_maker() if leg.on_gpu else None,
        )
        self._cards: dict[str, ModelCard] = {}

    def _device_memory_maker(self) -> DeviceMemoryMaker:
        from gateway.cuda.device import CudaDevice
        from gateway.cuda.device_outputs import DeviceOutputs

        self._device = CudaDevice(0)
        outputs = DeviceOutputs(self._device)

        def make(name: str, slots: int, slot_bytes: int, output_bytes: int) -> FrameMemory:
            return DeviceFrameMemory(self._device, outputs, name, slots, slot_bytes, output_bytes)

        return make

    async def refresh(self, generation: int) -> None:
        """Give the regions a catalogue with the builds that are loaded."""
        builds = {}
        for model, shape in SHAPES.items():
            card, problem = read_card(await TritonControl(self._connection).config(f"{model}-1.0.0_x86-cpu"))
            assert card is not None, problem
            self._cards[model] = card
            raw = shape if card.output.decoder == "yolov8" else ()
            builds[card.build] = LoadedBuild(name=card.build, ready=True, card=card, raw_output_shape=raw)
        await self.regions.refresh(Catalogue(generation=generation, triton_up=True, builds=builds))

    async def output_of(self, model: str, pixels: Pixels) -> NDArray[np.float32]:
        """What the model makes of an input in a slot; whatever was in the slot's output part is gone before."""
        card, memory = self._cards[model], self.regions.current
        slot = memory.acquire()
        try:
            self._write(memory, slot, pixels)
            output = await self._client.infer(card.build, card, memory, slot, 30.0)
            return on_host(output)
        finally:
            memory.release(slot)

    def _write(self, memory: FrameMemory, slot: int, pixels: Pixels) -> None:
        if isinstance(memory, HostFrameMemory):
            memory.array(slot, pixels.shape, np.uint8)[:] = pixels
            return
        assert isinstance(memory, DeviceFrameMemory)
        self._fill(memory, memory.offset(slot), pixels.ravel())
        self._fill(memory, memory.output_offset(slot), np.zeros(memory.output_bytes, np.uint8))

    def _fill(self, memory: DeviceFrameMemory, begin: int, values: NDArray[np.uint8]) -> None:
        with self._device.in_use("test"):
            memory.values[begin : begin + values.size].copy_to_device(values)

    def written_into_the_slot(self, model: str) -> bool:
        """Whether the model's output is to lie in the slot instead of the answer."""
        return self.regions.current.raw_output(self._cards[model].build) is not None

    async def regions_at_triton(self) -> list[str]:
        """Names of this scene's regions that Triton has open."""
        names = await RegionRegister(self._connection).names()
        return [name for name in names if name.startswith(self._prefix)]

    async def close(self) -> None:
        """Let Triton forget the memory, and free it."""
        await self.regions.close()
        await self._connection.close()
