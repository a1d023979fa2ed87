"""The measured steps, on frames so small that numba's simulator can run them."""

import os
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

if not Path("/dev/nvidiactl").exists():
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

from benchmarks.gpu_preprocessing import DeviceJob, draw, measure, on_the_cpu
from benchmarks.gpu_preprocessing_report import report
from tests.fakes.fake_jpeg_decoder import FakeJpegDecoder
from tests.fakes.pictures import jpeg
from vision.cuda.frame_plan import InputLayout

LAYOUT = InputLayout(wh=(16, 12), mode="letterbox", pad_value=114, color="rgb", planar=True)


def test_both_sides_make_the_same_tensor() -> None:
    pixels = draw((40, 30))
    job = DeviceJob.prepare([pixels, pixels[::-1].copy()], LAYOUT)
    job.upload_and_run()
    expected = np.stack([on_the_cpu(each, (40, 30), LAYOUT) for each in (pixels, pixels[::-1].copy())])
    np.testing.assert_allclose(job.tensors(), expected, atol=1.01 / 255 / 0.225)


def test_a_decoder_s_pictures_become_the_same_tensor() -> None:
    data = jpeg(40, 30)
    pixels = np.asarray(simplejpeg.decode_jpeg(data, "rgb"))
    job = DeviceJob.prepare([np.zeros_like(pixels)] * 2, LAYOUT)
    job.decode_and_run(FakeJpegDecoder(), [data, data])
    expected = np.stack([on_the_cpu(pixels, (40, 30), LAYOUT)] * 2)
    np.testing.assert_allclose(job.tensors(), expected, atol=1.01 / 255 / 0.225)
    with pytest.raises(ValueError, match="does not take this JPEG"):
        job.decode_and_run(FakeJpegDecoder(), [data, b"no picture"])


@pytest.mark.parametrize("decoder", [None, FakeJpegDecoder()], ids=["no-decoder", "decoder"])
def test_every_step_is_measured_for_every_batch(decoder: FakeJpegDecoder | None) -> None:
    steps = measure((40, 30), LAYOUT, (1, 2), 1, decoder)
    on_gpu = ["letterbox + normalise, GPU", "upload + letterbox + normalise, GPU"]
    if decoder is not None:
        on_gpu += ["decode, GPU", "JPEG to tensor, GPU"]
    for batch in (1, 2):
        named = [step["step"] for step in steps if step["batch"] == batch]
        assert named[5:] == on_gpu
        assert named[:2] == ["decode, CPU", "letterbox + normalise, CPU"]
        assert named[4] == "JPEG to tensor, CPU"
    assert all(0 < step["p50_ms"] <= step["p99_ms"] for step in steps)


def facts(milliseconds: float, *, whole_ms: float = 0.4, no_decoder: str = "") -> dict[str, object]:
    step = {"step": "letterbox + normalise, GPU", "frame_wh": [1920, 1080], "p50_ms": milliseconds, "p99_ms": 9.0}
    return {
        "command": "c",
        "machine": {"GPU": "one"},
        "input_wh": [640, 640],
        "no_decoder": no_decoder,
        "steps": [
            step | {"batch": 1},
            step | {"batch": 8, "p50_ms": 0.01},
            step | {"batch": 8, "step": "JPEG to tensor, CPU", "p50_ms": 2.0},
            step | {"batch": 8, "step": "JPEG to tensor, GPU", "p50_ms": whole_ms},
        ],
    }


def test_the_goal_is_judged_by_single_frames() -> None:
    assert "batch 1: **0.400 ms**, met" in report(facts(0.4))
    assert "**0.600 ms**, missed" in report(facts(0.6))
    assert "| 1920x1080 | letterbox + normalise, GPU | 8 | 0.010 | 9.000 |" in report(facts(0.4))


def test_the_other_goal_is_judged_from_jpeg_to_tensor_at_batch_8() -> None:
    goal = "Goal of 5 times the CPU's images/s at batch 8"
    rates = "(2500 images/s on the GPU, 500 images/s on the CPU)"
    assert f"{goal}, 1920x1080: **5.0 times** {rates}, met." in report(facts(0.4))
    assert "**4.0 times** (2000 images/s on the GPU, 500 images/s on the CPU), missed." in report(
        facts(0.4, whole_ms=0.5)
    )
    assert f"{goal}: not measured, nvImageCodec is not installed." in report(
        facts(0.4, no_decoder="nvImageCodec is not installed")
    )
