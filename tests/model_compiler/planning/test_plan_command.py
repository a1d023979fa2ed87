"""``outpost-compile plan`` as it is called."""

import argparse
import io
import json
import os
import pickle
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import onnx
import pytest

from contracts.build_performance import BuildPerformance
from contracts.model_card import InputSpec, ModelCard
from model_compiler.commands import plan
from model_compiler.errors import CompileError, InputFileMissing, InvalidAnswer, NotOnnx
from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.planning.flags import answers_of
from model_compiler.planning.quantities import in_bytes
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.errors import ReportUnreadable
from tests.model_compiler.tiny_detectors import LARGE, build

FACTORY = [
    *("--latency-budget", "150ms", "--round-trip", "80:240", "--cloud-inference", "10", "--other-stages", "7"),
    *("--cameras", "50", "--mbps-per-camera", "12", "--result-rate", "1", "--parts-per-minute", "300"),
    *("--cloud-price", "8100", "--edge-price", "480", "--device-price", "2400", "--fleet-size", "5"),
]

Call = Callable[..., str]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        plan.describe(parser)
        options = parser.parse_args([*arguments, "--no-questions"])
        options.run(options)
        return capsys.readouterr().out

    return run


def card(**performance: Any) -> ModelCard:
    status: Literal["measured", "not_measured"] = "measured" if performance else "not_measured"
    entry = BuildPerformance(hardware_class="x86-cpu", status=status, **performance)
    return ModelCard(
        model="defects",
        version="1.0.0",
        hardware_class="x86-cpu",
        labels=("pit",),
        input=InputSpec(width=32, height=32),
        performance=(entry, BuildPerformance(hardware_class="arm-cpu", status="not_measured")),
    )


def write_build(folder: Path, **performance: Any) -> Path:
    (folder / "1").mkdir()
    (folder / "1" / "model.onnx").write_bytes(b"x" * 1000)
    (folder / "card.json").write_text(card(**performance).model_dump_json())
    return folder


def test_a_factory_with_fifty_cameras(call: Call) -> None:
    text = call(*FACTORY)
    assert text.startswith("Run it on: EDGE\n  The deciding question: latency\n")
    assert "for 22% of" in text
    assert "600 Mbit/s" in text
    assert "results only: 1 Mbit/s, 600 to 1" in text
    assert "one each 200 ms" in text
    assert "7,620.00 a month (94.1%)" in text
    assert "paid for after 1.57 months" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_same_as_json(call: Call) -> None:
    found = json.loads(call(*FACTORY, "--json"))
    assert found["decision"]["verdict"] == "edge"
    assert found["decision"]["deciding_question"] == "latency"
    assert found["cost"]["saving_per_month"] == 7620
    assert found["data_mbps"] == 600
    assert found["period_ms"] == 200
    assert {"latency_budget_ms", "round_trip"}.isdisjoint(found["would_change"])
    assert len(found["hardware"]) == 10


def test_a_battery(call: Call) -> None:
    text = call(
        *("--battery-ah", "10", "--battery-volts", "10", "--other-watts", "2", "--hours", "8"),
        *("--power-level", "now=15", "--power-level", "small=6W"),
    )
    assert text.startswith("Edge or cloud: no question about it was answered\n\nHardware, best first")
    rows = {words[0]: words[5] for line in text.splitlines() if len(words := line.split()) > 6}
    assert rows["now"] == "5.88"
    assert rows["small"] == "12.50"
    assert "8 h need at most 12.5 W in all, 10.5 W for inference" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_logged_run_is_a_line_of_the_battery_table(call: Call, tmp_path: Path) -> None:
    log = tmp_path / "power.csv"
    log.write_text("seconds,watts\n0,4\n10,24\n")
    arguments = ("--power-log", str(log), "--idle-watts", "4", "--frames", "50")
    text = call(*arguments, "--battery-ah", "10", "--battery-volts", "10", "--other-watts", "2")
    assert "mean 10 W, peak 20 W, deviation 10 W" in text
    assert "100 J in all, 2 J a frame" in text
    assert next(line.split()[6] for line in text.splitlines() if "as logged" in line) == "8.33"


@pytest.mark.parametrize(
    ("log", "arguments", "problem"),
    [
        ("time,watts\n0,1\n", ("--idle-watts", "1", "--frames", "1"), "column 'seconds' is missing"),
        ("seconds,watts\n0,1\n", ("--idle-watts", "0", "--frames", "1"), "at least two samples, there are 1"),
        ("seconds,watts\n0,1\n0,1\n", ("--idle-watts", "0", "--frames", "1"), "must grow"),
        ("seconds,watts\n0,1\n1,x\n", ("--idle-watts", "0", "--frames", "1"), "line 3: watts is 'x', not a number"),
        ("seconds,watts\n0,1\n1,nan\n", ("--idle-watts", "0", "--frames", "1"), "watts is 'nan'"),
        ("seconds,watts\n0,1\n1\n", ("--idle-watts", "0", "--frames", "1"), "watts is ''"),
        ("seconds,watts\n0,1\n1,1\n", ("--idle-watts", "1", "--frames", "1"), "--idle-watts: 1 W is not below"),
        ("seconds,watts\n0,1\n1,1\n", ("--frames", "1"), "--idle-watts: is missing"),
        ("seconds,watts\n0,1\n1,1\n", ("--idle-watts", "0"), "--frames: is missing"),
    ],
)
def test_a_power_log_that_says_nothing_is_refused(
    call: Call, tmp_path: Path, log: str, arguments: tuple[str, ...], problem: str
) -> None:
    path = tmp_path / "power.csv"
    path.write_text(log)
    with pytest.raises(InvalidAnswer) as caught:
        call("--power-log", str(path), *arguments)
    assert problem in str(caught.value)


def test_a_power_log_that_is_not_there_is_refused(call: Call, tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing, match="power log"):
        call("--power-log", str(tmp_path / "none.csv"), "--idle-watts", "0", "--frames", "1")


def test_escalation(call: Call) -> None:
    text = call(*("--edge-inference", "10", "--unsure-share", "10%", "--round-trip", "150", "--latency-budget", "100"))
    assert "mean 25 ms; a frame that asks the cloud 160 ms" in text
    assert "10.00% of the frames would be later than 100 ms" in text
    assert text.startswith("Run it on: HYBRID")
    text = call(
        *("--edge-inference", "10", "--unsure-share", "10%", "--round-trip", "150", "--other-stages", "7"),
        *("--cloud-inference", "20", "--works-offline", "yes"),
    )
    assert "mean 34 ms; a frame that asks the cloud 187 ms" in text


def test_hardware_that_never_pays_is_null_in_json(call: Call) -> None:
    arguments = ("--cloud-price", "1", "--edge-price", "2", "--device-price", "3")
    assert json.loads(call(*arguments, "--json"))["cost"]["payback_months"] is None
    assert "paid for after never" in call(*arguments)


def test_a_device_price_that_is_not_known_is_not_nothing(call: Call) -> None:
    arguments = ("--cloud-price", "15000000", "--edge-price", "13500000")
    text = call(*arguments)
    assert text.endswith("  saving       1,500,000.00 a month (10.0%)\n  hardware   device price not given\n")
    assert "cost              neither" in text
    assert "Run it on: CLOUD" in text
    found = json.loads(call(*arguments, "--json"))
    assert (found["cost"]["hardware"], found["cost"]["payback_months"], found["sensitivity"]) == (None, None, [])
    assert "Run it on: EDGE" in call(*arguments, "--device-price", "0")


def test_a_level_without_power_counts_with_what_the_rest_draws(call: Call) -> None:
    text = call(*("--battery-ah", "10", "--battery-volts", "10", "--other-watts", "2", "--power-level", "idle=0"))
    assert next(line.split()[5] for line in text.splitlines() if "idle" in line) == "50.00"


def test_stages_tell_the_time_of_model_and_rest(call: Call) -> None:
    stages = ("capture=5", "prepare=10", "inference=15", "post=3", "actuator=2")
    arguments = [word for stage in stages for word in ("--stage", stage)]
    text = call(*arguments, "--latency-budget", "150")
    assert "35 ms, 115 ms left" in text
    assert "28.6 frames/s one by one, 66.7 pipelined" in text
    assert "room for 7 more tries of the inference" in text
    assert "130 ms left" in text


def test_a_measured_build_tells_its_memory_and_latency(call: Call, tmp_path: Path) -> None:
    folder = write_build(tmp_path, latency_p50_ms=8.0, latency_p99_ms=20.0, peak_memory_bytes=200_000_000)
    found = json.loads(call("--model", str(folder), "--latency-budget", "50", "--json"))
    best = found["hardware"][0]
    assert (best["name"], best["status"], best["estimated_p99_ms"]) == ("x86-cpu", "fits", 20.0)
    assert "needs 191 MiB of 2 GiB for models" in best["reasons"]
    text = call(
        "--model", str(folder / "card.json"), "--latency-budget", "150", "--round-trip", "100", "--unsure-share", "0.1"
    )
    assert "mean 18 ms" in text


def test_the_report_of_a_build_tells_of_the_variant_that_was_chosen(call: Call, tmp_path: Path) -> None:
    fast, slow = (
        BuildPerformance(hardware_class="x86-cpu", status="measured", latency_p50_ms=p99 / 2, latency_p99_ms=p99)
        for p99 in (20.0, 60.0)
    )
    report = BuildReport(
        model="defects",
        version="1.0.0",
        hardware_class="x86-cpu",
        measured_on="x86-cpu",
        baseline="f32-openvino",
        chosen="int8-openvino",
        variants=(
            VariantResult(name="f32-openvino", backend="openvino", size_bytes=4_000_000, performance=slow),
            VariantResult(name="int8-openvino", backend="openvino", size_bytes=1_000_000, performance=fast),
        ),
    )
    report.write(tmp_path / "defects.json")
    found = json.loads(call("--model", str(tmp_path / "defects.json"), "--latency-budget", "50", "--json"))
    fit = next(fit for fit in found["hardware"] if fit["name"] == "x86-cpu")
    assert fit["estimated_p99_ms"] == 20
    assert "weights 977 KiB" in " ".join(fit["reasons"])


def test_another_json_file_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ReportUnreadable, match=r"other\.json is not a build report"):
        call("--model", str(tmp_path / "other.json"))


def test_a_build_that_was_not_measured_has_only_its_weights(call: Call, tmp_path: Path) -> None:
    text = call("--model", str(write_build(tmp_path)), "--works-offline", "yes")
    assert "peak memory not measured (weights 1000 B, 1 GiB" in text


def test_an_onnx_file_has_only_its_weights(call: Call, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save_model(build(LARGE), model)
    assert f"weights {in_bytes(model.stat().st_size)}" in call("--model", str(model))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, InputFileMissing),
        (pickle.dumps({"a": 1}), NotOnnx),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    call: Call, tmp_path: Path, content: bytes | None, expected: type[CompileError]
) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(expected):
        call("--model", str(path))


def test_a_card_that_is_none_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"model": "defects"}')
    with pytest.raises(InvalidAnswer, match=r"--model: .* is not a model card: version: is missing"):
        call("--model", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "nothing was answered"),
        (("--model", "x", "--model-memory", "5MB"), "--model-memory: cannot be given with --model"),
        (("--stage", "capture"), "--stage: 'capture' is not NAME=NUMBER"),
        (("--stage", "capture=x"), "--stage: capture: 'x' is not a time"),
        (("--stage", "a=1", "--stage", "a=2"), "--stage: 'a' is given twice"),
        (("--stage", "a=0"), "--stage: all stages together"),
        (("--stage", "a=1", "--other-stages", "2"), "--other-stages: cannot be given with --stage"),
        (("--power-level", "=5"), "--power-level: '=5' is not NAME=NUMBER"),
        (
            ("--battery-ah", "10", "--battery-volts", "10", "--power-level", "idle=0"),
            "--power-level: idle: 0 W in all never empty a battery; state what the rest draws with --other-watts",
        ),
        (("--power-level", "a=-5"), "--power-level: a: '-5' is not a power in W: it is negative"),
    ],
)
def test_what_cannot_be_answered_names_the_flag(call: Call, arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(InvalidAnswer) as caught:
        call(*arguments)
    assert problem in str(caught.value)


def questions(*lines: str) -> tuple[Callable[[str], str], list[str]]:
    source = io.StringIO("\n".join(lines) + "\n")
    asked: list[str] = []

    def read(prompt: str) -> str:
        asked.append(prompt)
        line = source.readline()
        if not line:
            raise EOFError
        return line

    return read, asked


def test_questions_are_asked_for_what_is_missing() -> None:
    read, asked = questions("150", "", "50", "12")
    told = plan.ask({}, False, read)
    assert told == {"latency_budget": 150, "cameras": 50, "mbps_per_camera": 12}
    assert asked[0].startswith("Within how many ms")
    assert "\n> " in asked[0]


def test_what_is_asked_at_a_terminal_is_enough_for_a_plan() -> None:
    read, asked = questions(*["1"] * 200)
    yes_or_no = {"data_must_stay": False, "works_offline": False, "can_operate_devices": True}
    answered = yes_or_no | {"data_in_cloud": False, "bursty": False, "latency_budget": 60}
    answers = answers_of(answered | plan.ask(answered, False, read))
    assert answers.battery is not None
    assert (answers.battery.volts, answers.hours_wanted, answers.mbps_per_camera) == (1, 1, 1)
    assert len(asked) == len(set(asked))


def test_a_wrong_answer_is_asked_for_again() -> None:
    read, asked = questions("soon", "150ms")
    assert plan.ask({}, False, read) == {"latency_budget": 150}
    assert asked[1].startswith("--latency-budget: 'soon' is not a time")


def test_what_is_answered_is_not_asked() -> None:
    read, asked = questions(*[""] * 30)
    assert plan.ask({"latency_budget": 5}, True, read) == {}
    assert not any("Within how many ms" in prompt or "loaded model" in prompt for prompt in asked)
    # without cameras, nobody is asked about their data rate
    assert not any("does one camera make" in prompt or "volts" in prompt for prompt in asked)


def test_the_guide_names_only_flags_that_exist() -> None:
    parser = argparse.ArgumentParser()
    plan.describe(parser)
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "planning.md").read_text()
    assert set(re.findall(r"--[a-z][a-z-]+", guide)) <= set(parser._option_string_actions)


def test_a_terminal_is_asked_and_the_answers_count() -> None:
    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"60\n\n\nyes\n\x04")
    code = (
        "import argparse; from model_compiler.commands import plan; parser = argparse.ArgumentParser();"
        " plan.describe(parser); options = parser.parse_args(); options.run(options)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], stdin=terminal, capture_output=True, text=True, timeout=60, check=True
    )
    os.close(terminal)
    os.close(keyboard)
    assert "Within how many ms" in process.stdout
    assert "Must frames stay on the premises" in process.stdout
    assert "The deciding question: data residency" in process.stdout
