"""`outpost-compile build` as a user runs it: a trained network to a measured build, interrupted and gone on with."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from contracts.model_card import ModelCard
from model_compiler.packaging.build_directory import verify_build
from model_compiler.reporting.build_report import BuildReport

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
COMMAND = str(Path(sys.executable).parent / "outpost-compile")
BUILD = "defects-9.0.0_x86-cpu"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compile")
    recipe = {
        "model": "defects",
        "version": "9.0.0",
        "trainer": {"network": "student", "weights": str(ROOT / "model_training" / "weights" / "distilled.npz")},
        "labels": ["scratch", "pit", "crack", "dent", "stain", "inclusion"],
        "evaluation": {
            "frames": str(ROOT / "samples" / "frames"),
            "rounds": 1,
            "seconds_per_round": 0.2,
            "resamples": 20,
        },
        # eight frames show little about accuracy, and one short round nothing about speed
        "gate": {"max_accuracy_drop_points": 100, "min_speedup": 0.01},
        "targets": {
            "x86-cpu": {
                "variants": [{"variant": "f32", "backend": "openvino"}, {"variant": "f32", "backend": "onnxruntime"}]
            }
        },
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def arguments(work: Path) -> list[str]:
    options = {"--output": "repository", "--cache": "cache", "--reports": "reports"}
    return [COMMAND, "build", "recipe.yaml", *(word for pair in options.items() for word in pair)]


def test_ctrl_c_leaves_nothing_half_written(work: Path) -> None:
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(arguments(work), cwd=work, stderr=log, start_new_session=True)
    until = time.monotonic() + 120
    while "loading the builds" not in (work / "log").read_text() and time.monotonic() < until:
        assert process.poll() is None, (work / "log").read_text()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert "nothing half-written was left" in (work / "log").read_text()
    assert not (work / "repository").exists()
    assert not list((work / "cache").rglob(".*"))


def test_the_same_command_goes_on_and_writes_a_measured_build(work: Path) -> None:
    done = subprocess.run(arguments(work), cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "f32-openvino: verify (as before)" in done.stderr
    verify_build(work / "repository" / BUILD)
    card = ModelCard.model_validate_json((work / "repository" / BUILD / "card.json").read_bytes())
    assert [metric.name for metric in card.metrics] == ["mAP50", "mAP50_95"]
    assert card.metrics[0].value > 0.3
    assert card.metrics[0].n == 8
    (performance,) = card.performance
    assert (performance.status, performance.hardware_class) == ("measured", "x86-cpu")
    assert performance.latency_p50_ms is not None
    assert performance.latency_p50_ms > 1
    report = BuildReport.read(work / "reports" / f"{BUILD}.json")
    assert {variant.name for variant in report.variants} == {"f32-openvino", "f32-onnxruntime"}
    assert report.chosen is not None


def test_a_gate_that_nothing_passes_packages_nothing_and_says_by_how_much(work: Path) -> None:
    recipe = yaml.safe_load((work / "recipe.yaml").read_text()) | {"version": "9.0.1", "gate": {"max_size_mb": 0.5}}
    (work / "strict.yaml").write_text(yaml.safe_dump(recipe))
    command = [COMMAND, "build", "strict.yaml", "--output", "strict", "--cache", "cache", "--reports", "reports"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "max_size_mb" in done.stderr
    assert "missed by" in done.stderr
    assert not (work / "strict").exists()
    assert BuildReport.read(work / "reports" / "defects-9.0.1_x86-cpu.json").chosen is None


def test_few_frames_make_a_build_and_prove_nothing(work: Path) -> None:
    variants = [{"variant": variant, "backend": "openvino"} for variant in ("f32", "f16")]
    recipe = yaml.safe_load((work / "recipe.yaml").read_text()) | {"targets": {"x86-cpu": {"variants": variants}}}
    for version, gate, word in (
        ("9.0.2", {"min_speedup": 0.01}, "not proven"),
        ("9.0.3", {"min_speedup": 0.01, "max_accuracy_drop_points": 1.5}, "missed by"),
    ):
        (work / "few.yaml").write_text(yaml.safe_dump(recipe | {"version": version, "gate": gate}))
        command = [COMMAND, "build", "few.yaml", "--output", "few", "--cache", "cache", "--reports", "reports"]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        halved = BuildReport.read(work / "reports" / f"defects-{version}_x86-cpu.json").variant("f16-openvino")
        assert halved is not None
        assert halved.passed is (word == "not proven")
        (said,) = halved.caveats or halved.failures
        assert "that takes 200 frames with something to compare, there are 7" in said
        assert word in said


def test_a_full_disk_is_said_and_leaves_no_build(work: Path) -> None:
    command = [COMMAND, "build", "recipe.yaml", "--output", "full", "--cache", "other"]
    done = subprocess.run(
        command,
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1
    assert "outpost-" in done.stderr
    assert not (work / "full").exists()
    assert not [path for path in (work / "other").rglob(".*") if path.is_file()]
