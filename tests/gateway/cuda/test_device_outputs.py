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
from gateway.cuda.device_room import DeviceRoom
from gateway.cuda.selection_rooms import SelectionRooms
from gateway.device_output import RawOutput, SelectionOptions
from gateway.errors import DeviceLost, DeviceMemoryFull, InvalidModelOutput
from gateway.frames.decoding import Decoder
from tests.vision.cuda.conftest import HAS_GPU
from vision.letterbox import Placement, placement_for

pytestmark = pytest.mark.long

LABELS = ("a", "b", "c")
SHAPES = {"yolov8": (7, 20), "yolov5": (20, 8)}
PLACEMENT: Placement = placement_for((64, 48), (64, 48), (64, 48))


class Clock:
    """Each selection takes what the test says: those of the GPU first, then those of the CPU; and so on."""

    def __init__(self, *seconds: float) -> None:
        self._took = [each for each in seconds for _ in range(6)]
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


def measured(device: CudaDevice, kind: RawOutput, clock: Clock, at_one_time: int = 1) -> DeviceOutputs:
    outputs = DeviceOutputs(device, at_one_time, clock)
    outputs.expect("region", [kind])
    outputs.measure()
    return outputs


QUICKER = {"GPU": (0.001, 0.002), "CPU": (0.002, 0.001)}


def on_gpu(device: CudaDevice, values: NDArray[np.float32]) -> Any:
    return device.upload(values.reshape(-1).view(np.uint8))


@pytest.mark.parametrize("layout", ["yolov8", "yolov5"])
@pytest.mark.parametrize("quicker", ["GPU", "CPU"])
def test_detections_are_those_of_an_output_in_the_answer(
    device: CudaDevice, layout: str, quicker: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind = RawOutput("yolov8" if layout == "yolov8" else "yolov5", SHAPES[layout], len(LABELS))
    with caplog.at_level(logging.INFO):
        outputs = measured(device, kind, Clock(*QUICKER[quicker]))
    assert f"detections are selected on the {quicker}" in caplog.text
    values = head(layout)
    decoder = Decoder(card_of(layout))
    expected = decoder.decode(values, PLACEMENT)
    found = decoder.decode(outputs.output(on_gpu(device, values), 0, kind), PLACEMENT)
    assert len(expected[0]) > 3
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def place_of(outputs: DeviceOutputs, kind: RawOutput) -> str | None:
    if kind not in outputs._rooms:
        return None
    return "CPU" if outputs._rooms[kind] is None else "GPU"


def test_a_kind_is_measured_again_and_what_changes_is_logged(
    device: CudaDevice, caplog: pytest.LogCaptureFixture
) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    with caplog.at_level(logging.INFO):
        outputs = measured(device, kind, Clock(*QUICKER["GPU"], *QUICKER["GPU"], *QUICKER["CPU"]))
        rooms = outputs._rooms[kind]
        outputs.measure()
        assert outputs._rooms[kind] is rooms
        outputs.measure()
    assert place_of(outputs, kind) == "CPU"
    said = [text for text in caplog.messages if "are selected on the" in text]
    assert said == ["detections are selected on the GPU", "detections are selected on the CPU"]


@pytest.mark.parametrize(
    ("first", "then", "place"),
    [
        ((1.0, 2.0), (1.1, 0.9), "GPU"),
        ((1.0, 2.0), (1.1, 0.8), "CPU"),
        ((2.0, 1.0), (0.9, 1.1), "CPU"),
        ((2.0, 1.0), (0.8, 1.1), "GPU"),
    ],
)
def test_a_place_that_is_known_changes_where_the_other_is_a_fifth_quicker(
    device: CudaDevice, first: tuple[float, float], then: tuple[float, float], place: str
) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs = measured(device, kind, Clock(*first, *then))
    outputs.measure()
    assert place_of(outputs, kind) == place


def test_a_measurement_is_asked_for_where_other_kinds_come(device: CudaDevice) -> None:
    asked = list[bool]()
    outputs, kind = DeviceOutputs(device), RawOutput("yolov8", (7, 20), 3)
    outputs.when_to_measure(lambda: asked.append(True))
    for kinds, times in (([], 0), ([kind], 1), ([kind], 1), ([], 2)):
        outputs.expect("region", kinds)
        assert len(asked) == times


def test_no_kind_is_expected_once_the_last_region_is_gone(device: CudaDevice) -> None:
    outputs, kind = DeviceOutputs(device), RawOutput("yolov8", (7, 20), 3)
    outputs.expect("old", [kind])
    outputs.expect("new", [kind])
    for region, expected in (("old", {kind}), ("new", set())):
        outputs.forget(region)
        assert outputs._kinds == expected


def test_a_kind_that_is_gone_keeps_no_memory(device: CudaDevice) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs = measured(device, kind, Clock(*QUICKER["GPU"]))
    known = outputs._rooms[kind]
    assert known is not None
    rooms = weakref.ref(known)
    del known
    values, decoder = head("yolov8"), Decoder(card_of("yolov8"))
    in_work = outputs.output(on_gpu(device, values), 0, kind)
    outputs.expect("region", [])
    outputs.measure()
    np.testing.assert_array_equal(decoder.decode(in_work, PLACEMENT)[0], decoder.decode(values, PLACEMENT)[0])
    del in_work
    assert rooms() is not None  # it was not the last that had them
    outputs.measure()
    gc.collect()
    assert rooms() is None


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


@pytest.mark.parametrize("quicker", ["GPU", "CPU"])
def test_several_threads_read_outputs_of_one_kind(device: CudaDevice, quicker: str) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs, decoder = measured(device, kind, Clock(*QUICKER[quicker]), 2), Decoder(card_of("yolov8"))
    heads = [np.ascontiguousarray(np.roll(head("yolov8"), seed, axis=1)) for seed in range(4)]
    expected = [decoder.decode(values, PLACEMENT) for values in heads]
    read = [outputs.output(on_gpu(device, values), 0, kind) for values in heads]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda output: decoder.decode(output, PLACEMENT), read))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])


class MetMemory:
    """An array that can be cut only by two selections at one time."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.met = threading.Barrier(2)

    def __getitem__(self, part: slice) -> Any:
        self.met.wait(20)
        return self.values[part]


@pytest.mark.parametrize(("quicker", "rooms"), [("GPU", 2), ("CPU", 1)])
def test_as_many_selections_as_there_are_rooms_do_not_wait_for_each_other_and_on_the_cpu_none_does(
    device: CudaDevice, quicker: str, rooms: int
) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs, decoder, values = (
        measured(device, kind, Clock(*QUICKER[quicker]), rooms),
        Decoder(card_of("yolov8")),
        head("yolov8"),
    )
    memory, expected = MetMemory(on_gpu(device, values)), decoder.decode(values, PLACEMENT)
    with ThreadPoolExecutor(2) as threads:
        read = [outputs.output(memory, 0, kind) for _ in range(2)]
        for found in threads.map(lambda output: decoder.decode(output, PLACEMENT), read):
            np.testing.assert_array_equal(found[0], expected[0])


class TroubledDevice(CudaDevice):
    """Fails where memory is asked for, once it is told to."""

    error: Exception | None = None

    def upload(self, values: NDArray[Any]) -> Any:
        if self.error is not None:
            raise self.error
        return super().upload(values)


def test_a_gpu_without_room_leaves_the_selection_to_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    kind, device = RawOutput("yolov8", (7, 20), 3), TroubledDevice(0)
    device.error = DeviceMemoryFull(560, 10)
    outputs = measured(device, kind, Clock())
    assert "it is not measured who selects detections" in caplog.text
    decoder, values = Decoder(card_of("yolov8")), head("yolov8")
    device.error = None
    found = decoder.decode(outputs.output(on_gpu(device, values), 0, kind), PLACEMENT)
    np.testing.assert_array_equal(found[0], decoder.decode(values, PLACEMENT)[0])


def test_what_was_measured_stays_where_a_later_measurement_fails_but_on_a_lost_gpu_nothing_is_measured_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kind, device = RawOutput("yolov8", (7, 20), 3), TroubledDevice(0)
    outputs = measured(device, kind, Clock(*QUICKER["GPU"]))
    device.error = DeviceMemoryFull(560, 10)
    outputs.measure()
    assert place_of(outputs, kind) == "GPU"
    device.error = DeviceLost("Xid 79")
    outputs.measure()
    assert place_of(outputs, kind) is None
    caplog.clear()
    outputs.measure()
    assert caplog.messages == []


@pytest.mark.parametrize("quicker", ["GPU", "CPU"])
def test_numbers_that_are_none_are_an_error_of_the_model(device: CudaDevice, quicker: str) -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    outputs = measured(device, kind, Clock(*QUICKER[quicker]))
    values = head("yolov8")
    values[5, 11] = np.nan
    with pytest.raises(InvalidModelOutput, match="anchor 11"):
        Decoder(card_of("yolov8")).decode(outputs.output(on_gpu(device, values), 0, kind), PLACEMENT)


def test_a_shape_that_is_not_the_layout_s_is_said_with_the_frame(device: CudaDevice) -> None:
    kind = RawOutput("yolov8", (3, 20), 3)
    outputs = DeviceOutputs(device)
    outputs.expect("region", [kind])
    outputs.measure()
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
    outputs.expect("region", [kind])
    with caplog.at_level(logging.INFO):
        outputs.measure()
    assert "are selected on the" in caplog.text
    values = np.random.default_rng(5).uniform(0, 1, kind.shape).astype(np.float32)
    values[:4] = np.random.default_rng(6).uniform(4, 600, (4, 8400))
    options = SelectionOptions(
        thresholds=np.full(80, 0.3, np.float32), iou_threshold=0.5, class_agnostic=False, max_detections=100
    )
    memory = on_gpu(device, values)
    with device.in_use("test"):
        rooms = SelectionRooms([DeviceRoom(device, kind, device.create_stream())])
    by_gpu, by_cpu = (OutputOnDevice(device, device.create_stream(), memory, 0, kind, each) for each in (rooms, None))
    np.testing.assert_array_equal(by_gpu.select(**options), by_cpu.select(**options))
