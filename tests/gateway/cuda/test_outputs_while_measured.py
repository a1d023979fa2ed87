"""Frames of a new build are answered while it is measured, however long that takes, who selects its detections."""

import asyncio
import threading

from gateway.cuda.device_outputs import DeviceOutputs
from gateway.cuda.repeated_work import RepeatedWork
from gateway.device_output import RawOutput
from tests.gateway.cuda.test_device_frame_memory import HandedDevice
from tests.gateway.test_outputs_in_slots import CARD, CATALOGUE, SHAPE, Scene

KIND = RawOutput("yolov8", SHAPE, len(CARD.labels))


class HeldClock:
    """Whoever asks for the time waits for it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def __call__(self) -> float:
        self.asked.set()
        self.may_answer.wait(60)
        return 0.0


async def until_measured(outputs: DeviceOutputs) -> None:
    async with asyncio.timeout(30):
        while KIND not in outputs._rooms:  # noqa: ASYNC110 - a thread does it
            await asyncio.sleep(0.01)


async def test_a_catalogue_is_in_force_before_its_outputs_are_measured() -> None:
    gpu, clock = HandedDevice(0), HeldClock()
    outputs = DeviceOutputs(gpu, 1, clock)
    measuring = RepeatedWork(outputs.measure, again_seconds=3600.0)
    outputs.when_to_measure(measuring.ask)
    scene = Scene(gpu, outputs)
    await scene.regions.refresh(CATALOGUE)
    assert await asyncio.to_thread(clock.asked.wait, 30)
    for _ in range(3):
        assert (await scene.detect()).boxes_xyxy.tolist() == [[22, 14, 26, 18]]
    assert outputs._rooms == {}
    clock.may_answer.set()
    await until_measured(outputs)
    assert (await scene.detect()).boxes_xyxy.tolist() == [[22, 14, 26, 18]]
    measuring.close()
    await scene.regions.close()
