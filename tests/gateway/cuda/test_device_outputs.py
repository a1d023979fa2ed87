"""Raw outputs on a GPU, or in numba's simulator: the same detections, wherever they are selected."""

import gc
import logging
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.model_card import InputSpec, ModelCard, OutputSpec, Thresholds
from gateway.cuda.device import CudaDevice
from gateway.cuda.device_outputs import DeviceOutputs, OutputOnDevice
from gateway.device_output import RawOutput, SelectionOptions
from gateway.errors import DeviceMemoryFull, InvalidModelOutput
from gateway.frames.decoding import Decoder
from tests.vision.cuda.conftest import HAS_GPU
from vision.cuda.detections import DeviceSelector
from vision.letterbox import Placement, placement_for

LABELS = ("a", "b", "c")
SHAPES = {"yolov8": (7, 20), "yolov5": (20, 8)}
PLACEMENT: Placement = placement_for((64, 48), (64, 48), (64, 48))


class Clock:
    """Each selection takes what the test says: those of the GPU first."""

    def __init__(self, gpu_seconds: float, cpu_seconds: float) -> None:
        self._took = [gpu_seconds] * 6 + [cpu_seconds] * 6
        self._times = self._readings()

    def _readings(self) -> Iterator[float]:
        for seconds in self._took:
            yield 0.0
            yield seconds

    def __call__(self) -> float:
        return next(self._times)


@pytest.fixture(scope="module")
def device() -> CudaDevice:
    return CudaDevice(0)


def card_of(layout: str) -> ModelCard:
    return ModelCard(
        model="raw",
        version="1.0.0",
        hardware_class="x86-cpu",
        labels=LABELS,
        input=InputSpec(width=64, height=48),
        output=OutputSpec.model_validate({"name": "output0", "decoder": layout}),
        thresholds=Thresholds(default=0.3, by_label={"b": 0.6}),
    )


def head(layout: str) -> NDArray[np.float32]:
    chance = np.random.default_rng(4)
    rows = np.zeros((20, 7 if layout == "yolov8" else 8), np.float32)
    rows[:, :4] = chance.uniform(4, 40, (20, 4))
    rows[:, 4:] = chance.uniform(0, 1, rows[:, 4:].shape)
    return np.ascontiguousarray(rows.T) if layout == "yolov8" else rows


def on_gpu(device: CudaDevice, values: NDArray[np.float32]) -> Any:
    return device.upload(values.reshape(-1).view(np.uint8))


@pytest.mark.parametrize("layout", ["yolov8", "yolov5"])
@pytest.mark.parametrize("quicker", ["GPU", "CPU"])
def test_detections_are_those_of_an_output_in_the_answer(
    device: CudaDevice, layout: str, quicker: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind = RawOutput("yolov8" if layout == "yolov8" else "yolov5", SHAPES[layout], len(LABELS))
    outputs = DeviceOutputs(device, Clock(0.001, 0.002) if quicker == "GPU" else Clock(0.002, 0.001))
    with caplog.at_level(logging.INFO):
        outputs.expect([kind])
    assert f"detections are selected on the {quicker}" in caplog.text
    values = head(layout)
    decoder = Decoder(card_of(layout))
    expected = decoder.decode(values, PLACEMENT)
    found = decoder.decode(outputs.output(on_gpu(device, values), 0, kind), PLACEMENT)
    assert len(expected[0]) > 3
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_each_kind_is_measured_once(device: CudaDevice, caplog: pytest.LogCaptureFixture) -> None:
    outputs = DeviceOutputs(device, Clock(0.001, 0.002))
    with caplog.at_level(logging.INFO):
        outputs.expect([RawOutput("yolov8", (7, 20), 3)])
        outputs.expect([RawOutput("yolov8", (7, 20), 3)])
    assert caplog.text.count("are selected on the") == 1


def test_a_kind_that_is_gone_keeps_no_memory(device: CudaDevice) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs = DeviceOutputs(device, Clock(0.001, 0.002))
    outputs.expect([kind])
    selector = weakref.ref(outputs._selectors[kind])
    values, decoder = head("yolov8"), Decoder(card_of("yolov8"))
    in_work = outputs.output(on_gpu(device, values), 0, kind)
    outputs.expect([])
    np.testing.assert_array_equal(decoder.decode(in_work, PLACEMENT)[0], decoder.decode(values, PLACEMENT)[0])
    del in_work
    gc.collect()
    assert selector() is None


class WatchedDevice(CudaDevice):
    """Knows whether it is in use."""

    depth = 0

    @contextmanager
    def in_use(self, doing: str, needed_bytes: int = 0) -> Iterator[None]:
        with super().in_use(doing, needed_bytes):
            self.depth += 1
            try:
                yield
            finally:
                self.depth -= 1


class WatchedMemory:
    """An array that may be cut only where its device is in use."""

    def __init__(self, device: WatchedDevice, values: Any) -> None:
        self.device = device
        self.values = values
        self.cut = 0

    def __getitem__(self, part: slice) -> Any:
        assert self.device.depth
        self.cut += 1
        return self.values[part]


def test_an_output_is_cut_out_where_its_gpu_is_in_use() -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    device = WatchedDevice(0)
    values = np.concatenate([np.zeros((1, 7, 20), np.float32), head("yolov8")[np.newaxis]])
    memory = WatchedMemory(device, on_gpu(device, values))
    output = DeviceOutputs(device).output(memory, kind.size_bytes, kind)
    assert memory.cut == 0
    np.testing.assert_array_equal(output.to_host(), values[1])
    assert memory.cut == 1


def test_several_threads_read_outputs_of_one_kind(device: CudaDevice) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs, decoder = DeviceOutputs(device, Clock(0.001, 0.002)), Decoder(card_of("yolov8"))
    outputs.expect([kind])
    heads = [np.ascontiguousarray(np.roll(head("yolov8"), seed, axis=1)) for seed in range(4)]
    expected = [decoder.decode(values, PLACEMENT) for values in heads]
    read = [outputs.output(on_gpu(device, values), 0, kind) for values in heads]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda output: decoder.decode(output, PLACEMENT), read))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])


class FullDevice(CudaDevice):
    """Has no memory for anything more."""

    def upload(self, values: NDArray[Any]) -> Any:
        raise DeviceMemoryFull(values.nbytes, 10)


def test_a_gpu_without_room_leaves_the_selection_to_the_cpu(
    device: CudaDevice, caplog: pytest.LogCaptureFixture
) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs = DeviceOutputs(FullDevice(0))
    outputs.expect([kind])
    assert "are not selected on the GPU" in caplog.text
    decoder, values = Decoder(card_of("yolov8")), head("yolov8")
    found = decoder.decode(outputs.output(on_gpu(device, values), 0, kind), PLACEMENT)
    np.testing.assert_array_equal(found[0], decoder.decode(values, PLACEMENT)[0])


@pytest.mark.parametrize("quicker", ["GPU", "CPU"])
def test_numbers_that_are_none_are_an_error_of_the_model(device: CudaDevice, quicker: str) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs = DeviceOutputs(device, Clock(0.001, 0.002) if quicker == "GPU" else Clock(0.002, 0.001))
    outputs.expect([kind])
    values = head("yolov8")
    values[5, 11] = np.nan
    with pytest.raises(InvalidModelOutput, match="anchor 11"):
        Decoder(card_of("yolov8")).decode(outputs.output(on_gpu(device, values), 0, kind), PLACEMENT)


def test_a_shape_that_is_not_the_layout_s_is_said_with_the_frame(device: CudaDevice) -> None:
    kind = RawOutput("yolov8", (3, 20), 3)
    outputs = DeviceOutputs(device)
    outputs.expect([kind])
    nothing = outputs.output(on_gpu(device, np.zeros((3, 20), np.float32)), 0, kind)
    with pytest.raises(InvalidModelOutput, match=r"predictions must be \(4 \+ C, A\)"):
        Decoder(card_of("yolov8")).decode(nothing, PLACEMENT)


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")
def test_the_output_of_a_whole_detector_gives_the_same_detections(
    device: CudaDevice, caplog: pytest.LogCaptureFixture
) -> None:
    """What was measured stands in the log (``-o log_cli=true``)."""
    kind = RawOutput("yolov8", (84, 8400), 80)
    outputs = DeviceOutputs(device)
    with caplog.at_level(logging.INFO):
        outputs.expect([kind])
    assert "are selected on the" in caplog.text
    values = np.random.default_rng(5).uniform(0, 1, kind.shape).astype(np.float32)
    values[:4] = np.random.default_rng(6).uniform(4, 600, (4, 8400))
    options = SelectionOptions(
        thresholds=np.full(80, 0.3, np.float32), iou_threshold=0.5, class_agnostic=False, max_detections=100
    )
    stream, memory, selecting = device.create_stream(), on_gpu(device, values), threading.Lock()
    selector = DeviceSelector(kind.layout, kind.shape, kind.labels)
    np.testing.assert_array_equal(
        OutputOnDevice(device, stream, memory, 0, kind, selector, selecting).select(**options),
        OutputOnDevice(device, stream, memory, 0, kind, None, selecting).select(**options),
    )
