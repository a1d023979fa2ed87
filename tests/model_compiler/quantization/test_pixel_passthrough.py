from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from contracts.model_card import InputSpec
from contracts.quantization import Scheme
from model_compiler.quantization.calibrate import calibrate
from model_compiler.quantization.pixel_passthrough import pass_pixels_through
from model_compiler.quantization.settings import QuantizationSettings
from model_compiler.quantization.static_int8 import quantize_static
from model_compiler.stages.graft import graft_detector
from tests.model_compiler.quantization.small_networks import RandomFrames, detector, run


def grafted(scheme: Scheme, **spec: object) -> bytes:
    """Of a network whose calibration frames reach from black to white."""
    cache = calibrate(detector(), RandomFrames(), QuantizationSettings(frames=Path("unused"), method="min-max"))
    cache = cache.model_copy(update={"ranges": cache.ranges | {"images": (0.0, 1.0)}})
    plain = onnx.load_from_string(quantize_static(detector(), cache, scheme).model)
    network = InputSpec.model_validate({"width": 32, "height": 32, "datatype": "FP32", "layout": "NCHW"} | spec)
    model: bytes = graft_detector(plain, network, "yolov8").SerializeToString(deterministic=True)
    return model


@pytest.mark.parametrize("scheme", ["u8s8", "u8s8-symmetric"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_pixels_are_read_as_they_are_and_the_answer_stays(scheme: Scheme, color: str) -> None:
    model = grafted(scheme, color=color)
    shorter = pass_pixels_through(model)
    before, after = (
        Counter(node.op_type for node in onnx.load_from_string(one).graph.node) for one in (model, shorter)
    )
    assert before - after >= Counter(["Cast", "Mul", "Add", "QuantizeLinear"])
    onnx.checker.check_model(onnx.load_from_string(shorter), full_check=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(run(shorter, pixels), run(model, pixels))


@pytest.mark.parametrize(
    ("scheme", "spec"), [("s8s8", {}), ("u8s8", {"mean": (0.5, 0.5, 0.5)}), ("u8s8", {"std": (1, 1, 2)})]
)
def test_another_scaling_stays(scheme: Scheme, spec: dict[str, object]) -> None:
    model = grafted(scheme, **spec)
    assert pass_pixels_through(model) == model


def test_a_float_network_stays() -> None:
    assert pass_pixels_through(detector()) == detector()
