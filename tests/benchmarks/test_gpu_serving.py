"""The benchmark of the gateway on a GPU: what it makes of its numbers, and all of it in the simulator."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if not Path("/dev/nvidiactl").exists():
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

from benchmarks.decode_limit import rate
from benchmarks.gpu_serving import all_loads, main, median_load
from benchmarks.gpu_serving_report import report
from benchmarks.resident_model import why_no_device_arrays
from tests.fakes.fake_jpeg_decoder import FakeJpegDecoder
from tests.fakes.pictures import jpeg
from tests.vision.cuda.conftest import HAS_GPU

STAGES = ("queue", "decode", "letterbox", "infer", "postprocess")


def answer(images_per_second: float, p50_ms: float, **codes: int) -> dict[str, Any]:
    """What the load generator says of one round."""
    return {
        "images_per_second": images_per_second,
        "latency": {"p50_ms": p50_ms, "p99_ms": 2 * p50_ms},
        "cpu_ms_per_image": {"gateway": p50_ms, "load generator": 50.0},
        "stages": [{"name": "infer", "latency": {"p50_ms": p50_ms / 2}}],
        "codes": {"OK": 9, **codes},
    }


def test_the_middle_of_the_rounds_counts_and_failures_are_added() -> None:
    found = median_load([answer(100.0, 4.0), answer(300.0, 2.0, UNAVAILABLE=2), answer(200.0, 3.0, UNAVAILABLE=1)])
    assert (found["images_per_second"], found["p50_ms"], found["p99_ms"]) == (200.0, 3.0, 6.0)
    assert found["images_per_second_of_rounds"] == [100.0, 300.0, 200.0]
    assert found["stages_p50_ms"] == {"infer": 1.5}
    assert found["failures"] == 3


def test_a_load_without_an_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no request was answered: .*UNAVAILABLE"):
        median_load([{**answer(0.0, 1.0, UNAVAILABLE=5), "latency": None}])


def test_a_bare_triton_is_asked_beside_single_clients() -> None:
    loads = all_loads([(640, 480)], [1, 8])
    assert [(load.system, load.clients) for load in loads] == [
        *[("cuda", 1), ("cpu", 1), ("bare", 1)],
        *[("cuda", 8), ("cpu", 8)],
    ]


def test_the_decoder_s_rate_is_of_whole_batches() -> None:
    now, decoder = [0.0], FakeJpegDecoder()

    class Stream:
        def synchronize(self) -> None:
            now[0] += 0.5

    found = rate(decoder, Stream(), [jpeg(48, 36)], 8, rounds=2, seconds=1.0, clock=lambda: now[0])
    assert found == {"images_per_second": 16.0, "images_per_second_of_rounds": [16.0, 16.0]}
    assert decoder.batches == [8] * 5


def test_a_decoder_that_refuses_a_frame_has_no_rate() -> None:
    with pytest.raises(ValueError, match="does not take"):
        rate(FakeJpegDecoder(), None, [b"no picture"], 8, rounds=1, seconds=1.0)


def load(system: str, clients: int, images_per_second: float, p50_ms: float) -> dict[str, Any]:
    facts = {"system": system, "clients": clients, "frame_wh": [1920, 1080]}
    return facts | median_load([answer(images_per_second, p50_ms)])


def facts(decoder: str = "") -> dict[str, Any]:
    return {
        "command": "python -m benchmarks.gpu_serving",
        "machine": {"GPU": "a card"},
        "rounds": 3,
        "seconds": 5.0,
        "model": {"input_wh": [640, 640], "output_shape": [84, 8400], "instances": 4},
        "chosen": {
            "cuda": {
                "preprocessing": "cuda",
                "preprocessing_reason": "a card",
                "transport": "system_shared_memory",
                "transport_reasons": {"cuda_shared_memory": "no IPC"},
            }
        },
        "loads": [
            load("cuda", 1, 200.0, 4.0),
            load("cpu", 1, 50.0, 18.0),
            load("bare", 1, 900.0, 1.0),
            load("cuda", 8, 1000.0, 7.0),
            load("cpu", 8, 160.0, 40.0),
        ],
        "decoder": decoder,
        "decode": [
            {"frame_wh": [1920, 1080], "batch": 8, "images_per_second": 4000.0, "images_per_second_of_rounds": [4000.0]}
        ],
    }


def test_the_page_says_what_was_added_and_how_the_paths_compare() -> None:
    page = report(facts())
    assert "| 1920x1080 | cuda | 4.00 | 8.00 | 3.00 | 6.00 | - | - | - | 2.00 | - |" in page
    assert "| 1920x1080 | bare | 1.00 | 2.00 | - | - |" in page
    assert "| 1920x1080 | 8 | cuda | 1000.0 | 1000.0 | 7.00 | 14.00 | 7.00 | 0 | 6.25 |" in page
    assert "| 1920x1080 | 8 | cpu | 160.0 | 160.0 | 40.00 | 80.00 | 40.00 | 0 | - |" in page
    assert "| 1920x1080 | 8 | 4000.0 | 4000.0 | 1000.0 | 25% |" in page
    assert "system_shared_memory; not cuda_shared_memory: no IPC" in page


def test_a_decoder_that_is_missing_is_said() -> None:
    assert "Not measured: nvImageCodec is not installed." in report(facts("nvImageCodec is not installed"))


@pytest.mark.skipif(HAS_GPU and not why_no_device_arrays(), reason="there is a GPU to measure")
def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "--model-on-cpu tries the rest without one" in capsys.readouterr().err


@pytest.mark.long
def test_all_of_it_runs_in_the_simulator(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu_serving", "--model-on-cpu", "--output", str(tmp_path)]
    command += ["--frames", "64x48", "--input", "24x18", "--anchors", "100", "--clients", "1", "2", "--instances", "1"]
    command += ["--rounds", "1", "--seconds", "1"]
    environment = dict(os.environ) | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu_serving.json").read_text())
    assert [(each["system"], each["clients"], each["failures"]) for each in found["loads"]] == [
        *[("cuda", 1, 0), ("cpu", 1, 0), ("bare", 1, 0)],
        *[("cuda", 2, 0), ("cpu", 2, 0)],
    ]
    assert all(set(each["stages_p50_ms"]) >= set(STAGES) for each in found["loads"] if each["system"] != "bare")
    assert {path: told["preprocessing"] for path, told in found["chosen"].items()} == {"cuda": "cuda", "cpu": "cpu"}
    assert found["decoder"] == "there is no GPU"
    assert (tmp_path / "gpu_serving.md").read_text().startswith("# Frames on a GPU through the gateway")
