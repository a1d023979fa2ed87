"""Frames through the parts of the GPU path as a GPU gets them, with a driver that is made up (``made_up_driver.c``).

numba compiles and launches, nothing computes. Prints what the driver counts at each moment, as JSON.
"""

import asyncio
import ctypes
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from contracts.model_card import InputSpec
from gateway.cuda.batch_lane import BatchLane
from gateway.cuda.device import CudaDevice
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.cuda.device_outputs import DeviceOutputs
from gateway.cuda.device_preparer import DevicePreparer
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.profiler_ranges import profiler_ranges
from gateway.cuda.staging_memory import StagingMemory
from gateway.device_output import RawOutput, SelectionOptions

COUNTED = ("allocated", "pinned", "streams", "launches", "without_context")
KIND = RawOutput("yolov8", (84, 2100), 80)
SPEC = InputSpec(width=320, height=320)
SLOTS, ROUNDS = 8, 12
OPTIONS = SelectionOptions(
    thresholds=np.full(80, 0.3, np.float32), iou_threshold=0.5, class_agnostic=False, max_detections=100
)
FRAMES = [path.read_bytes() for path in sorted(Path("/samples").glob("*.jpg"))]


def counts() -> dict[str, int]:
    found = (ctypes.c_long * len(COUNTED))()
    ctypes.CDLL("libcuda.so.1").made_up_counts(found)
    return dict(zip(COUNTED, found, strict=True))


async def pass_frames(preparer: DevicePreparer, memory: DeviceFrameMemory) -> None:
    async def one(number: int) -> None:
        slot = memory.acquire()
        try:
            await preparer.prepare(FRAMES[number % len(FRAMES)], SPEC, memory, slot)
            await asyncio.to_thread(memory.output(KIND, slot).select, **OPTIONS)
        finally:
            memory.release(slot)

    await asyncio.gather(*(one(number) for number in range(SLOTS)))


def main() -> None:
    """Make everything, pass frames, measure who selects, and let go of everything."""
    device = CudaDevice(0)
    lanes = [BatchLane(device, None, SLOTS, 2**26, named=profiler_ranges()) for _ in range(2)]
    staging = StagingMemory(device.allocate_pinned, freeing=device.freeing)
    outputs = DeviceOutputs(device)
    told = []
    with ThreadPoolExecutor(2) as executor:
        reader = FrameReader(staging, device_decodes=False, max_pixels=50_000_000)
        preparer = DevicePreparer(lanes, reader, executor, batch=SLOTS, batch_bytes=2**26, on_prepared=lambda _: None)
        memory = DeviceFrameMemory(device, outputs, "outpost_test", SLOTS, SPEC.size_bytes, KIND.size_bytes)
        memory.expect_outputs({"raw": KIND})
        for _ in range(ROUNDS):
            asyncio.run(pass_frames(preparer, memory))
            outputs.measure()
            told.append(counts())
        handle = memory.device_handle.raw.hex()
        memory.expect_outputs({})
        for _ in range(2):  # rooms are kept for one round, for who still reads an output
            outputs.measure()
        memory.retire()
        with device.freeing():
            preparer.close()
            staging.drop()
            del lanes, preparer, outputs, memory
    print(json.dumps({"handle": handle, "rounds": told, "at_the_end": counts()}))


if __name__ == "__main__":
    main()
