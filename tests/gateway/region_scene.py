"""Regions with a Triton and a GPU that do what a test says."""

import asyncio
import uuid

from prometheus_client import CollectorRegistry

from contracts.model_card import InputSpec, ModelCard, OutputSpec
from gateway.catalogue import Catalogue, LoadedBuild
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.frame_memory import SHARED_MEMORY_DIR, FrameMemory
from gateway.frames.regions import FrameRegions
from gateway.metrics import ServingMetrics
from gateway.transport import Transport
from tests.fakes.fake_region_client import FakeRegionClient
from tests.fakes.fake_sharing_device import FakeOutputReader, FakeSharingDevice

RAW = "raw-1.0.0_x86-cpu"
SHAPE = (6, 2000)
CUDA, SYSTEM, REQUEST = Transport.CUDA, Transport.SYSTEM, Transport.REQUEST


def catalogue(generation: int = 1, *, side: int = 32, raw: bool = False) -> Catalogue:
    card = ModelCard(
        model="raw",
        version="1.0.0",
        hardware_class="x86-cpu",
        labels=("a", "b"),
        input=InputSpec(width=side, height=side),
        output=OutputSpec(name="output0", decoder="yolov8"),
    )
    build = LoadedBuild(name=RAW, ready=True, card=card, raw_output_shape=SHAPE if raw else ())
    return Catalogue(generation=generation, triton_up=True, builds={RAW: build})


class Scene:
    def __init__(self) -> None:
        self.prefix = f"outpost_test_{uuid.uuid4().hex}_"
        self.events: list[str] = []
        self.client = FakeRegionClient(self.events)
        self.device = FakeSharingDevice(self.events)
        self.reader = FakeOutputReader()
        self.registry = CollectorRegistry()
        self.metrics = ServingMetrics(self.registry)
        self.regions = self.make()

    def make(self, *, with_device: bool = True, use_shared_memory: bool = True) -> FrameRegions:
        return FrameRegions(
            self.client,
            self.prefix,
            2,
            use_shared_memory=use_shared_memory,
            on_transport=lambda used: self.metrics.use_transport(used, self.regions.refusals),
            make_device_memory=self.make_device_memory if with_device else None,
            pauses_seconds=(0.001,),
        )

    def make_device_memory(self, name: str, slots: int, slot_bytes: int, output_bytes: int) -> FrameMemory:
        return DeviceFrameMemory(self.device, self.reader, name, slots, slot_bytes, output_bytes)

    def files(self) -> int:
        return len(list(SHARED_MEMORY_DIR.glob(f"{self.prefix}*")))

    def gauge(self, transport: Transport) -> float | None:
        return self.registry.get_sample_value("outpost_transport", {"transport": transport.value})

    def refusals(self) -> dict[str, str]:
        """Why which way is not taken, as the metrics say it."""
        (family,) = self.metrics.transport_refused.collect()
        return {sample.labels["transport"]: sample.labels["cause"] for sample in family.samples}

    async def let_go(self) -> None:
        """Wait until Triton has let go what is to be freed."""
        await asyncio.gather(*self.regions._ending)

    async def recovered(self) -> None:
        """Wait until there is shared memory again."""
        assert self.regions._recovery is not None
        await self.regions._recovery

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
