"""``bench`` against the real servers of a gateway, with a model that takes no time."""

import argparse
import asyncio
import json
import socket
from pathlib import Path

import pytest

from gateway.commands import bench
from gateway.commands.bench_arguments import bench_plan
from gateway.load.server_stages import read_path
from tests.fakes.grpc_gateway import running_grpc_gateway
from tests.fakes.http_gateway import running_http_gateway
from tests.fakes.pictures import jpeg


def arguments(*given: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args([str(each) for each in given])


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    path = tmp_path / "frame.jpg"
    path.write_bytes(jpeg())
    return path


async def test_closed_loop_over_grpc(frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "out.json", tmp_path / "out.png"
    async with running_grpc_gateway() as address:
        args = arguments(frame, "--grpc", address, "--concurrency", "1,2", "--seconds", "0.4", "--warmup", "0.1")
        args.json, args.plot = out, plot
        assert await asyncio.to_thread(bench.run, args) == 0

    values = json.loads(out.read_text())
    assert (values["model"], values["protocol"]) == ("defects", "grpc")
    assert [load["name"] for load in values["loads"]] == ["1 clients", "2 clients"]
    for load in values["loads"]:
        assert load["images_per_second"] > 0
        assert load["latency"]["p50_ms"] <= load["latency"]["p99_ms"] <= load["latency"]["max_ms"]
        assert set(load["codes"]) == {"OK"}
        assert load["cpu_ms_per_image"]["load generator"] > 0
        assert 0 < load["stage_share"] < 1
        assert [stage["name"] for stage in load["stages"]][-2:] == ["encode and transport", "total"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "encode and transport" in said
    assert "images/s" in said


async def test_open_loop_over_http(frame: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    async with running_http_gateway(max_queue=64) as gateway:
        args = arguments(frame, "--http", gateway.address, "--rate", "40", "--arrivals", "fixed", "--warmup", "0")
        args.json, args.seconds = out, 0.5
        assert await asyncio.to_thread(bench.run, args) == 0

    (load,) = json.loads(out.read_text())["loads"]
    assert load["name"] == "40/s fixed"
    assert load["codes"] == {"OK": 20}


async def test_first_and_last_part_of_a_sustained_load(
    frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    async with running_grpc_gateway() as address:
        args = arguments(frame, "--grpc", address, "--concurrency", "1,2", "--sustain", "0.6", "--warmup", "0.1")
        args.json = out
        assert await asyncio.to_thread(bench.run, args) == 0

    values = json.loads(out.read_text())
    assert [load["name"] for load in values["loads"]] == ["2 clients"]
    (load,) = values["loads"]
    assert load["sustained"]["ratio"] > 0
    assert load["sustained"]["first"]["images_per_second"] > 0
    assert "first against last minute" in capsys.readouterr().out


async def test_a_model_that_answers_only_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    async with running_grpc_gateway() as address:
        args = arguments(broken, "--grpc", address, "--concurrency", "1", "--seconds", "0.2", "--warmup", "0")
        assert await asyncio.to_thread(bench.run, args) == 1

    assert "INVALID_ARGUMENT" in capsys.readouterr().out


def test_no_gateway_is_said_before_anything_else(frame: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        args = arguments(frame, "--grpc", f"127.0.0.1:{reserved.getsockname()[1]}")
        assert bench.run(args) == 2

    assert "Start one with `outpost-gateway serve`" in capsys.readouterr().err


def test_what_the_flags_mean() -> None:
    plan = bench_plan(arguments())
    assert plan.target.address == "127.0.0.1:8001"
    assert plan.concurrency == (1, 4, 16)
    assert [plan.connections_for(clients) for clients in (1, 4, 100, None)] == [1, 4, 16, 4]

    plan = bench_plan(arguments("--http", "--sustain", "600", "--connections", "2"))
    assert (plan.target.protocol, plan.target.address) == ("http", "127.0.0.1:8000")
    assert (plan.sustained, plan.seconds, plan.concurrency) == (True, 600.0, (16,))
    assert plan.connections_for(16) == 2


@pytest.mark.parametrize(
    "given",
    [
        ["--concurrency", "0"],
        ["--concurrency", "1,x"],
        ["--rate", "-5"],
        ["--rate", "50", "--concurrency", "4"],
        ["--seconds", "0"],
        ["--sustain", "60", "--seconds", "5"],
    ],
)
def test_flags_that_make_no_sense(given: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        arguments(*given)
    assert stopped.value.code == 2


async def test_two_gateways_get_the_same_loads_and_their_stages_stand_side_by_side(
    frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    async with running_grpc_gateway() as address, running_grpc_gateway() as other:
        args = arguments(frame, "--grpc", address, "--against", other, "--concurrency", "1,2")
        args.json, args.seconds, args.warmup = out, 0.2, 0.0
        assert await asyncio.to_thread(bench.run, args) == 0

    loads = json.loads(out.read_text())["loads"]
    assert [(load["gateway"], load["name"]) for load in loads] == [
        (gateway, f"{clients} clients, {gateway}") for clients in (1, 2) for gateway in (address, other)
    ]
    assert all(load["images_per_second"] > 0 for load in loads)
    said = capsys.readouterr().out
    assert said.count("stages of both") == 2
    assert "2nd : 1st" in said


def test_the_second_gateways_metrics_are_asked_where_they_are_told() -> None:
    plan = bench_plan(arguments("--against", "h:2"))
    assert [side.target.address for side in plan.sides] == ["127.0.0.1:8001", "h:2"]
    assert [side.metrics for side in plan.sides] == ["127.0.0.1:8002", ""]
    assert bench_plan(arguments("--against", "h:2", "--against-metrics", "h:3")).sides[1].metrics == "h:3"
    assert len(bench_plan(arguments()).sides) == 1


def test_the_path_of_a_gateway_is_read_from_its_metrics() -> None:
    def text(cpu: int, cuda: int) -> str:
        return f'outpost_preprocessing{{path="cpu"}} {cpu}\noutpost_preprocessing{{path="cuda"}} {cuda}\n'

    assert [read_path(text(1, 0)), read_path(text(0, 2)), read_path(text(1, 1)), read_path("")] == [
        "cpu",
        "cuda",
        "cpu+cuda",
        "",
    ]
