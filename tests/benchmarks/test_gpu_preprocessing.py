"""The measured steps, on frames so small that numba's simulator can run them."""

import os
from pathlib import Path

import numpy as np

if not Path("/dev/nvidiactl").exists():
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

from benchmarks.gpu_preprocessing import DeviceJob, draw, measure, on_the_cpu
from benchmarks.gpu_preprocessing_report import report
from vision.cuda.frame_plan import InputLayout

LAYOUT = InputLayout(wh=(16, 12), mode="letterbox", pad_value=114, color="rgb", planar=True)


def test_both_sides_make_the_same_tensor() -> None:
    pixels = draw((40, 30))
    job = DeviceJob.prepare([pixels, pixels[::-1].copy()], LAYOUT)
    job.upload_and_run()
    expected = np.stack([on_the_cpu(each, (40, 30), LAYOUT) for each in (pixels, pixels[::-1].copy())])
    np.testing.assert_allclose(job.tensors(), expected, atol=1.01 / 255 / 0.225)


def test_every_step_is_measured_for_every_batch() -> None:
    steps = measure((40, 30), LAYOUT, (1, 2), repeats=1)
    assert [(step["step"].endswith("GPU"), step["batch"]) for step in steps] == [
        *[(False, 1)] * 4,
        *[(True, 1)] * 2,
        *[(True, 2)] * 2,
    ]
    assert all(0 < step["p50_ms"] <= step["p99_ms"] for step in steps)


def facts(milliseconds: float) -> dict[str, object]:
    step = {"step": "letterbox + normalise, GPU", "frame_wh": [1920, 1080], "p50_ms": milliseconds, "p99_ms": 9.0}
    return {
        "command": "c",
        "machine": {"GPU": "one"},
        "input_wh": [640, 640],
        "steps": [step | {"batch": 1}, step | {"batch": 8, "p50_ms": 0.01}],
    }


def test_the_goal_is_judged_by_single_frames() -> None:
    assert "batch 1: **0.400 ms**, met" in report(facts(0.4))
    assert "**0.600 ms**, missed" in report(facts(0.6))
    assert "| 1920x1080 | letterbox + normalise, GPU | 8 | 0.010 | 9.000 |" in report(facts(0.4))
