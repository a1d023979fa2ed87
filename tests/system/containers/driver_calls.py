"""Frames through the parts of the GPU path as a GPU gets them, with a driver that is made up (``made_up_driver.c``).

numba compiles and launches, nothing computes. Prints what the driver counts at each tenth of the way, as JSON.
Argument: how many frames.
"""

import asyncio
import ctypes
import json
import os
import sys
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
SLOTS, TOLD = 8, 10
CLOCK_LOOKS = 12  # before and after each of six selections, on the GPU and then on the CPU
OPTIONS = SelectionOptions(
    thresholds=np.full(80, 0.3, np.float32), iou_threshold=0.5, class_agnostic=False, max_detections=100
)
FRAMES = [path.read_bytes() for path in sorted(Path("/samples").glob("*.jpg"))]


class GpuIsQuicker:
    """Seconds, of which measurements on the CPU take more: what is taken must not depend on the machine."""

    def __init__(self) -> None:
        self._asked = 0
        self._seconds = 0.0

    def __call__(self) -> float:
        self._asked += 1
        self._seconds += 1.0 if (self._asked - 1) % (2 * CLOCK_LOOKS) < CLOCK_LOOKS else 2.0
        return self._seconds


def counts() -> dict[str, int]:
    found = (ctypes.c_long * len(COUNTED))()
    ctypes.CDLL("libcuda.so.1").made_up_counts(found)
    rss_bytes = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {**dict(zip(COUNTED, found, strict=True)), "rss_bytes": rss_bytes}


async def pass_frames(preparer: DevicePreparer, memory: DeviceFrameMemory, frames: int) -> None:
    """Several callers; each takes a slot for a frame."""

    async def call(caller: int) -> None:
        for number in range(caller, frames, SLOTS):
            slot = memory.acquire()
            try:
                await preparer.prepare(FRAMES[number % len(FRAMES)], SPEC, memory, slot)
                await asyncio.to_thread(memory.output(KIND, slot).select, **OPTIONS)
            finally:
                memory.release(slot)

    await asyncio.gather(*(call(caller) for caller in range(SLOTS)))


def main() -> None:
    """Make everything, pass frames, measure who selects, and let go of everything."""
    device = CudaDevice(0)
    lanes = [BatchLane(device, None, SLOTS, 2**26, named=profiler_ranges()) for _ in range(2)]
    staging = StagingMemory(device.allocate_pinned, freeing=device.freeing)
    outputs = DeviceOutputs(device, clock=GpuIsQuicker())
    told = []
    with ThreadPoolExecutor(2) as executor:
        reader = FrameReader(staging, device_decodes=False, max_pixels=50_000_000)
        preparer = DevicePreparer(lanes, reader, executor, batch=SLOTS, batch_bytes=2**26, on_prepared=lambda _: None)
        memory = DeviceFrameMemory(device, outputs, "outpost_test", SLOTS, SPEC.size_bytes, KIND.size_bytes)
        memory.expect_outputs({"raw": KIND})
        for _ in range(TOLD):
            asyncio.run(pass_frames(preparer, memory, int(sys.argv[1]) // TOLD))
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
    print(json.dumps({"handle": handle, "told": told, "at_the_end": counts()}))


if __name__ == "__main__":
    main()
