"""Requests to a classifier and a cascade over gRPC: what is refused, what comes with a refusal."""

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import numpy as np
import pytest

from gateway.bytes_tensor import join_elements
from gateway.oip import service_pb2, service_pb2_grpc
from tests.fakes.family import PARTS, family_catalogue
from tests.fakes.grpc_gateway import running_grpc_gateway
from tests.fakes.pictures import jpeg

SURE = np.array([0.05, 0.15, 0.8], dtype=np.float32)


@pytest.fixture
async def stub() -> AsyncIterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    async with (
        running_grpc_gateway(catalogue=family_catalogue(), outputs={PARTS: SURE}) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def request(model: str, *outputs: str, frames: int = 1, **parameters: int | str) -> service_pb2.ModelInferRequest:
    message = service_pb2.ModelInferRequest(model_name=model)
    message.inputs.add(name="images", datatype="BYTES", shape=[frames])
    message.raw_input_contents.append(join_elements([jpeg()] * frames))
    for output in outputs:
        message.outputs.add(name=output)
    for name, value in parameters.items():
        if isinstance(value, int):
            message.parameters[name].int64_param = value
        else:
            message.parameters[name].string_param = value
    return message


def values(answer: service_pb2.ModelInferResponse, name: str) -> list[float]:
    index = [output.name for output in answer.outputs].index(name)
    datatype = np.int32 if answer.outputs[index].datatype == "INT32" else np.float32
    numbers: list[float] = np.frombuffer(answer.raw_output_contents[index], datatype).tolist()
    return numbers


@pytest.mark.parametrize(("top_k", "count"), [(None, 3), (2, 2), ("1", 1), (1000, 3)])
async def test_the_best_classes_come_first(
    stub: service_pb2_grpc.GRPCInferenceServiceStub, top_k: int | str | None, count: int
) -> None:
    asked = request("parts") if top_k is None else request("parts", outpost_top_k=top_k)
    answer = await stub.ModelInfer(asked)
    assert [output.name for output in answer.outputs] == ["scores", "classes"]
    assert values(answer, "classes") == [2, 1, 0][:count]
    assert values(answer, "scores") == pytest.approx([0.8, 0.15, 0.05][:count])
    assert list(answer.outputs[0].shape) == [1, count]
    assert "outpost_executed" not in answer.parameters


async def test_probabilities_are_in_label_order(stub: service_pb2_grpc.GRPCInferenceServiceStub) -> None:
    answer = await stub.ModelInfer(request("parts", "probabilities", frames=2))
    assert values(answer, "probabilities") == pytest.approx([*SURE, *SURE])
    assert list(answer.outputs[0].shape) == [2, 3]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (request("parts", "boxes"), "outputs: expected some of scores, classes, probabilities, source, got 'boxes'"),
        (request("defects", "probabilities"), "expected some of boxes, scores, classes, num_detections, source, got"),
        (request("defects", "executed"), "got 'executed'"),
        (request("inspection", "probabilities"), "source, executed, verdict, verdict_score, got 'probabilities'"),
        (request("parts", outpost_top_k=0), "parameters.outpost_top_k: expected an integer from 1 on, got 0"),
        (request("parts", outpost_top_k="many"), "parameters.outpost_top_k: expected an integer from 1 on, got 'many'"),
        (request("parts", outpost_threshold="2"), "parameters.outpost_threshold: expected a number from 0 to 1"),
    ],
)
async def test_what_is_refused(
    stub: service_pb2_grpc.GRPCInferenceServiceStub, message: service_pb2.ModelInferRequest, words: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.ModelInfer(message)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert words in (refused.value.details() or "")


async def test_a_full_queue_says_when_to_come_back() -> None:
    async with (
        running_grpc_gateway(max_queue=0) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request("defects", frames=5))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ("retry-after", "1") in tuple(refused.value.trailing_metadata() or ())
