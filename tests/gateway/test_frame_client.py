"""What Triton is asked for regions and for frames in them, seen by a server of its protocol."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from contracts.model_card import InputSpec, ModelCard, OutputSpec
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.device_output import RawOutput, on_host
from gateway.errors import InvalidModelOutput, RegionLost, TritonRejected
from gateway.triton.connection import TritonConnection
from gateway.triton.frame_client import FrameClient
from gateway.triton.region_register import RegionRegister
from tests.fakes.fake_sharing_device import FakeOutputReader, FakeSharingDevice

CARD = ModelCard(
    model="raw",
    version="1.0.0",
    hardware_class="x86-cpu",
    labels=("a", "b"),
    input=InputSpec(width=32, height=24),
    output=OutputSpec(name="output0", decoder="yolov8"),
)
BUILD = CARD.build
KIND = RawOutput("yolov8", (6, 20), 2)


class RegionTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Writes outputs where it is asked to, into the fake GPU."""

    def __init__(self, device: FakeSharingDevice) -> None:
        self.device = device
        self.regions: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.output_shape = [1, *KIND.shape]
        self.in_use = False
        self.refuses = False
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def CudaSharedMemoryRegister(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self.regions[request.name] = request
        return service_pb2.CudaSharedMemoryRegisterResponse()

    async def CudaSharedMemoryUnregister(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.refuses:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "it is currently in use")
        if not self.in_use:  # else the real one also agrees, and closes the region later
            self.regions.pop(request.name, None)
        return service_pb2.CudaSharedMemoryUnregisterResponse()

    async def CudaSharedMemoryStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = service_pb2.CudaSharedMemoryStatusResponse()
        for name in self.regions:
            answer.regions[name].name = name
        return answer

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        self.is_asked.set()
        await self.may_answer.wait()
        region = request.inputs[0].parameters["shared_memory_region"].string_param
        if region not in self.regions:
            text = f"Unable to find shared memory region: '{region}'"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        answer = service_pb2.ModelInferResponse(model_name=request.model_name)
        answer.outputs.add(name="output0", datatype="FP32", shape=self.output_shape)
        values = np.arange(120, dtype=np.float32)
        asked = request.outputs[0].parameters
        if "shared_memory_region" in asked:
            begin = asked["shared_memory_offset"].int64_param
            self.device.allocated[-1][begin : begin + values.nbytes] = values.view(np.uint8)
        else:
            answer.raw_output_contents.append(values.tobytes())
        return answer


class Scene:
    def __init__(self, triton: RegionTriton, connection: TritonConnection) -> None:
        self.triton = triton
        self.connection = connection
        self.client = FrameClient(connection)
        self.memory = DeviceFrameMemory(
            triton.device, FakeOutputReader(), "outpost_test_1", 2, CARD.input.size_bytes, KIND.size_bytes
        )


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    triton = RegionTriton(FakeSharingDevice())
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    connection = TritonConnection(f"127.0.0.1:{port}")
    try:
        yield Scene(triton, connection)
    finally:
        await connection.close()
        await server.stop(None)


async def test_memory_of_a_gpu_is_registered_by_its_handle(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    request = scene.triton.regions["outpost_test_1"]
    assert (request.raw_handle, request.device_id) == (bytes(64), 3)
    assert request.byte_size == scene.memory.size_bytes
    await scene.client.unregister(scene.memory)
    assert scene.triton.regions == {}


async def test_memory_of_a_gpu_that_requests_still_use_is_not_unregistered(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    scene.triton.in_use = True
    with pytest.raises(TritonRejected, match="open until its requests are done"):
        await scene.client.unregister(scene.memory)
    scene.triton.in_use = False
    await scene.client.unregister(scene.memory)


async def test_a_build_that_goes_while_its_frame_is_in_work(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    scene.memory.expect_outputs({BUILD: KIND})
    scene.triton.may_answer.clear()
    asked = asyncio.create_task(scene.client.infer(BUILD, CARD, scene.memory, 1, 5.0))
    await scene.triton.is_asked.wait()
    scene.memory.expect_outputs({})
    scene.client.forget()
    scene.triton.may_answer.set()
    np.testing.assert_array_equal(on_host(await asked), np.arange(120, dtype=np.float32).reshape(KIND.shape))


async def test_an_output_is_written_into_the_slot_and_read_there(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    scene.memory.expect_outputs({BUILD: KIND})
    output = await scene.client.infer(BUILD, CARD, scene.memory, 1, 5.0)
    assert not isinstance(output, np.ndarray)
    np.testing.assert_array_equal(on_host(output), np.arange(120, dtype=np.float32).reshape(KIND.shape))
    (request,) = scene.triton.asked
    assert request.inputs[0].parameters["shared_memory_offset"].int64_param == scene.memory.offset(1)
    assert request.inputs[0].parameters["shared_memory_byte_size"].int64_param == CARD.input.size_bytes
    placed = request.outputs[0].parameters
    assert placed["shared_memory_region"].string_param == "outpost_test_1"
    assert placed["shared_memory_offset"].int64_param == scene.memory.output_offset(1)
    assert placed["shared_memory_byte_size"].int64_param == KIND.size_bytes


async def test_the_output_of_another_build_comes_in_the_answer(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    scene.memory.expect_outputs({"other-1.0.0_x86-cpu": KIND})
    output = await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0)
    assert isinstance(output, np.ndarray)
    assert output.shape == KIND.shape


async def test_an_output_too_large_for_its_part_comes_in_the_answer(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    scene.memory.expect_outputs({BUILD: RawOutput("yolov8", (6, 2000), 2)})
    assert scene.memory.raw_output(BUILD) is None
    assert isinstance(await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0), np.ndarray)


async def test_a_request_of_before_has_its_output_in_the_answer(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0)
    scene.memory.expect_outputs({BUILD: KIND})
    assert isinstance(await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0), np.ndarray)
    scene.client.forget()
    assert not isinstance(await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0), np.ndarray)
    scene.memory.expect_outputs({})
    assert not isinstance(await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0), np.ndarray)


async def test_an_output_of_another_shape_than_the_config_says(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    scene.memory.expect_outputs({BUILD: KIND})
    scene.triton.output_shape = [1, 20, 6]
    with pytest.raises(InvalidModelOutput, match=r"shape \(6, 20\), it gave \(20, 6\)"):
        await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0)


async def test_a_region_that_triton_lost_is_told_apart(scene: Scene) -> None:
    with pytest.raises(RegionLost):
        await scene.client.infer(BUILD, CARD, scene.memory, 0, 5.0)


async def test_regions_of_a_process_that_ended_are_forgotten(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    register = RegionRegister(scene.connection)
    assert await register.names() == ("outpost_test_1",)
    assert await register.forget("outpost_other_") == ()
    assert await register.forget("outpost_test_") == ("outpost_test_1",)
    assert scene.triton.regions == {}


async def test_triton_is_asked_again_for_regions_that_a_model_still_works_on(scene: Scene) -> None:
    await scene.client.register(scene.memory)
    register = RegionRegister(scene.connection, pauses_seconds=(0.01,))
    scene.triton.refuses = True
    assert await register.forget("outpost_test_") == ()
    await asyncio.sleep(0.05)
    assert list(scene.triton.regions) == ["outpost_test_1"]
    scene.triton.refuses = False
    async with asyncio.timeout(10):
        while scene.triton.regions:  # noqa: ASYNC110 - the other side is asked by polling
            await asyncio.sleep(0.005)
    await register.close()
