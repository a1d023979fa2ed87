import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization.calibrate import HistogramCollector

from contracts.quantization import RangeMethod
from model_compiler.errors import InvalidWeights, UnexpectedTensor, UnsupportedModel
from model_compiler.quantization.calibrate import QUANTIZED_BINS, calibrate
from model_compiler.quantization.calibration_cache import CalibrationCache
from model_compiler.quantization.errors import (
    ActivationNotFinite,
    CalibrationFramesRefused,
    InvalidCalibrationCache,
)
from model_compiler.quantization.histogram_search import HistogramSearch
from model_compiler.quantization.settings import QuantizationSettings
from tests.model_compiler.quantization.small_networks import NetworkBuilder, RandomFrames, detector, run

METHODS: tuple[RangeMethod, ...] = ("min-max", "entropy", "percentile")


def settings(method: RangeMethod = "min-max") -> QuantizationSettings:
    return QuantizationSettings(frames=Path("unused"), method=method)


def identity(*, relu: bool = False) -> bytes:
    """Convolutions that change nothing, so that the range of ``copy_out`` is known."""
    net = NetworkBuilder()
    source = net.add("Relu", "images", name="relu") if relu else "images"
    net.constant("one", np.ones((1, 1, 1, 1), np.float32))
    net.add("Conv", net.add("Conv", source, "one", name="copy"), "one", name="conv")
    return net.model("same", ["batch", 1, 32, 32], picture=("batch", 1, 32, 32))


class Laplace(RandomFrames):
    """32 frames of Laplace noise; the last may have one value of 200."""

    outlier = False

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        frames = np.random.default_rng(0).laplace(size=(32, 1, 1, 32, 32)).astype(np.float32)
        if self.outlier:
            frames[-1, 0, 0, 5, 5] = 200
        return iter(frames)


class WithOutlier(Laplace):
    outlier = True


@pytest.mark.parametrize("method", METHODS)
def test_ranges_do_not_depend_on_the_order_of_frames(method: RangeMethod) -> None:
    forwards = calibrate(identity(), RandomFrames(channels=1), settings(method))
    backwards = calibrate(identity(), RandomFrames(channels=1, backwards=True), settings(method))
    assert forwards.ranges == backwards.ranges


def test_every_activation_has_a_range() -> None:
    ranges = calibrate(detector(), RandomFrames(), settings("percentile")).ranges
    assert {"images", "stem/relu_out", "joined_out", "pooled_out", "neck/relu_out"} <= ranges.keys()


def test_min_max_is_what_was_seen() -> None:
    values = np.concatenate(list(Laplace(32)))
    ranges = calibrate(identity(), Laplace(32), settings()).ranges
    assert ranges["copy_out"] == (float(values.min()), float(values.max()))


def test_an_outlier_widens_min_max_and_leaves_the_entropy_range() -> None:
    assert calibrate(identity(), WithOutlier(32), settings()).ranges["copy_out"][1] == 200
    low, high = calibrate(identity(), WithOutlier(32), settings("entropy")).ranges["copy_out"]
    assert -20 < low < -3
    assert 3 < high < 20


def test_the_percentile_leaves_out_what_is_rarer() -> None:
    exact = settings("percentile").model_copy(update={"percentile": 99.0})
    values = np.concatenate(list(Laplace(32)))
    low, high = calibrate(identity(), Laplace(32), exact).ranges["copy_out"]
    np.testing.assert_allclose([low, high], np.percentile(values, [0.5, 99.5]), atol=0.05)


def test_pixels_are_never_cut_off() -> None:
    for method in METHODS:
        assert calibrate(identity(), WithOutlier(32), settings(method)).ranges["images"][1] == 200


def test_a_rectified_tensor_has_no_negative_range() -> None:
    for method in METHODS:
        assert calibrate(identity(relu=True), Laplace(32), settings(method)).ranges["relu_out"][0] == 0


def test_the_zeros_of_a_rectifier_do_not_narrow_the_entropy_range() -> None:
    """84 % of the values are 0; ONNX Runtime's own search then cuts many of the others off."""
    values = np.maximum(np.random.default_rng(0).standard_normal(100_000) - 1, 0).astype(np.float32)
    counts, edges = np.histogram(values, 512, range=(-values.max(), values.max()))
    histogram = (counts, edges.astype(np.float32), values.min(), values.max(), values.max())
    arguments = ("entropy", False, 512, QUANTIZED_BINS, 99.0, "same")
    low, high = HistogramSearch(*arguments).get_entropy_threshold(histogram, QUANTIZED_BINS)
    assert low == 0
    assert 2.5 < high <= values.max()
    with np.errstate(all="ignore"):
        assert HistogramCollector(*arguments).get_entropy_threshold(histogram, QUANTIZED_BINS)[1] < 1.5


def test_an_activation_that_is_always_zero_has_a_range() -> None:
    net = NetworkBuilder()
    net.constant("none", np.zeros((1, 1, 1, 1), np.float32))
    net.add("Conv", "images", "none", name="conv")
    model = net.model("zero", ["batch", 1, 32, 32], picture=("batch", 1, 32, 32))
    for method in METHODS:
        assert calibrate(model, Laplace(32), settings(method)).ranges["zero"] == (0, 0)


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    peaks = []
    for count in (8, 64):
        tracemalloc.start()
        calibrate(detector(), RandomFrames(count), settings("percentile"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    frames_more = 56 * 3 * 32 * 32 * 4
    assert peaks[1] < peaks[0] + 2 * frames_more


def test_a_fixed_batch_is_filled() -> None:
    fixed = calibrate(detector(picture=(4, 3, 32, 32)), RandomFrames(6), settings())
    for tensor, values in calibrate(detector(), RandomFrames(6), settings()).ranges.items():
        np.testing.assert_allclose(fixed.ranges[tensor], values, rtol=1e-4, atol=1e-5)


def test_the_cache_goes_to_bytes_and_back() -> None:
    cache = calibrate(detector(), RandomFrames(), settings())
    assert CalibrationCache.from_bytes(cache.to_bytes()) == cache
    assert cache.frame_count == 12
    assert cache.frames_sha256 == "5" * 64


@pytest.mark.parametrize("data", [b"", b"\x80\x04", b"{}", b'{"version": 2}'])
def test_other_bytes_are_no_cache(data: bytes) -> None:
    with pytest.raises(InvalidCalibrationCache, match="calibrate again"):
        CalibrationCache.from_bytes(data)


def test_a_range_of_nan_is_no_range() -> None:
    cache = calibrate(detector(), RandomFrames(), settings())
    broken = cache.to_bytes().replace(b'"images":[', b'"images":[9e99,')
    with pytest.raises(InvalidCalibrationCache):
        CalibrationCache.from_bytes(broken)


@pytest.mark.parametrize("picture", [("batch", 3, "height", 32), ("batch", 3, 32, None)])
def test_open_sizes_are_refused(picture: tuple[object, ...]) -> None:
    with pytest.raises(UnexpectedTensor, match="images"):
        calibrate(detector(picture=picture), RandomFrames(), settings())


def test_frames_of_another_size_and_nan_are_refused() -> None:
    with pytest.raises(CalibrationFramesRefused, match=r"frame 0 is \[1, 1, 32, 32\]"):
        calibrate(detector(), Laplace(32), settings())

    class Broken(RandomFrames):
        def __iter__(self) -> Iterator[NDArray[np.float32]]:
            return (frame * np.float32("nan") for frame in RandomFrames(2))

    with pytest.raises(CalibrationFramesRefused, match="NaN"):
        calibrate(detector(), Broken(2), settings())


def test_weights_that_are_nan_are_named() -> None:
    model = onnx.load_from_string(detector())
    weight = next(weight for weight in model.graph.initializer if weight.name == "neck.weight")
    values = numpy_helper.to_array(weight).copy()
    values.flat[3] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(InvalidWeights, match=r"neck\.weight"):
        calibrate(model.SerializeToString(), RandomFrames(), settings())


def test_a_model_that_gives_nan_is_refused_with_the_tensor() -> None:
    net = NetworkBuilder()
    root = net.add("Sqrt", net.conv("images", "conv", 3, 4), name="root")
    net.conv(root, "after", 4, 4)
    model = net.model("features", ["batch", 4, 32, 32])
    assert np.isnan(run(model, next(iter(RandomFrames(1))))).any()
    with pytest.raises(ActivationNotFinite, match="root_out"):
        calibrate(model, RandomFrames(), settings())


def test_a_graph_that_cannot_run_is_refused() -> None:
    net = NetworkBuilder()
    sevens = net.constant("sevens", np.array([0, 7, -1], np.int64))
    net.add("Reshape", net.conv("images", "conv", 3, 4), sevens, name="by_sevens")
    model = net.model("rows", ["batch", 7, None])
    with pytest.raises(UnsupportedModel):
        calibrate(model, RandomFrames(), settings())


def test_an_old_operator_set_is_brought_up() -> None:
    net = NetworkBuilder()
    net.conv_relu("images", "conv", 3, 4)
    model = net.model("features", ["batch", 4, 32, 32], opset=11)
    assert calibrate(model, RandomFrames(), settings()).ranges["features"][0] == 0


def test_nodes_without_names_are_taken() -> None:
    model = onnx.load_from_string(detector())
    for node in model.graph.node:
        node.name = ""
    named = calibrate(detector(), RandomFrames(), settings())
    assert calibrate(model.SerializeToString(), RandomFrames(), settings()).ranges == named.ranges
