"""The page of `make soak`: from literal measurements, and from a run of pytest."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.endurance import REPOSITORY, main
from benchmarks.endurance_report import report
from tests.system.gateway_process import wait_for

MIB = 2**20
KILLS = {
    "victim": "container triton",
    "seconds": [3.0, 9.0, 4.0],
    "answered": 4_001,
    "wrong": 1,
    "failures": {"grpc StatusCode.UNAVAILABLE": 12},
}
SOAK = {
    "requests": 5_000,
    "seconds": 10.0,
    "outcomes": {"detect": {"right": 4_990, "wrong": 3}, "half_a_picture": {"StatusCode.INVALID_ARGUMENT": 7}},
    "wrong": 3,
    "failures": {"wrong": 3, "HTTP 500": 2},
    "memory_mib": [{"gateway": 100.4}, {"gateway": 131.6}],
    "descriptors": [{"gateway": 36}, {"gateway": 40}],
    "shared_memory": [{"objects": 11, "bytes": 10 * MIB}, {"objects": 12, "bytes": 11 * MIB}],
}
FUZZ = {
    "seed": 7,
    "seconds": 60,
    "cases": 1_200,
    "outcomes": {"decoder": {"InvalidImage": 1_000, "decoded": 100}},
    "misbehaviours": ["case 17 of seed 7: HTTP 500"],
    "early": {"rss_bytes": {"gateway": 100 * MIB}, "descriptors": {"gateway": 30}},
    "late": {"rss_bytes": {"gateway": 120 * MIB}, "descriptors": {"gateway": 31}},
    "beside": {"answered": 900, "wrong": 0, "codes": {"OK": 900, "UNAVAILABLE": 2}},
}
RESIDENT = {
    "path": "gpu",
    "frames": 100_000,
    "device_bytes": [{"device": 900.0 * MIB}, {"device": 902.0 * MIB}],
    "memory_mib": [{"gateway": 100.4}, {"gateway": 131.6}],
}


def facts(**measured: Any) -> dict[str, Any]:
    return {
        "command": "python -m benchmarks.endurance",
        "machine": {"CPU": "one"},
        "sizes": {"requests": 5_000, "seed": 7},
        "seconds": 120.0,
        "tests": [
            {"name": "tests.a", "outcome": "passed", "seconds": 1.0},
            {"name": "tests.b", "outcome": "failed", "seconds": 1.0, "message": "AssertionError: 3 wrong"},
        ],
        "measured": measured,
    }


def test_the_page_has_the_gpus_path() -> None:
    driver = {"frames": 100_000, "launches": 500_000, "rss_mib": [339, 341]}
    page = report(facts(**{"resident model": [RESIDENT], "made-up driver": [driver]}))
    assert "| memory of gateway, MiB | 100 | 132 |" in page
    assert "| memory of the GPU, MiB | 900 | 902 |" in page
    assert "100,000 frames, 500,000 launches; memory of the process 339 MiB, then 341 MiB." in page


def test_the_page_says_what_was_measured() -> None:
    page = report(facts(kills=[KILLS], soak=[SOAK], fuzz=[FUZZ]))
    assert "- sizes: requests 5000, seed 7" in page
    assert "| container triton | 3 | 4.0 | 9.0 | 4,000 | 1 | grpc StatusCode.UNAVAILABLE 12 |" in page
    assert "5,000 requests of seven kinds in 10 s (500 a second): **3 wrong answers**" in page
    assert "failed requests: wrong 3, HTTP 500 2." in page
    assert "| detect | right 4,990, wrong 3 |" in page
    assert "| memory of gateway, MiB | 100 | 132 |" in page
    assert "| open descriptors of gateway | 36 | 40 |" in page
    assert "| shared memory objects | 11 | 12 |" in page
    assert "1,200 cases of seed 7 in 60 s: **1 without a clear answer**" in page
    assert "900 good frames were answered, 0 wrongly; failed: UNAVAILABLE 2." in page
    assert "- case 17 of seed 7: HTTP 500" in page
    assert "| decoder | 1,100 | InvalidImage 1,000, decoded 100 |" in page
    assert "| memory of gateway, MiB | 100 | 120 |" in page


def test_what_failed_or_was_not_reached_is_said() -> None:
    page = report(facts())
    assert "**1 tests passed, 1 failed, 0 skipped** in 2 minutes." in page
    assert "- failed: `tests.b`: AssertionError: 3 wrong" in page
    assert page.count("Not measured") == 5


TESTS = """
import json, os, pytest

@pytest.mark.soak
def test_measures(record_property):
    seconds = [float(os.environ["OUTPOST_TEST_SIZES"].partition("server_kills=")[2].partition(",")[0])]
    facts = {"victim": "it", "seconds": seconds, "answered": 5, "wrong": 0, "failures": {}}
    record_property("kills", json.dumps(facts))

@pytest.mark.soak
def test_fails():
    raise ValueError("too slow")

def test_of_one_size():
    raise AssertionError
"""


def test_a_run_is_written_and_its_end_returned(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(TESTS)
    output = tmp_path / "results"
    assert main(["--sizes", "server_kills=4", "--output", str(output), str(tmp_path / "test_one.py")]) == 1
    written = json.loads((output / "soak.json").read_text())
    assert [test["outcome"] for test in written["tests"]] == ["passed", "failed"]
    assert written["sizes"]["server_kills"] == 4
    assert written["sizes"]["seed"] >= 1
    assert {"CPU", "commit", "engine", "date", "packages"} <= written["machine"].keys()
    page = (output / "soak.md").read_text()
    assert "ValueError: too slow" in page
    assert "| it | 1 | 4.0 | 4.0 | 5 | 0 | none |" in page
    assert f"--output {output}" in page


def test_sizes_that_are_none_are_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--sizes", "huge", "--output", str(tmp_path)]) == 2
    assert "'huge' is not known" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_leaves_no_report_writes_nothing(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path / "results"), "--", "--no-such-option"]) != 0
    assert not (tmp_path / "results").exists()


LONG_TEST = """
import pathlib, pytest, time

@pytest.fixture
def started():
    here = pathlib.Path(__file__).parent
    here.joinpath("started").touch()
    yield
    time.sleep(1)
    here.joinpath("put away").touch()

@pytest.mark.soak
def test_goes_on(started):
    time.sleep(60)
"""


def test_an_interrupted_run_puts_away_what_it_has_started(tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text(LONG_TEST)
    output = tmp_path / "results"
    command = [sys.executable, "-m", "benchmarks.endurance", "--output", str(output), str(tmp_path / "test_long.py")]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        wait_for((tmp_path / "started").exists, 60, lambda: f"pytest does not start: {run.poll()}")
        run.send_signal(signal.SIGINT)
        assert run.wait(30) != 0
    assert (tmp_path / "put away").exists()
    assert not output.exists()
