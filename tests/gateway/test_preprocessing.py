"""How a worker prepares frames: which path, what it says of it, and what happens when the GPU is lost."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.model_card import InputSpec
from gateway.errors import DeviceLost, DeviceMemoryFull, DeviceRefused
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.preparer import FramePreparer, HostPreparer
from gateway.frames.preparer_speed import MemoryMaker, memory_of_the_machine
from gateway.metrics import ServingMetrics
from gateway.prepared_input import PreparedInput
from gateway.preprocessing_choice import PreprocessingChoice
from gateway.settings import Settings
from gateway.start_errors import PreprocessingImpossible
from gateway.transport import Transport
from gateway.workers.preprocessing import DeviceOpener, Preprocessing
from tests.fakes.pictures import jpeg

SPEC = InputSpec(width=8, height=8)


class LostPreparer:
    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        raise DeviceLost("Xid 79")


class LostDevice:
    """Implements ``OpenedDevice``."""

    description = "a card"

    def __init__(self) -> None:
        self.preparer = LostPreparer()
        self.closed = False

    def when_stuck(self, tell: Callable[[DeviceLost], None]) -> None:
        self.tell_stuck = tell

    def make_memory(self, name: str, slots: int, slot_bytes: int, output_bytes: int) -> FrameMemory:
        return HostFrameMemory(None, slots, slot_bytes)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


class Measured:
    """Says how long each way takes, in ms; the CPU 2 ms."""

    def __init__(self, gpu_ms: float, gpu_slot_ms: float | Exception = 9.0) -> None:
        self.gpu_ms, self.gpu_slot_ms = gpu_ms, gpu_slot_ms
        self.asked: list[str] = []

    def __call__(self, preparer: FramePreparer, make_memory: MemoryMaker) -> float:
        if isinstance(preparer, HostPreparer):
            self.asked.append("cpu")
            return 0.002
        if make_memory is memory_of_the_machine:
            self.asked.append("gpu")
            return self.gpu_ms / 1000
        self.asked.append("gpu, slots on it")
        make_memory(16, 100)
        if isinstance(self.gpu_slot_ms, Exception):
            raise self.gpu_slot_ms
        return self.gpu_slot_ms / 1000


def made(
    executor: Executor,
    wanted: str,
    open_device: DeviceOpener,
    measure: Callable[[FramePreparer, MemoryMaker], float] | None = None,
    agreed: PreprocessingChoice | None = None,
    shared_memory: str = "auto",
    *,
    was_lost: bool = False,
) -> tuple[Preprocessing, ServingMetrics]:
    metrics = ServingMetrics(CollectorRegistry())
    preprocessing = Preprocessing(
        Settings.model_validate({"preprocess": wanted, "shared_memory": shared_memory}),
        executor,
        metrics,
        agreed,
        was_lost=was_lost,
        choose=lambda _: PreprocessingChoice("cuda", "there is a GPU"),
        open_device=open_device,
        measure=measure or Measured(1.0),
    )
    return preprocessing, metrics


def path_of(metrics: ServingMetrics) -> dict[str, float | None]:
    return {
        path: metrics.registry.get_sample_value("outpost_preprocessing", {"path": path}) for path in ("cpu", "cuda")
    }


async def test_a_lost_gpu_is_told_everywhere_and_the_cpu_goes_on(
    executor: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    device, told = LostDevice(), list[str]()
    preprocessing, metrics = made(executor, "auto", lambda *_: device)
    preprocessing.when_lost(told.append)
    said = "a card; it took 1.00 ms for a JPEG of 1920 x 1080 at the start, the CPU 2.00 ms"
    assert (preprocessing.choice.path, preprocessing.choice.reason) == ("cuda", said)
    assert path_of(metrics) == {"cpu": 0, "cuda": 1}
    assert preprocessing.make_device_memory is not None
    memory = HostFrameMemory(None, 1, SPEC.size_bytes)
    with pytest.raises(DeviceLost):
        await preprocessing.preparer.prepare(jpeg(16, 16), SPEC, memory, 0)
    await preprocessing.preparer.prepare(jpeg(16, 16), SPEC, memory, 0)
    assert memory.array(0, (192,), np.uint8).any()
    assert (preprocessing.choice.path, preprocessing.lost) == ("cpu", True)
    assert "Xid 79" in preprocessing.choice.reason
    assert path_of(metrics) == {"cpu": 1, "cuda": 0}
    assert [text.startswith("the GPU was lost: Xid 79") for text in told] == [True]
    assert "the GPU is lost, the CPU prepares frames from here on" in caplog.messages
    preprocessing.close()
    assert device.closed


async def test_a_gpu_that_is_lost_outside_preparation_prepares_no_more_frames(executor: Executor) -> None:
    told = list[str]()
    preprocessing, metrics = made(executor, "auto", lambda *_: LostDevice())
    preprocessing.when_lost(told.append)
    for _ in range(2):
        preprocessing.lose(DeviceLost("CUDA_ERROR_ILLEGAL_ADDRESS"))
    memory = HostFrameMemory(None, 1, SPEC.size_bytes)
    await preprocessing.preparer.prepare(jpeg(16, 16), SPEC, memory, 0)
    assert path_of(metrics) == {"cpu": 1, "cuda": 0}
    assert len(told) == 1
    preprocessing.close()


def test_a_gpu_that_is_no_quicker_is_left_to_others_unless_it_was_asked_for(executor: Executor) -> None:
    device = LostDevice()
    preprocessing, metrics = made(executor, "auto", lambda *_: device, Measured(3.0, 2.5))
    said = (
        "the GPU is no quicker: it took 2.50 ms for a JPEG of 1920 x 1080 into its own memory and 3.00 ms into the"
        " machine's at the start, the CPU 2.00 ms (a card)"
    )
    assert (preprocessing.choice.path, preprocessing.choice.reason) == ("cpu", said)
    assert (preprocessing.make_device_memory, preprocessing.lost, device.closed) == (None, False, True)
    assert path_of(metrics) == {"cpu": 1, "cuda": 0}
    asked_for, _ = made(executor, "cuda", lambda *_: device, never)
    assert (asked_for.choice.path, asked_for.choice.reason) == ("cuda", "a card")


def never(*_: object) -> float:
    raise AssertionError("nobody measures where there is no choice")


def test_a_gpu_that_does_not_get_done_is_lost_though_no_other_frame_comes(executor: Executor) -> None:
    device, told = LostDevice(), list[str]()
    preprocessing, _ = made(executor, "cuda", lambda *_: device)
    preprocessing.when_lost(told.append)
    device.tell_stuck(DeviceLost("a batch was not done"))
    assert (preprocessing.choice.path, preprocessing.lost, len(told)) == ("cpu", True, 1)


def test_memory_on_the_gpu_is_measured_only_where_that_can_change_the_choice(executor: Executor) -> None:
    for measured, shared_memory, asked in (
        (Measured(1.0), "auto", 2),
        (Measured(3.0, 1.0), "off", 2),
        (Measured(3.0, 1.0), "auto", 3),
    ):
        preprocessing, _ = made(executor, "auto", lambda *_: LostDevice(), measured, shared_memory=shared_memory)
        assert measured.asked == ["gpu", "cpu", "gpu, slots on it"][:asked]
        assert preprocessing.at_start.only_into_its_memory == (asked == 3)


@pytest.mark.parametrize("error", [DeviceRefused("share memory with Triton", "no IPC"), DeviceMemoryFull(100, 10)])
def test_a_gpu_that_shares_no_memory_is_measured_into_that_of_the_machine(executor: Executor, error: Exception) -> None:
    preprocessing, _ = made(executor, "auto", lambda *_: LostDevice(), Measured(3.0, error))
    said = "the GPU is no quicker: it took 3.00 ms for a JPEG of 1920 x 1080 at the start, the CPU 2.00 ms (a card)"
    assert (preprocessing.choice.path, preprocessing.choice.reason) == ("cpu", said)


async def test_a_gpu_that_is_quicker_only_into_its_memory_prepares_what_lies_there(executor: Executor) -> None:
    preprocessing, metrics = made(executor, "auto", lambda *_: LostDevice(), Measured(3.0, 1.0))
    assert (preprocessing.choice.path, preprocessing.at_start.path) == ("cpu", "cuda")  # no slot lies on it yet
    assert path_of(metrics) == {"cpu": 1, "cuda": 0}
    for transport, path in ((Transport.SYSTEM, "cpu"), (Transport.CUDA, "cuda"), (Transport.REQUEST, "cpu")):
        preprocessing.use_transport(transport)
        assert preprocessing.choice.path == path
        assert path_of(metrics)[path] == 1
    assert preprocessing.choice.reason.startswith(
        "a card; it took 1.00 ms for a JPEG of 1920 x 1080 into its own memory and 3.00 ms into the machine's at the"
        " start, the CPU 2.00 ms: it prepares frames whose slots lie on it, the CPU all others"
    )
    memory = HostFrameMemory(None, 1, SPEC.size_bytes)
    await preprocessing.preparer.prepare(jpeg(16, 16), SPEC, memory, 0)
    assert not preprocessing.lost
    preprocessing.lose(DeviceLost("Xid 79"))
    preprocessing.use_transport(Transport.CUDA)
    assert (preprocessing.choice.path, preprocessing.lost) == ("cpu", True)


def test_the_transport_changes_nothing_where_the_gpu_is_quicker_anyway(executor: Executor) -> None:
    preprocessing, _ = made(executor, "auto", lambda *_: LostDevice())
    preprocessing.use_transport(Transport.REQUEST)
    assert preprocessing.choice.path == "cuda"


def test_what_another_worker_has_come_to_is_taken_and_nothing_is_measured(executor: Executor) -> None:
    on_gpu = PreprocessingChoice("cuda", "a card; it took 1 ms", only_into_its_memory=True)
    taken, _ = made(executor, "auto", lambda *_: LostDevice(), never, on_gpu)
    assert taken.at_start == on_gpu
    on_cpu = PreprocessingChoice("cpu", "the GPU is no quicker")
    taken, metrics = made(executor, "auto", never_opened, never, on_cpu)
    assert (taken.choice, taken.lost, taken.make_device_memory) == (on_cpu, False, None)
    assert path_of(metrics) == {"cpu": 1, "cuda": 0}


def never_opened(*_: object) -> LostDevice:
    raise AssertionError("a GPU that nobody uses is not opened")


@pytest.mark.parametrize(
    ("error", "was_lost", "lost"),
    [
        (DeviceMemoryFull(10, 5), False, False),
        (DeviceRefused("open it", "exclusive process"), False, False),
        (DeviceLost("Xid 79"), False, True),
        (DeviceRefused("open it", "there is no GPU 0: CUDA sees 0"), True, True),
    ],
)
def test_a_gpu_that_others_use_and_that_does_not_open_here_is_lost_where_it_does_not_work(
    executor: Executor, error: Exception, *, was_lost: bool, lost: bool
) -> None:
    def refuse(*_: object) -> LostDevice:
        raise error

    agreed = PreprocessingChoice("cuda", "a card")
    preprocessing, metrics = made(executor, "auto", refuse, never, agreed, was_lost=was_lost)
    assert (preprocessing.choice.path, preprocessing.lost) == ("cpu", lost)
    assert str(error) in preprocessing.choice.reason
    assert metrics.registry.get_sample_value("outpost_device_lost") == lost
    with pytest.raises(PreprocessingImpossible):
        made(executor, "cuda", refuse, never, agreed)


def test_a_gpu_that_opens_again_is_not_lost(executor: Executor) -> None:
    agreed = PreprocessingChoice("cuda", "a card")
    preprocessing, metrics = made(executor, "auto", lambda *_: LostDevice(), never, agreed, was_lost=True)
    assert (preprocessing.choice.path, preprocessing.lost) == ("cuda", False)
    assert metrics.registry.get_sample_value("outpost_device_lost") == 0


def test_a_gpu_that_is_left_alone_since_a_process_did_not_start_with_it_is_lost(executor: Executor) -> None:
    agreed = PreprocessingChoice("cpu", "a process did not start with it")
    preprocessing, metrics = made(executor, "auto", never_opened, never, agreed, was_lost=True)
    assert (preprocessing.choice, preprocessing.lost) == (agreed, True)
    assert metrics.registry.get_sample_value("outpost_device_lost") == 1


def unmeasurable(executor: Executor, device: LostDevice, fail: Callable[[], Exception]) -> Preprocessing:
    def measure(*_: object) -> float:
        raise fail()

    to_open = [device]
    preprocessing, _ = made(executor, "auto", lambda *_: to_open.pop(), measure)
    assert preprocessing.choice.path == "cpu"
    assert "its speed could not be measured" in preprocessing.choice.reason
    assert str(fail()) in preprocessing.choice.reason
    return preprocessing


@pytest.mark.parametrize("error", [DeviceLost("Xid 79"), ValueError("odd")])
def test_a_gpu_whose_speed_cannot_be_measured_is_not_taken(executor: Executor, error: Exception) -> None:
    device = LostDevice()
    unmeasurable(executor, device, lambda: error)
    assert device.closed


def test_a_gpu_that_hangs_while_it_is_measured_is_asked_for_nothing_more_and_kept(executor: Executor) -> None:
    device = LostDevice()
    left = weakref.ref(device)
    preprocessing = unmeasurable(executor, device, lambda: TimeoutError("it took longer than 30 s"))
    preprocessing.close()
    assert not device.closed
    del device
    gc.collect()
    assert left() is not None  # what goes gives back its memory, which waits for the GPU


def test_frames_of_the_measurement_are_not_counted(executor: Executor) -> None:
    told = list[Callable[[bool], None]]()

    def opened(_settings: Settings, _executor: Executor, on_prepared: Callable[[bool], None]) -> LostDevice:
        told.append(on_prepared)
        return LostDevice()

    def measure(preparer: FramePreparer, make_memory: MemoryMaker) -> float:
        told[0](True)
        return Measured(1.0)(preparer, make_memory)

    _, metrics = made(executor, "auto", opened, measure)
    told[0](False)
    count = metrics.registry.get_sample_value
    assert count("outpost_device_frames_total", {"decoder": "gpu"}) in (None, 0)
    assert count("outpost_device_frames_total", {"decoder": "cpu"}) == 1


@pytest.mark.parametrize(
    "error",
    [
        DeviceMemoryFull(10, 5),
        DeviceRefused("open it", "exclusive process"),
        AttributeError("module 'nvidia.nvimgcodec' has no attribute 'Decoder'"),
        OSError("libcuda.so.1 is not what it was"),
    ],
)
def test_a_gpu_that_does_not_open_leaves_auto_to_the_cpu_and_is_an_error_where_it_was_asked_for(
    executor: Executor, error: Exception
) -> None:
    def refuse(*_: object) -> LostDevice:
        raise error

    preprocessing, metrics = made(executor, "auto", refuse)
    assert (preprocessing.choice.path, preprocessing.lost) == ("cpu", False)
    assert str(error) in preprocessing.choice.reason
    assert path_of(metrics) == {"cpu": 1, "cuda": 0}
    assert preprocessing.make_device_memory is None
    with pytest.raises(PreprocessingImpossible, match="--preprocess cpu"):
        made(executor, "cuda", refuse)


def test_without_the_packages_for_gpus_auto_takes_the_cpu_and_says_why() -> None:
    program = (
        "import sys\n"
        "for name in ('numba', 'numba_cuda'): sys.modules[name] = None\n"
        "from gateway.settings import Settings\n"
        "from gateway.workers.preprocessing import preprocessing_of\n"
        "print(preprocessing_of(Settings(preprocess='auto')).reason)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "no GPU is used: numba-cuda is not installed: install outpost[gpu]\n"


async def test_the_cpu_does_not_write_to_a_gpu(executor: Executor) -> None:
    memory: Any = SimpleNamespace(transport=Transport.CUDA)
    with pytest.raises(TypeError, match="cuda_shared_memory"):
        await HostPreparer(executor, max_pixels=1000).prepare(jpeg(16, 16), SPEC, memory, 0)
