"""``detect`` against the real servers of a gateway."""

import argparse
import asyncio
import json
import socket
from pathlib import Path

import cv2
import pytest

from gateway.commands import detect
from tests.fakes.grpc_gateway import running_grpc_gateway
from tests.fakes.http_gateway import BUILD, RAW_BUILD, running_http_gateway
from tests.fakes.pictures import jpeg

CANDIDATES = [(8, 16, 16, 32, 0.75, 1), (40, 40, 60, 60, 0.5, 0)]


def arguments(*given: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    detect.add_arguments(parser)
    return parser.parse_args([str(each) for each in given])


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(jpeg())
    (folder / "two.jpg").write_bytes(jpeg())
    (folder / "notes.txt").write_text("not a frame")
    return folder


async def test_a_folder_of_frames_as_json(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_http_gateway(CANDIDATES) as gateway:
        args = arguments(frames, "--http", gateway.address, "--json")
        assert await asyncio.to_thread(detect.run, args) == 0

    found = json.loads(capsys.readouterr().out)
    assert [Path(each["file"]).name for each in found] == ["one.jpg", "two.jpg"]
    assert [each["label"] for each in found[0]["detections"]] == ["pit", "scratch"]
    assert [each["score"] for each in found[0]["detections"]] == [0.75, 0.5]
    assert len(found[0]["detections"][0]["box_xyxy"]) == 4
    assert found[0]["build"] == BUILD
    assert {"queue", "decode", "letterbox", "infer", "postprocess"} <= set(found[0]["stage_ms"])
    assert found[0]["total_ms"] > 0


async def test_grpc_and_http_find_the_same(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    async with running_grpc_gateway(CANDIDATES) as address:
        args = arguments(frames / "one.jpg", frames / "notes.txt", "--grpc", address, "--json", "--threshold", "0.6")
        assert await asyncio.to_thread(detect.run, args) == 1
        found.append(json.loads(capsys.readouterr().out))
    async with running_http_gateway(CANDIDATES) as gateway:
        args = arguments(frames / "one.jpg", "--http", gateway.address, "--json", "--threshold", "0.6")
        assert await asyncio.to_thread(detect.run, args) == 0
        found.append(json.loads(capsys.readouterr().out))

    assert found[0][0]["detections"] == found[1][0]["detections"] != []
    assert found[0][0]["build"] == BUILD
    assert {"queue", "decode", "letterbox", "infer", "postprocess"} <= set(found[0][0]["stage_ms"])
    assert "INVALID_ARGUMENT" in found[0][1]["error"]


async def test_a_gateway_whose_triton_is_down_is_there(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_grpc_gateway() as address:
        # the name of a build is passed on to Triton
        args = arguments(frames, "--grpc", address, "--model", RAW_BUILD)
        assert await asyncio.to_thread(detect.run, args) == 2

    assert "Triton is unavailable" in capsys.readouterr().err


async def test_the_threshold_reaches_the_gateway(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_http_gateway(CANDIDATES) as gateway:
        args = arguments(frames / "one.jpg", "--http", gateway.address, "--json", "--threshold", "0.6")
        assert await asyncio.to_thread(detect.run, args) == 0

    assert [each["label"] for each in json.loads(capsys.readouterr().out)[0]["detections"]] == ["pit"]


async def test_tables_for_people(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_http_gateway(CANDIDATES) as gateway:
        args = arguments(frames / "one.jpg", "--http", gateway.address)
        assert await asyncio.to_thread(detect.run, args) == 0

    text = capsys.readouterr().out
    assert "one.jpg" in text
    assert "pit" in text
    assert "0.75" in text
    assert "decode" in text


async def test_nothing_found_is_said(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_http_gateway() as gateway:
        assert await asyncio.to_thread(detect.run, arguments(frames / "one.jpg", "--http", gateway.address)) == 0

    assert "nothing found" in capsys.readouterr().out


async def test_a_file_that_is_no_picture_fails_alone(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_http_gateway(CANDIDATES) as gateway:
        missing = frames / "missing.jpg"
        args = arguments(frames / "notes.txt", missing, frames / "two.jpg", "--http", gateway.address, "--json")
        assert await asyncio.to_thread(detect.run, args) == 1

    broken, absent, good = json.loads(capsys.readouterr().out)
    assert "HTTP 400" in broken["error"]
    assert "missing.jpg" in absent["error"]
    assert len(good["detections"]) == 2


async def test_pictures_with_boxes_are_written(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "deep"
    async with running_http_gateway(CANDIDATES) as gateway:
        args = arguments(frames / "one.jpg", frames / "one.jpg", "--http", gateway.address, "--render", out)
        assert await asyncio.to_thread(detect.run, args) == 0

    assert sorted(path.name for path in out.iterdir()) == ["one-2.jpg", "one.jpg"]
    drawn, source = cv2.imread(str(out / "one.jpg")), cv2.imread(str(frames / "one.jpg"))
    assert drawn is not None
    assert source is not None
    assert drawn.shape == source.shape
    assert abs(drawn.astype(int) - source.astype(int)).max() > 50


@pytest.mark.parametrize("flag", ["--grpc", "--http"])
def test_no_gateway_says_how_to_start_one(flag: str, frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        assert detect.run(arguments(frames, flag, address)) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"No gateway answers at {address}. Start one with `outpost-gateway serve`")
    assert len(said.splitlines()) == 1


async def test_an_unknown_model_is_said(frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_http_gateway() as gateway:
        args = arguments(frames, "--http", gateway.address, "--model", "cats")
        assert await asyncio.to_thread(detect.run, args) == 2

    said = capsys.readouterr().err
    assert "cannot answer for the model 'cats'" in said
    assert "defects" in said


def test_a_folder_without_pictures_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detect.run(arguments(tmp_path)) == 2
    assert f"no pictures (.jpg, .jpeg, .png, .webp, .bmp) in {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--threshold", "1.5"], ["--threshold", "x"], ["--grpc", "8001"], ["--http", "a:b"]])
def test_flags_that_make_no_sense(given: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        arguments(*given)
    assert stopped.value.code == 2
