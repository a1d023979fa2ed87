"""The report and the record it is made of."""

import json
from pathlib import Path

from benchmarks.cells import Cell, CellResult
from benchmarks.serving_plot import plot_record
from benchmarks.serving_record import ModelRecord, ServingRecord, from_json, to_json
from benchmarks.serving_report import markdown, markdown_table
from benchmarks.soak_summary import SoakSummary

RECORD = ServingRecord(
    command="python -m benchmarks.run",
    machine={"CPU": "Some CPU, 2 cores", "date": "2026-11-21 09:00 UTC"},
    rounds=3,
    seconds_per_cell=4.0,
    frames="8 frames, on average 230 kB",
    models=(
        ModelRecord(
            "defects",
            416,
            320,
            "openvino",
            {
                Cell("ceiling", 0): CellResult(
                    200.0, {"p50": 9.5, "p95": 11.0, "p99": 12.0, "max": 20.0}, {"in process": 9.75}, 3.0, 0, (200.0,)
                ),
                Cell("gateway-grpc", 16): CellResult(
                    150.0,
                    {"p50": 100.0, "p95": 120.0, "p99": 130.0, "max": 140.0},
                    {
                        "gateway": 5.0,
                        "tritonserver": 0.5,
                        "backend": 7.0,
                        "load generator": 1.0,
                        "everything else": 3.0,
                    },
                    None,
                    2,
                    (150.0,),
                ),
            },
        ),
    ),
)
SOAK = SoakSummary(
    "defects", 50000, 3, 151.0, {"gateway": 200.0, "tritonserver": 100.0}, {"gateway": 230.0, "tritonserver": 101.0}
)


def test_table() -> None:
    assert markdown_table(["a", "b"], [["x", "1"], ["y", "2"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n| y | 2 |"


def test_report_has_the_numbers_the_targets_and_the_noise() -> None:
    text = markdown(RECORD, "serving.png")

    assert "- command: `python -m benchmarks.run`" in text
    assert "- CPU: Some CPU, 2 cores" in text
    assert "![images per second and CPU time per image](serving.png)" in text
    assert "## defects, 416x320, openvino" in text
    assert "| (a) in process, one per core | 200.0 | 9.50 | 11.00 | 12.00 | 9.75 | - |" in text
    assert (
        "| (b) gateway, gRPC, 16 clients | 150.0 | 100.00 | 120.00 | 130.00 | - | 5.00 | 0.50 | 7.00 | 1.00 |" in text
    )
    assert "| gRPC: server CPU per image over (a) | at most 2 ms | 2.75 ms | missed by 0.75 ms |" in text
    assert "| gRPC: images/s against (a) | at least 0.8 x | 0.75 x | missed by 0.05 x |" in text
    assert (
        "other processes took more than 5% of the CPU time that was used during (b) gateway, gRPC, 16 clients." in text
    )


def test_report_of_a_soak() -> None:
    text = markdown(ServingRecord(soak=SOAK), None)

    assert "## Memory over 50000 requests (defects, gRPC, 16 clients)" in text
    assert "NOT steady, grew by 31 MiB; 3 requests failed; 151.0 images/s." in text
    assert "| all | 300 | 331 |" in text


def test_record_survives_json() -> None:
    record = ServingRecord(**{**vars(RECORD), "soak": SOAK})

    values = json.loads(json.dumps(to_json(record)))

    assert values["models"][0]["targets"][0]["met"] is False
    assert from_json(values) == record
    assert from_json(values).models[0].targets == RECORD.models[0].targets


def test_plot_is_a_picture(tmp_path: Path) -> None:
    plot_record(RECORD, tmp_path / "serving.png")

    assert (tmp_path / "serving.png").read_bytes().startswith(b"\x89PNG")
