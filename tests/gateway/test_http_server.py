"""The HTTP side at its edges: limits, errors, ids, metrics."""

import asyncio
import gzip
import json
import logging
import zlib

import pytest

from gateway import errors
from gateway.http_api.status import status_of
from gateway.oip import model_config_pb2, service_pb2
from gateway.settings import Settings
from tests.fakes.http_gateway import BUILD, INFER, RAW, RAW_BUILD, client_of, running_http_gateway
from tests.fakes.pictures import jpeg

SMALL = Settings(max_request_bytes=100_000, default_timeout_seconds=5)


async def test_a_picture_as_raw_body() -> None:
    async with running_http_gateway([(8, 16, 16, 32, 0.75, 1)]) as gateway, client_of(gateway) as client:
        answer = await client.post(INFER, content=jpeg(), headers=RAW)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        length = int(answer.headers["inference-header-content-length"])
        content = json.loads(answer.content[:length])
        assert [output["parameters"]["binary_data_size"] for output in content["outputs"]] == [16, 4, 4, 4]
        assert len(answer.content) == length + 28
        assert gateway.count("outpost_requests_total", model="defects", build=BUILD, protocol="http", code="200") == 1
        assert gateway.count("outpost_request_seconds_count", model="defects", protocol="http") == 1
        for stage in ("read", "queue", "decode", "letterbox", "infer", "postprocess", "encode"):
            assert gateway.count("outpost_stage_seconds_count", model="defects", stage=stage) == 1


async def test_a_raw_body_for_a_build_is_deduced_from_its_config() -> None:
    config = model_config_pb2.ModelConfig(name=RAW_BUILD)
    config.input.add(name="X", data_type=model_config_pb2.TYPE_FP32, dims=[-1, 2])
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        gateway.tensors.answers["ModelConfig"] = service_pb2.ModelConfigResponse(config=config)
        answer = await client.post(f"/v2/models/{RAW_BUILD}/infer", content=bytes(24), headers=RAW)
        assert answer.status_code == 200
        assert answer.content.endswith(bytes(24))
        assert gateway.tensors.requests[0].inputs[0].shape == (3, 2)
        answer = await client.post(f"/v2/models/{RAW_BUILD}/infer", content=bytes(23), headers=RAW)
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": "body: expected a multiple of 8 bytes, got 23 bytes"},
        )


async def test_builds_pass_through_to_triton() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        tensors = gateway.tensors
        tensors.answers["ModelMetadata"] = service_pb2.ModelMetadataResponse(name=RAW_BUILD, versions=["1"])
        answer = await client.get(f"/v2/models/{RAW_BUILD}/versions/1")
        assert answer.json() == {"name": RAW_BUILD, "versions": ["1"], "platform": "", "inputs": [], "outputs": []}
        assert tensors.calls[-1] == ("ModelMetadata", service_pb2.ModelMetadataRequest(name=RAW_BUILD, version="1"))

        statistics = service_pb2.ModelStatisticsResponse()
        statistics.model_stats.add(name=BUILD, version="1", inference_count=2**40)
        tensors.answers["ModelStatistics"] = statistics
        answer = await client.get("/v2/models/defects/stats")
        assert answer.json()["model_stats"][0]["name"] == "defects"
        assert answer.json()["model_stats"][0]["inference_count"] == 2**40
        assert tensors.calls[-1] == ("ModelStatistics", service_pb2.ModelStatisticsRequest(name=BUILD))

        tensors.answers["RepositoryIndex"] = service_pb2.RepositoryIndexResponse()
        tensors.answers["RepositoryIndex"].models.add(name=BUILD, version="1", state="READY")
        answer = await client.post("/v2/repository/index", json={"ready": True})
        assert answer.json() == [
            {"name": "defects", "version": "1", "state": "READY"},
            {"name": BUILD, "version": "1", "state": "READY"},
        ]
        assert tensors.calls[-1] == ("RepositoryIndex", service_pb2.RepositoryIndexRequest(ready=True))
        assert (await client.post("/v2/repository/index", content=b"{bad")).status_code == 400


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BadRequest("f", "e", "a"), 400),
        (errors.InvalidFrame(0, 1, "r"), 400),
        (errors.UnknownModel("m", ()), 404),
        (errors.PayloadTooLarge(2, 1), 413),
        (errors.NotSupported("f", "i"), 501),
        (errors.QueueFull(1, 1), 429),
        (errors.DeadlineExceeded("infer"), 504),
        (errors.TritonUnavailable("r"), 503),
        (errors.ModelNotReady("m", "r"), 503),
        (errors.InstanceLost("b", "r"), 503),
        (errors.DeviceMemoryFull(2, 1), 503),
        (errors.DeviceLost("r"), 503),
        (errors.DeviceRefused("d", "r"), 500),
        (errors.InvalidModelOutput("b", "r"), 500),
        (errors.TritonRejected(errors.TritonCode.INTERNAL, "m"), 500),
        (errors.TritonRejected(errors.TritonCode.NOT_FOUND, "m"), 404),
        (errors.TritonRejected(errors.TritonCode.UNAVAILABLE, "m"), 503),
        (errors.TritonRejected(errors.TritonCode.UNIMPLEMENTED, "m"), 501),
        (errors.TritonRejected(errors.TritonCode.INVALID_ARGUMENT, "m"), 400),
        (errors.TritonRejected(errors.TritonCode.ALREADY_EXISTS, "m"), 400),
        (ZeroDivisionError(), 500),
    ],
)
def test_every_error_has_its_status(error: Exception, status: int) -> None:
    assert status_of(error) == status


async def test_an_error_of_triton_comes_through_with_id_and_log(caplog: pytest.LogCaptureFixture) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        gateway.tensors.error = errors.TritonRejected(errors.TritonCode.INVALID_ARGUMENT, "Triton's own words")
        with caplog.at_level(logging.INFO, "gateway.http_api.boundary"):
            answer = await client.post(
                f"/v2/models/{RAW_BUILD}/infer", json={"inputs": []}, headers={"X-Request-Id": "line-4:17"}
            )
        assert (answer.status_code, answer.json()) == (400, {"error": "Triton's own words"})
        assert answer.headers["x-request-id"] == "line-4:17"
        record = caplog.records[-1]
        assert record.__dict__["request_id"] == "line-4:17"
        assert (record.__dict__["model"], record.__dict__["status"]) == (RAW_BUILD, 400)
        assert record.__dict__["error"] == "Triton's own words"


async def test_an_unforeseen_error_tells_the_client_only_where_to_look(caplog: pytest.LogCaptureFixture) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        gateway.tensors.error = ZeroDivisionError("secret detail")
        answer = await client.post(f"/v2/models/{RAW_BUILD}/infer", json={"inputs": []})
        assert answer.status_code == 500
        assert answer.headers["x-request-id"] in answer.json()["error"]
        assert "secret" not in answer.text
        assert caplog.records[-1].exc_info is not None
        assert (await client.get("/v2/health/live")).status_code == 200


@pytest.mark.parametrize("given", ["", "a b", "x" * 200, "<script>", 'a"b'])
async def test_a_strange_request_id_is_replaced(given: str) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        first, second = [
            (await client.get("/v2", headers={"X-Request-Id": given})).headers["x-request-id"] for _ in range(2)
        ]
        assert first != second
        assert given not in ("", first, second) or not given


async def test_unknown_paths_and_methods_get_json() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        for method, path, status in (
            ("GET", "/nope", 404),
            ("GET", "/v2/models/defects/versions/x/ready", 404),
            ("GET", "/v2/models/a/b/c", 404),
            ("POST", "/v2/health/live", 405),
            ("GET", INFER, 405),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == status, path
            assert set(answer.json()) == {"error"}
        assert answer.headers["allow"] == "POST"
        assert (await client.head("/v2/health/live")).status_code == 200


async def test_metadata_of_an_unknown_version() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        for path in ("", "/ready", "/config", "/stats"):
            assert (await client.get(f"/v2/models/defects/versions/2{path}")).status_code == 404
        assert (await client.get("/v2/models/defects/versions/1")).status_code == 200
        answer = await client.post("/v2/models/defects/versions/2/infer", content=jpeg(), headers=RAW)
        assert answer.status_code == 404
        assert (await client.get("/v2/models/de%66ects?x=1")).status_code == 200


async def test_names_do_not_become_labels() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        for name in ("a", "b", "c"):
            await client.post(f"/v2/models/{name}/infer", json={"inputs": []})
        assert gateway.count("outpost_requests_total", model="unknown", build="", protocol="http", code="404") == 3
        assert gateway.count("outpost_rejections_total", reason="unknown_model") == 3


# ---- bodies


async def test_a_body_over_the_limit_is_refused_by_its_length() -> None:
    async with running_http_gateway(settings=SMALL) as gateway, client_of(gateway) as client:
        answer = await client.post(INFER, content=bytes(150_000), headers=RAW)
        assert answer.status_code == 413
        assert "150000 bytes is over the limit of 100000" in answer.json()["error"]
        assert gateway.count("outpost_rejections_total", reason="too_large") == 1


async def test_a_huge_length_is_refused_before_the_body_comes() -> None:
    async with running_http_gateway(settings=SMALL) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"POST /v2/models/defects/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer
        writer.close()


async def test_a_chunked_body_is_cut_off_at_the_limit() -> None:
    async def chunks() -> "asyncio.AsyncIterator[bytes]":  # type: ignore[name-defined]
        for _ in range(15):
            yield bytes(10_000)

    async with running_http_gateway(settings=SMALL) as gateway, client_of(gateway) as client:
        answer = await client.post(INFER, content=chunks(), headers=RAW)
        assert answer.status_code == 413


async def test_a_chunked_body_is_read() -> None:
    picture = jpeg()

    async def chunks() -> "asyncio.AsyncIterator[bytes]":  # type: ignore[name-defined]
        for start in range(0, len(picture), 1000):
            yield picture[start : start + 1000]

    async with running_http_gateway() as gateway, client_of(gateway) as client:
        assert (await client.post(INFER, content=chunks(), headers=RAW)).status_code == 200


async def test_a_body_that_hangs_is_given_up() -> None:
    settings = Settings(default_timeout_seconds=0.2)
    async with running_http_gateway(settings=settings) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"POST /v2/models/defects/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"request body incomplete after 0.2 s: 3 bytes came" in answer
        writer.close()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_not_unpacked(coding: str) -> None:
    bomb = gzip.compress(bytes(5_000_000)) if coding == "gzip" else zlib.compress(bytes(5_000_000))
    assert len(bomb) < SMALL.max_request_bytes
    async with running_http_gateway(settings=SMALL) as gateway, client_of(gateway) as client:
        answer = await client.post(INFER, content=bomb, headers=RAW | {"Content-Encoding": coding})
        assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "coding", "status", "words"),
    [
        (b"abc", "gzip", 400, "expected gzip data"),
        (gzip.compress(b"abc" * 100)[:-9], "gzip", 400, "end early"),
        (gzip.compress(b"abc") + b"x", "gzip", 400, "data behind their end"),
        (b"abc", "br", 501, "Content-Encoding 'br' is not supported"),
        (b"abc", "gzip, gzip", 501, "not supported"),
    ],
)
async def test_damaged_and_unknown_codings(body: bytes, coding: str, status: int, words: str) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        answer = await client.post(INFER, content=body, headers={"Content-Encoding": coding})
        assert answer.status_code == status
        assert words in answer.json()["error"]


@pytest.mark.parametrize("length", ["99999999999", "-1", "abc", "1e3"])
async def test_strange_header_lengths(length: str) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        answer = await client.post(INFER, content=b"{}", headers={"Inference-Header-Content-Length": length})
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("Inference-Header-Content-Length: expected a number from 0 to 2")


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"inputs":[{"name":"images","shape":[1],"datatype":"FP32","data":[1]}]}']
)
async def test_bad_requests_to_an_alias(body: bytes) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        assert (await client.post(INFER, content=body)).status_code == 400


@pytest.mark.parametrize("size", [100_000, 10_000_000])
async def test_an_endless_head_is_cut_off(size: int) -> None:
    async with running_http_gateway() as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        answer = b""
        try:
            writer.write(b"GET /v2 HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * size)
            answer = await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            assert size > 1_000_000  # cut off while it still sent
        assert answer.startswith(b"HTTP/1.1 400 ") or size > 1_000_000
        writer.close()
        async with client_of(gateway) as client:
            assert (await client.get("/v2", headers={"X-Long": "a" * 20_000})).status_code == 200


# ---- overload, deadlines, disconnects
