"""Triton's own HTTP clients, unmodified, against the real HTTP side."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
import tritonclient.http as sync_http
import tritonclient.http.aio as aio_http
from tritonclient.utils import InferenceServerException

from tests.fakes.http_gateway import BUILD, RAW_BUILD, HttpGateway, running_http_gateway
from tests.fakes.pictures import jpeg

T = TypeVar("T")
FOUND = [(8.0, 16.0, 16.0, 32.0, 0.75, 1.0)]
# the 128x96 frame lies in the 64x64 input scaled by 1/2, 8 pixels from the top
BOX = [16.0, 16.0, 32.0, 48.0]


async def with_client(gateway: HttpGateway, use: Callable[[Any], T]) -> T:
    def run() -> T:
        client = sync_http.InferenceServerClient(gateway.address)
        try:
            return use(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


def pictures(count: int) -> Any:
    tensor = sync_http.InferInput("images", [count], "BYTES")
    tensor.set_data_from_numpy(np.array([jpeg(seed=seed) for seed in range(count)], dtype=np.object_))
    return tensor


def numbers(values: Any, datatype: str, *, binary: bool = True) -> Any:
    tensor = sync_http.InferInput("X", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


async def test_detections_of_two_frames() -> None:
    async with running_http_gateway(FOUND) as gateway:
        result = await with_client(gateway, lambda client: client.infer("defects", [pictures(2)], request_id="r1"))
    response = result.get_response()
    assert (response["id"], response["model_name"], response["model_version"]) == ("r1", "defects", "1")
    assert response["parameters"]["outpost_build"] == BUILD
    np.testing.assert_allclose(result.as_numpy("boxes"), [[BOX], [BOX]])
    np.testing.assert_allclose(result.as_numpy("scores"), [[0.75], [0.75]])
    np.testing.assert_array_equal(result.as_numpy("classes"), [[1], [1]])
    np.testing.assert_array_equal(result.as_numpy("num_detections"), [1, 1])


@pytest.mark.parametrize("binary", [True, False])
async def test_chosen_outputs(binary: bool) -> None:
    outputs = [sync_http.InferRequestedOutput(name, binary_data=binary) for name in ("num_detections", "source")]
    async with running_http_gateway(FOUND) as gateway:
        result = await with_client(gateway, lambda client: client.infer("defects", [pictures(1)], outputs=outputs))
    assert [output["name"] for output in result.get_response()["outputs"]] == ["num_detections", "source"]
    np.testing.assert_array_equal(result.as_numpy("num_detections"), [1])
    if binary:
        assert result.as_numpy("source").tolist() == [b"edge"]
    else:
        assert result.get_output("source")["data"] == ["edge"]


async def test_nothing_found() -> None:
    async with running_http_gateway() as gateway:
        result = await with_client(gateway, lambda client: client.infer("defects", [pictures(1)]))
    assert result.as_numpy("boxes").shape == (1, 0, 4)
    np.testing.assert_array_equal(result.as_numpy("num_detections"), [0])


async def test_a_threshold_of_the_request() -> None:
    async with running_http_gateway(FOUND) as gateway:
        result = await with_client(
            gateway,
            lambda client: client.infer("defects", [pictures(1)], parameters={"outpost_threshold": "0.8"}),
        )
    np.testing.assert_array_equal(result.as_numpy("num_detections"), [0])


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
async def test_compression_both_ways(algorithm: str) -> None:
    values = np.arange(2000, dtype=np.int32).reshape(2, 1000)
    async with running_http_gateway() as gateway:
        result = await with_client(
            gateway,
            lambda client: client.infer(
                RAW_BUILD,
                [numbers(values, "INT32")],
                request_compression_algorithm=algorithm,
                response_compression_algorithm=algorithm,
            ),
        )
    np.testing.assert_array_equal(result.as_numpy("OX"), values)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(
    ("datatype", "values"),
    [
        ("FP32", np.array([[1.5, -2.25], [0.1, 3e38]], np.float32)),
        ("INT64", np.array([2**63 - 1, -(2**63)], np.int64)),
        ("UINT8", np.array([0, 255], np.uint8)),
        ("BOOL", np.array([True, False])),
    ],
)
async def test_tensors_pass_through(datatype: str, values: Any, binary: bool) -> None:
    outputs = [sync_http.InferRequestedOutput("OX", binary_data=binary)]
    async with running_http_gateway() as gateway:
        result = await with_client(
            gateway,
            lambda client: client.infer(RAW_BUILD, [numbers(values, datatype, binary=binary)], outputs=outputs),
        )
    np.testing.assert_array_equal(result.as_numpy("OX"), values)


async def test_http_parameters_do_not_reach_triton() -> None:
    values = np.zeros(4, np.float32)
    async with running_http_gateway() as gateway:
        await with_client(
            gateway,
            lambda client: client.infer(
                RAW_BUILD, [numbers(values, "FP32")], priority=2, sequence_id=5, sequence_start=True, timeout=10_000_000
            ),
        )
        request = gateway.tensors.requests[0]
    assert request.parameters == {
        "priority": 2,
        "sequence_id": 5,
        "sequence_start": True,
        "sequence_end": False,
        "timeout": 10_000_000,
    }
    assert request.inputs[0].parameters == {}
    assert request.deadline_at is not None


async def test_health_and_metadata() -> None:
    async with running_http_gateway() as gateway:

        def look(client: Any) -> None:
            assert client.is_server_live()
            assert client.is_server_ready()
            assert client.is_model_ready("defects")
            assert client.is_model_ready("defects", "1")
            assert client.is_model_ready(BUILD)
            assert not client.is_model_ready("nope")
            assert client.get_server_metadata(query_params={"test_1": 1})["name"] == "triton"
            metadata = client.get_model_metadata("defects")
            assert metadata["inputs"] == [{"name": "images", "datatype": "BYTES", "shape": [-1]}]
            assert [output["name"] for output in metadata["outputs"]] == [
                "boxes",
                "scores",
                "classes",
                "num_detections",
                "source",
            ]
            config = client.get_model_config("defects")
            assert config["input"][0]["data_type"] == "TYPE_STRING"
            assert config["parameters"]["labels"] == {"string_value": '["scratch", "pit"]'}
            assert '"hardware_class":"x86-cpu"' in config["parameters"]["outpost_card"]["string_value"]
            assert client.get_system_shared_memory_status() == []
            client.unregister_system_shared_memory()

        await with_client(gateway, look)


async def test_readiness_tells_the_truth() -> None:
    async with running_http_gateway() as gateway:
        gateway.catalogue = gateway.catalogue.model_copy(update={"triton_up": False, "triton_reason": "restarting"})

        def look(client: Any) -> None:
            assert client.is_server_live()
            assert not client.is_server_ready()

        await with_client(gateway, look)


async def test_an_unknown_model_in_tritons_words() -> None:
    async with running_http_gateway() as gateway:
        with pytest.raises(InferenceServerException) as raised:
            await with_client(gateway, lambda client: client.infer("nope", [pictures(1)]))
    assert raised.value.message().startswith("Request for unknown model: 'nope' is not found")
    assert raised.value.status() == "404"


async def test_what_is_not_offered_says_what_to_do_instead() -> None:
    async with running_http_gateway() as gateway:
        for use, words in (
            (lambda client: client.load_model("x"), "active.json"),
            (lambda client: client.unload_model("x"), "active.json"),
            (lambda client: client.register_system_shared_memory("r", "/r", 4), "send the tensors in the request"),
            (lambda client: client.update_log_settings({"log_info": True}), "metrics"),
            (lambda client: client.get_trace_settings(), "metrics"),
        ):
            with pytest.raises(InferenceServerException, match=words) as raised:
                await with_client(gateway, use)
            assert raised.value.status() == "501"


async def test_the_asyncio_client() -> None:
    async with running_http_gateway(FOUND) as gateway, aio_http.InferenceServerClient(gateway.address) as client:
        assert await client.is_server_ready()
        result = await client.infer("defects", [pictures(3)])
        np.testing.assert_allclose(result.as_numpy("boxes"), [[BOX]] * 3)
        with pytest.raises(InferenceServerException, match="Request for unknown model"):
            await client.get_model_metadata("nope")
