"""One run of calibration frames through a model: what range every activation takes.

ONNX Runtime's calibrators do the work. Two of their properties are worked around:

- They keep all activations of all frames until told to collect; here they collect every few frames.
- Their histograms start with the range of the first frames and grow; here a min-max pass goes first and fixes the bins,
  so that memory and search are bounded and the order of the frames does not matter.
"""

import contextlib
import hashlib
import io
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

from contracts.quantization import RangeMethod
from model_compiler.errors import UnsupportedModel
from model_compiler.graph.onnx_model import TensorFacts
from model_compiler.quantization.calibration_cache import CalibrationCache, Range
from model_compiler.quantization.calibration_frames import CalibrationInputs
from model_compiler.quantization.errors import ActivationNotFinite, CalibrationFramesRefused
from model_compiler.quantization.histogram_search import HistogramSearch
from model_compiler.quantization.quantizable_graph import picture_input, quantizable_graph
from model_compiler.quantization.quantized_operators import QUANTIZED_OPERATORS
from model_compiler.quantization.settings import QuantizationSettings

Batch = NDArray[np.float32]
ACTIVATION_BYTES = 128 * 1024 * 1024
"""Activations that are collected at a time, unless one batch has more."""
LONGEST_STRIDE = 8
"""Batches that are collected at a time; more gain nothing."""
BINS = 2048
QUANTIZED_BINS = 128
"""Of the search of the entropy method: 8 bits without the sign (Migacz, GTC 2017). With as many bins it has nothing to
search: ONNX Runtime's default of 128 bins always gives the smallest and largest value."""
_METHODS: dict[RangeMethod, Any] = {
    "min-max": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


def calibrate(model: bytes, frames: CalibrationInputs, settings: QuantizationSettings) -> CalibrationCache:
    """Measure the ranges of all activations that may be quantised.

    Args:
        model: Plain FP32 network with one picture input.
        frames: Its inputs.
        settings: Method and percentile.

    Raises:
        ModelError: The graph cannot be quantised.
        CalibrationFramesRefused: An input has another size than the network, or NaN.
        ActivationNotFinite: The float model gives NaN or infinity.
    """
    graph = quantizable_graph(model)
    with tempfile.TemporaryDirectory(prefix="outpost-calibrate-") as folder:
        run = _CalibrationRun(graph, frames, Path(folder))
        ranges = run.min_max() if settings.method == "min-max" else run.histogram_ranges(settings)
    return CalibrationCache(
        model_sha256=hashlib.sha256(model).hexdigest(),
        method=settings.method,
        frame_count=len(frames),
        frames_sha256=frames.sha256,
        ranges=ranges,
    )


class _BatchReader(CalibrationDataReader):  # type: ignore[misc]
    """A few batches, in the form that the calibrators take."""

    def __init__(self, name: str, batches: list[Batch]) -> None:
        self._name, self._batches = name, iter(batches)

    def get_next(self) -> dict[str, Batch] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


class _CalibrationRun:
    """A graph and frames; ``folder`` is for the calibrators, which work on files."""

    def __init__(self, graph: onnx.ModelProto, frames: CalibrationInputs, folder: Path) -> None:
        self._graph, self._frames, self._folder = graph, frames, folder
        self._input = picture_input(graph)
        self._stride = 1
        onnx.save(graph, folder / "plain.onnx")

    def min_max(self) -> dict[str, Range]:
        """Lowest and highest value of every activation."""
        size_bytes = _activation_bytes(self._graph, self._input, self._frames)
        self._stride = min(LONGEST_STRIDE, max(1, ACTIVATION_BYTES // max(1, size_bytes)))
        calibrator = self._calibrator("min-max", {})
        self._collect(calibrator)
        return _ranges(calibrator.compute_data())

    def histogram_ranges(self, settings: QuantizationSettings) -> dict[str, Range]:
        """Ranges that leave out what is too rare to matter."""
        options: dict[str, Any] = {"num_bins": BINS, "symmetric": False}
        if settings.method == "entropy":
            options["num_quantized_bins"] = QUANTIZED_BINS
        else:
            options["percentile"] = settings.percentile
        outer = self.min_max()
        calibrator = self._calibrator(settings.method, options)
        calibrator.collector = _collector(calibrator, outer)
        self._collect(calibrator)
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            found = _ranges(calibrator.compute_data())
        # Pixels are never cut off: white is common, and with all of its range a picture goes in without rounding.
        return outer | found | {self._input.name: outer[self._input.name]}

    def _calibrator(self, method: RangeMethod, options: dict[str, Any]) -> Any:
        return create_calibrator(
            self._folder / "plain.onnx",
            list(QUANTIZED_OPERATORS),
            augmented_model_path=str(self._folder / f"{method}.onnx"),
            calibrate_method=_METHODS[method],
            extra_options=options,
        )

    def _collect(self, calibrator: Any) -> None:
        batches = batches_of(self._frames, self._input)
        while some := list(islice(batches, self._stride)):
            with contextlib.redirect_stdout(io.StringIO()):
                calibrator.collect_data(_BatchReader(self._input.name, some))


def _collector(calibrator: Any, ranges: dict[str, Range]) -> HistogramSearch:
    """Empty histograms over the ranges that are already known, symmetric around 0 as the calibrators have them."""
    collector = HistogramSearch(
        calibrator.method,
        calibrator.symmetric,
        calibrator.num_bins,
        calibrator.num_quantized_bins,
        calibrator.percentile,
        calibrator.scenario,
    )
    for tensor, (low, high) in ranges.items():
        outer = np.float32(max(-low, high))
        counts, edges = np.histogram(np.empty(0, np.float32), BINS, range=(-float(outer), float(outer)))
        collector.histogram_dict[tensor] = (
            counts, edges.astype(np.float32), np.float32(low), np.float32(high), outer
        )  # fmt: skip
    return collector


def _ranges(data: Any) -> dict[str, Range]:
    ranges = {}
    for tensor, values in data.items():
        low, high = (float(np.asarray(value).reshape(-1)[0]) for value in values.range_value)
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ActivationNotFinite(tensor)
        ranges[tensor] = (low, high)
    return ranges


def batches_of(frames: CalibrationInputs, network: TensorFacts) -> Iterator[Batch]:
    """As many frames as the network takes at a time; the last is repeated where a batch is not full."""
    size, waiting = network.shape[0] or 1, iter(frames)
    index = 0
    while some := list(islice(waiting, size)):
        for frame in some:
            _check_frame(index, frame, network)
            index += 1
        yield np.concatenate([*some, *[some[-1]] * (size - len(some))])
    if not index:
        raise CalibrationFramesRefused("given", "there are none")


def _check_frame(index: int, frame: Batch, network: TensorFacts) -> None:
    if frame.shape != (1, *network.shape[1:]):
        raise CalibrationFramesRefused(
            "given", f"frame {index} is {list(frame.shape)}, the network takes {[1, *network.shape[1:]]}"
        )
    if not np.isfinite(frame).all():
        raise CalibrationFramesRefused("given", f"frame {index} has NaN or infinite values: check scale, mean and std")


def _activation_bytes(graph: onnx.ModelProto, network: TensorFacts, frames: CalibrationInputs) -> int:
    """Size of all activations of one batch; names the first that is not finite, because the calibrators skip NaN."""
    inspected = onnx.ModelProto()
    inspected.CopyFrom(graph)
    given = {value.name for value in graph.graph.output}
    floats = {value.name: value for value in graph.graph.value_info}
    for node in graph.graph.node:
        inspected.graph.output.extend(floats[name] for name in node.output if name in floats and name not in given)
    batch = next(batches_of(frames, network))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            inspected.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        values = dict(zip(names, session.run(names, {network.name: batch}), strict=True))
    except Exception as error:  # the runtime's exceptions share no other base
        raise UnsupportedModel(f"ONNX Runtime cannot run the model on a calibration frame: {error}") from error
    for node in graph.graph.node:
        for name in node.output:
            if name in values and values[name].dtype.kind == "f" and not np.isfinite(values[name]).all():
                raise ActivationNotFinite(name)
    return sum(value.nbytes for value in values.values())
