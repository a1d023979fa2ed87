"""Several frames in one launch: what they share, and what stays each one's own."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from contracts.model_card import InputSpec
from gateway.cuda.device import CudaDevice
from gateway.cuda.device_preparer import Lane
from gateway.cuda.waiting_frame import WaitingFrame, take_batch
from gateway.errors import DeviceLost, DeviceMemoryFull, DeviceRefused
from gateway.frame_memory import HostFrameMemory
from tests.fakes.fake_jpeg_decoder import FakeJpegDecoder
from tests.fakes.pictures import jpeg
from tests.gateway.cuda.prepared_frames import (
    GatedLane,
    TroubledDevice,
    assert_alike,
    content,
    device_memory,
    on_the_cpu,
    preparer_on,
    specs,
    until,
)
from tests.gateway.cuda.small_pictures import corrupt, oriented, pillow, png, smooth
from vision.errors import ImageTooLarge, InvalidImage

(SPEC,) = specs({})
(FLOAT_SPEC,) = specs({"datatype": "FP32"})


@pytest.fixture(scope="module")
def device() -> CudaDevice:
    return CudaDevice(0)


async def entered(lane: GatedLane) -> None:
    assert await asyncio.to_thread(lane.entered.acquire, timeout=30)


def gates(lanes: list[GatedLane]) -> Callable[[Lane], Lane]:
    """Puts a gate before each lane."""

    def gated(lane: Lane) -> Lane:
        lanes.append(GatedLane(lane))
        return lanes[-1]

    return gated


def waiting(memory: HostFrameMemory, slot: int, spec: InputSpec = SPEC, width: int = 10) -> WaitingFrame:
    return WaitingFrame(b"", spec, memory, slot, stored_wh=(width, 10))


def test_a_batch_is_what_waits_longest_and_goes_into_the_same_array() -> None:
    memory, other = HostFrameMemory(None, 9, 100), HostFrameMemory(None, 9, 100)
    frames = [waiting(memory, 0), waiting(other, 1), waiting(memory, 2, FLOAT_SPEC), waiting(memory, 3)]
    queue = deque([*frames, waiting(memory, 4), waiting(memory, 5)])
    assert [frame.slot for frame in take_batch(queue, 3, 10_000)] == [0, 3, 4]
    assert [frame.slot for frame in queue] == [1, 2, 5]


def test_a_batch_is_bounded_in_bytes_but_has_one_frame() -> None:
    memory = HostFrameMemory(None, 9, 100)
    queue = deque([waiting(memory, 0, width=1000), waiting(memory, 1), waiting(memory, 2), waiting(memory, 3)])
    assert [frame.slot for frame in take_batch(queue, 8, 700)] == [0]
    assert [frame.slot for frame in take_batch(queue, 8, 700)] == [1, 2]


async def test_frames_that_wait_for_a_lane_go_together_in_its_next_launch(device: CudaDevice) -> None:
    memory, lanes = device_memory(device, slots=6), list[GatedLane]()
    frames = [png(30 + 7 * index, 40, seed=index) for index in range(5)]

    with preparer_on(device, device.allocate_pinned, wrap=gates(lanes)) as preparer:
        first = asyncio.create_task(preparer.prepare(frames[0], SPEC, memory, 0))
        await entered(lanes[0])
        others = [asyncio.create_task(preparer.prepare(frames[slot], SPEC, memory, slot)) for slot in range(1, 5)]
        await until(lambda: len(preparer._waiting) == 4)
        lanes[0].open.set()
        await asyncio.gather(first, *others)
    assert [sorted(batch) for batch in lanes[0].batches] == [[0], [1, 2, 3, 4]]
    for slot, frame in enumerate(frames):
        assert_alike(content(memory, slot, SPEC), on_the_cpu(frame, SPEC)[0], SPEC)


async def test_several_streams_work_beside_each_other(device: CudaDevice) -> None:
    memory, lanes = device_memory(device), list[GatedLane]()
    frames = [png(30, 40, seed=seed) for seed in range(2)]

    with preparer_on(device, device.allocate_pinned, streams=2, wrap=gates(lanes)) as preparer:
        tasks = [asyncio.create_task(preparer.prepare(frame, SPEC, memory, slot)) for slot, frame in enumerate(frames)]
        for lane in lanes:
            await entered(lane)  # both are in work before either is done
            lane.open.set()
        await asyncio.gather(*tasks)
    for slot, frame in enumerate(frames):
        assert_alike(content(memory, slot, SPEC), on_the_cpu(frame, SPEC)[0], SPEC)


async def test_the_steps_are_named_for_a_profiler(device: CudaDevice) -> None:
    memory, named = device_memory(device), list[str]()

    @contextmanager
    def block(name: str) -> Iterator[None]:
        named.append(name)
        yield

    with preparer_on(device, device.allocate_pinned, named=block) as preparer:
        await preparer.prepare(png(30, 40), SPEC, memory, 0)
    assert named == ["decode", "upload", "letterbox"]


@pytest.mark.parametrize("on_device", [False, True])
async def test_one_corrupt_frame_fails_alone(device: CudaDevice, on_device: bool) -> None:
    memory, lanes = device_memory(device, slots=6), list[GatedLane]()
    good = [pillow(smooth(30, 22, seed), "jpeg", quality=95) for seed in range(2)]
    decoder = FakeJpegDecoder() if on_device else None

    with preparer_on(device, device.allocate_pinned, decoder=decoder, wrap=gates(lanes)) as preparer:
        first = asyncio.create_task(preparer.prepare(good[0], SPEC, memory, 0))
        await entered(lanes[0])
        bad = asyncio.create_task(preparer.prepare(corrupt(), SPEC, memory, 1))
        last = asyncio.create_task(preparer.prepare(good[1], SPEC, memory, 2))
        await until(lambda: len(preparer._waiting) == (2 if on_device else 1))
        lanes[0].open.set()
        await asyncio.gather(first, last)
        with pytest.raises(InvalidImage, match="damaged or cut short"):
            await bad
    if decoder is not None:
        assert decoder.batches == [1, 2]
    for slot, frame in ((0, good[0]), (2, good[1])):
        assert_alike(content(memory, slot, SPEC), on_the_cpu(frame, SPEC)[0], SPEC)


GREY = pillow(smooth(48, 36)[:, :, 0], "jpeg", quality=95)
COLOUR = pillow(smooth(48, 36), "jpeg", quality=95)


@pytest.mark.parametrize(
    ("frame", "by_device"),
    [
        (COLOUR, True),
        (GREY, True),
        (oriented(COLOUR, 6), True),
        (COLOUR + bytes(7), True),  # cameras pad
        (pillow(smooth(48, 36), "jpeg", quality=95, progressive=True), False),
        (pillow(smooth(48, 36), "jpeg", "CMYK", quality=95), False),
        (png(48, 36), False),
        (pillow(np.arange(48 * 36, dtype=np.uint16).reshape(36, 48) * 30, "png"), False),
        (pillow(smooth(48, 36), "webp", lossless=True), False),
        (pillow(smooth(48, 36), "bmp"), False),
    ],
    ids=["colour", "grey", "oriented", "padded", "progressive", "cmyk", "png", "16-bit", "webp", "bmp"],
)
async def test_a_frame_that_the_gpu_does_not_decode_is_decoded_by_the_cpu(
    device: CudaDevice, frame: bytes, by_device: bool
) -> None:
    memory, decoder, prepared = device_memory(device), FakeJpegDecoder(), list[bool]()
    with preparer_on(device, device.allocate_pinned, decoder=decoder, prepared=prepared) as preparer:
        await preparer.prepare(frame, SPEC, memory, 0)
    assert (prepared, decoder.batches) == ([by_device], [1] if by_device else [])
    found, (expected, _) = content(memory, 0, SPEC), on_the_cpu(frame, SPEC)
    # full decode with averaging against the scaled DCT: vision.decode
    assert np.abs(found.astype(int) - expected).mean() <= (2.0 if by_device else 0.01)


async def test_a_jpeg_that_was_cut_off_does_not_get_to_the_gpus_decoder(device: CudaDevice) -> None:
    memory, decoder = device_memory(device), FakeJpegDecoder()
    with (
        preparer_on(device, device.allocate_pinned, decoder=decoder) as preparer,
        pytest.raises(InvalidImage, match="cut short"),
    ):
        await preparer.prepare(COLOUR[: len(COLOUR) // 2], SPEC, memory, 0)
    assert decoder.batches == []


async def test_what_the_gpus_decoder_refuses_is_decoded_by_the_cpu(device: CudaDevice) -> None:
    memory, prepared = device_memory(device), list[bool]()
    decoder = FakeJpegDecoder(refuses=b"\xff\xd8")
    with preparer_on(device, device.allocate_pinned, decoder=decoder, prepared=prepared) as preparer:
        await preparer.prepare(COLOUR, SPEC, memory, 0)
    assert (prepared, decoder.batches) == ([False], [1])
    assert_alike(content(memory, 0, SPEC), on_the_cpu(COLOUR, SPEC)[0], SPEC)


@pytest.mark.parametrize("decoder", [None, FakeJpegDecoder()], ids=["cpu", "gpu"])
async def test_too_large_a_frame_is_refused_before_it_is_decoded(
    device: CudaDevice, decoder: FakeJpegDecoder | None
) -> None:
    memory = device_memory(device)
    with preparer_on(device, device.allocate_pinned, decoder=decoder) as preparer, pytest.raises(ImageTooLarge):
        await preparer.prepare(jpeg(200, 100), SPEC, memory, 0)
    assert decoder is None or not decoder.batches


async def test_a_caller_who_goes_away_keeps_his_slot_until_the_gpu_is_done_with_it(device: CudaDevice) -> None:
    memory, lanes = device_memory(device), list[GatedLane]()

    with preparer_on(device, device.allocate_pinned, wrap=gates(lanes)) as preparer:
        in_work = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 0))
        await entered(lanes[0])
        behind = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 1))
        await until(lambda: len(preparer._waiting) == 1)
        for task in (in_work, behind):
            task.cancel()
        await asyncio.wait([behind])  # nobody writes to its slot
        assert not in_work.done()
        lanes[0].open.set()
        await asyncio.wait([in_work])
        assert (in_work.cancelled(), behind.cancelled()) == (True, True)
        await preparer.prepare(png(30, 40), SPEC, memory, 2)
    assert lanes[0].batches == [[0], [2]]


@pytest.mark.parametrize("trouble", [DeviceMemoryFull(10, 5), DeviceLost("ECC error")])
async def test_trouble_with_the_gpu_is_the_frames_error_and_leaves_no_memory_out(
    device: CudaDevice, trouble: Exception
) -> None:
    memory, troubled = device_memory(device), TroubledDevice(device)
    with preparer_on(troubled, troubled.allocate_pinned) as preparer:
        await preparer.prepare(png(30, 40), SPEC, memory, 0)
        troubled.trouble = trouble
        for _ in range(3):
            with pytest.raises(type(trouble)):
                await preparer.prepare(png(30, 40), SPEC, memory, 0)
        assert len(troubled.pinned) == 1  # each of them had the block of the one before
        troubled.trouble = None
        await preparer.prepare(png(31, 41), SPEC, memory, 1)
    assert_alike(content(memory, 1, SPEC), on_the_cpu(png(31, 41), SPEC)[0], SPEC)


class Broken:
    """Names steps, and breaks one of them."""

    def __init__(self, step: str) -> None:
        self.step = step

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        yield
        if name == self.step:
            raise KeyError(name)


async def test_a_mistake_in_a_batch_is_an_error_of_the_gpu_and_its_stream_is_waited_for(device: CudaDevice) -> None:
    troubled, broken = TroubledDevice(device), Broken("upload")
    memory = HostFrameMemory(None, 1, SPEC.size_bytes)
    with preparer_on(troubled, troubled.allocate_pinned, named=broken) as preparer:
        for waits in (1, 2):
            with pytest.raises(DeviceRefused, match="the GPU was to prepare frames: KeyError: 'upload'"):
                await preparer.prepare(png(30, 40), SPEC, memory, 0)
            assert troubled.streams[0].waits == waits  # the block may be given to another frame
        broken.step = ""
        await preparer.prepare(png(30, 40), SPEC, memory, 0)
    assert len(troubled.pinned) == 1


async def test_each_frame_of_a_failed_batch_has_an_error_of_its_own(device: CudaDevice) -> None:
    memory, lanes, troubled = HostFrameMemory(None, 3, SPEC.size_bytes), list[GatedLane](), TroubledDevice(device)
    with preparer_on(troubled, device.allocate_pinned, wrap=gates(lanes)) as preparer:
        first = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 0))
        await entered(lanes[0])
        others = [asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, slot)) for slot in (1, 2)]
        await until(lambda: len(preparer._waiting) == 2)
        troubled.trouble = DeviceMemoryFull(10, 5)
        lanes[0].open.set()
        errors = await asyncio.gather(first, *others, return_exceptions=True)
    assert [(type(error), str(error)) for error in errors] == [(DeviceMemoryFull, str(troubled.trouble))] * 3
    assert len({id(error) for error in errors}) == 3


async def test_a_caller_who_is_cancelled_twice_keeps_his_slot_all_the_same(device: CudaDevice) -> None:
    memory, lanes = device_memory(device), list[GatedLane]()
    with preparer_on(device, device.allocate_pinned, wrap=gates(lanes)) as preparer:
        in_work = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 0))
        await entered(lanes[0])
        for _ in range(2):
            in_work.cancel()
            await asyncio.sleep(0.01)
            assert not in_work.done()
        lanes[0].open.set()
        await asyncio.wait([in_work])
    assert in_work.cancelled()


async def test_a_batch_that_does_not_end_is_a_lost_gpu_for_all_frames_but_its_own(device: CudaDevice) -> None:
    memory, lanes = device_memory(device), list[GatedLane]()
    with preparer_on(device, device.allocate_pinned, wrap=gates(lanes), batch_seconds=0.2) as preparer:
        told = list[DeviceLost]()
        preparer.when_stuck(told.append)
        stuck = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 0))
        await entered(lanes[0])
        behind = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 1))
        with pytest.raises(DeviceLost, match=r"a batch of 1 frames was not done after 0\.2 s; .* restart the gateway"):
            await behind
        with pytest.raises(DeviceLost, match="was not done"):
            await preparer.prepare(png(30, 40), SPEC, memory, 2)
        assert preparer.is_stuck
        assert len(told) == 1
        assert not stuck.done()  # the GPU may write to its slot
        lanes[0].open.set()
        await stuck
    assert lanes[0].batches == [[0]]


async def test_frames_behind_a_batch_that_does_not_end_fail_also_where_telling_it_fails(device: CudaDevice) -> None:
    def fail(error: DeviceLost) -> None:
        raise KeyError(error.reason)

    memory, lanes = device_memory(device), list[GatedLane]()
    with preparer_on(device, device.allocate_pinned, wrap=gates(lanes)) as preparer:
        preparer.when_stuck(fail)
        stuck = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 0))
        await entered(lanes[0])
        behind = asyncio.create_task(preparer.prepare(png(30, 40), SPEC, memory, 1))
        await until(lambda: len(preparer._waiting) == 1)
        with pytest.raises(KeyError):
            preparer._give_up(1)
        async with asyncio.timeout(30):
            with pytest.raises(DeviceLost, match="with one worker, restart the gateway"):
                await behind
        lanes[0].open.set()
        await stuck
