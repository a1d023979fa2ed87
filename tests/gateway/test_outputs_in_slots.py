"""The path of frames whose outputs a model writes into their slots, with a GPU and a Triton that are made up."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.model_card import InputSpec, ModelCard, OutputSpec
from gateway.catalogue import Catalogue, LoadedBuild
from gateway.cuda.device_frame_memory import DeviceFrameMemory, OutputReader, SharingDevice
from gateway.device_output import ModelOutput
from gateway.errors import (
    DeadlineExceeded,
    DeviceLost,
    GatewayError,
    InstanceLost,
    QueueFull,
    RegionLost,
    TritonCode,
    TritonRejected,
    TritonUnavailable,
)
from gateway.frame_memory import FrameMemory
from gateway.frames.admission import Admission
from gateway.frames.frame_events import FrameEvents
from gateway.frames.pipeline import FramePipeline
from gateway.frames.regions import FrameRegions
from gateway.messages import FrameDetections, FrameTask
from gateway.prepared_input import PreparedInput
from gateway.transport import Transport
from tests.fakes.fake_region_client import FakeRegionClient
from tests.fakes.fake_sharing_device import FakeOutputReader, FakeSharingDevice
from vision.letterbox import placement_for

CARD = ModelCard(
    model="raw",
    version="1.0.0",
    hardware_class="x86-cpu",
    labels=("a", "b"),
    input=InputSpec(width=32, height=32),
    output=OutputSpec(name="output0", decoder="yolov8"),
)
SHAPE = (6, 20)


def head(center_x: float) -> NDArray[np.float32]:
    """One box of 4 x 4 pixels."""
    output = np.zeros(SHAPE, np.float32)
    output[:, 3] = (center_x, 16, 4, 4, 0.9, 0.0)
    return output


class LateTriton:
    """Implements ``FrameBackend``; what it does not answer, it writes while it works on the frame after it."""

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self.late: Callable[[], None] = lambda: None
        self.used: list[FrameMemory] = []

    async def infer(
        self, build: str, card: ModelCard, memory: FrameMemory, slot: int, timeout_seconds: float
    ) -> ModelOutput:
        self.used.append(memory)
        kind = memory.raw_output(build)
        assert kind is not None
        assert isinstance(memory, DeviceFrameMemory)
        begin, values = memory.output_offset(slot), memory.values

        def write(center_x: float) -> None:
            values[begin : begin + kind.size_bytes] = head(center_x).reshape(-1).view(np.uint8)

        error, self.error = self.error, None
        if error is not None:
            self.late = lambda: write(8.0)
            raise error
        write(24.0)
        self.late()
        return memory.output(kind, slot)


class NoPreparer:
    """Implements ``FramePreparer``: what is in the slot does not matter here."""

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        return PreparedInput(placement_for((32, 32), (32, 32), (32, 32)), 0.0, 0.0, 0.0)


class Scene:
    """One slot, so that each frame takes that of the one before."""

    def __init__(self, device: SharingDevice, reader: OutputReader, reading_seconds: float = 30.0) -> None:
        self.client = FakeRegionClient([])
        self.device = device
        self.reader = reader
        self.triton = LateTriton()
        self.lost: list[DeviceLost] = []
        self.told = asyncio.Event()
        self.regions = FrameRegions(
            self.client,
            f"outpost_test_{uuid.uuid4().hex}_",
            1,
            use_shared_memory=True,
            on_transport=lambda _: None,
            make_device_memory=self.make_memory,
            pauses_seconds=(0.001,),
        )
        self.pipeline = FramePipeline(
            Admission(1, 0),
            self.regions,
            self.triton,
            NoPreparer(),
            events=FrameEvents(lambda _: None, lambda _: None, lambda *_: None, self.tell),
            reading_seconds=reading_seconds,
        )

    def make_memory(self, name: str, slots: int, slot_bytes: int, output_bytes: int) -> FrameMemory:
        return DeviceFrameMemory(self.device, self.reader, name, slots, slot_bytes, output_bytes)

    def tell(self, error: DeviceLost) -> None:
        self.lost.append(error)
        self.told.set()

    async def detect(self) -> FrameDetections:
        now = asyncio.get_running_loop().time()
        task = FrameTask(name="raw", build=CARD.build, card=CARD, arrived_at=now, deadline_at=now + 30)
        return await self.pipeline.detect(b"", task)

    async def until_recovered(self) -> None:
        assert self.regions._recovery is not None
        await self.regions._recovery
        assert self.regions.current.transport == Transport.CUDA


CATALOGUE = Catalogue(
    generation=1,
    triton_up=True,
    builds={CARD.build: LoadedBuild(name=CARD.build, ready=True, card=CARD, raw_output_shape=SHAPE)},
)


@pytest.fixture
def reader() -> FakeOutputReader:
    return FakeOutputReader()


@pytest.fixture
async def scene(reader: FakeOutputReader) -> AsyncIterator[Scene]:
    made = Scene(FakeSharingDevice(), reader)
    await made.regions.refresh(CATALOGUE)
    yield made
    await made.regions.close()


@pytest.mark.parametrize("error", [DeadlineExceeded("infer"), TritonUnavailable("Socket closed")])
async def test_a_late_output_never_is_another_frame_s(scene: Scene, error: GatewayError) -> None:
    scene.triton.error = error
    with pytest.raises(type(error)):
        await scene.detect()
    await scene.until_recovered()
    assert (await scene.detect()).boxes_xyxy.tolist() == [[22, 14, 26, 18]]
    assert scene.triton.used[0] is not scene.triton.used[1]


@pytest.mark.parametrize(
    "error", [TritonRejected(TritonCode.INTERNAL, "no"), InstanceLost(CARD.build, "died"), RegionLost("region")]
)
async def test_slots_of_frames_that_triton_answered_are_used_again(scene: Scene, error: GatewayError) -> None:
    scene.triton.error = error
    if isinstance(error, TritonRejected):
        with pytest.raises(TritonRejected):
            await scene.detect()
    await scene.detect()
    assert len({id(memory) for memory in scene.triton.used}) == 1


async def test_outputs_are_not_read_in_the_event_loop(scene: Scene, reader: FakeOutputReader) -> None:
    await scene.detect()
    assert reader.threads
    assert threading.get_ident() not in reader.threads
    assert scene.lost == []


async def test_a_gpu_that_is_lost_while_an_output_is_read_is_told(scene: Scene, reader: FakeOutputReader) -> None:
    reader.error = DeviceLost("CUDA_ERROR_ILLEGAL_ADDRESS")
    with pytest.raises(DeviceLost):
        await scene.detect()
    assert [error.reason for error in scene.lost] == ["CUDA_ERROR_ILLEGAL_ADDRESS"]


async def test_a_gpu_that_does_not_get_done_with_an_output_is_told_and_the_frame_keeps_its_place(
    reader: FakeOutputReader,
) -> None:
    scene = Scene(FakeSharingDevice(), reader, reading_seconds=0.01)
    await scene.regions.refresh(CATALOGUE)
    reader.may_read.clear()
    frame = asyncio.create_task(scene.detect())
    async with asyncio.timeout(15):
        await scene.told.wait()
    assert [error.reason.split(";")[0] for error in scene.lost] == ["an output was not read after 0.01 s"]
    with pytest.raises(QueueFull):
        await scene.detect()
    reader.may_read.set()
    assert (await frame).boxes_xyxy.tolist() == [[22, 14, 26, 18]]
    await scene.regions.close()
