"""The wire, with stock clients against the real Triton."""

import asyncio
import json
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from tests.system.conftest import encode
from tests.system.gateway_process import GatewayProcess
from tests.system.small_builds import LABELS

# The brightness detector's box in input pixels is the middle half; the input is 64x48, so that a 640x480 frame fits.
BOX_IN_640X480 = [160.0, 120.0, 480.0, 360.0]


def frames_input(module: object, *frames: bytes) -> object:
    tensor = module.InferInput("images", [len(frames)], "BYTES")  # type: ignore[attr-defined]
    tensor.set_data_from_numpy(np.array(frames, dtype=np.object_))
    return tensor


@pytest.fixture
def grpc_client(gateway: GatewayProcess) -> tritonclient.grpc.InferenceServerClient:
    return tritonclient.grpc.InferenceServerClient(gateway.grpc_address)


@pytest.fixture
def http_client(gateway: GatewayProcess) -> tritonclient.http.InferenceServerClient:
    return tritonclient.http.InferenceServerClient(gateway.http_address)


def require_one_bright_box(scores: NDArray[np.float32], boxes: NDArray[np.float32]) -> None:
    assert scores.shape == (1, 1)
    assert scores[0, 0] == pytest.approx(0.9 * 200 / 255, abs=0.01)
    assert boxes.tolist() == [[BOX_IN_640X480]]


def test_grpc_client_gets_detections(grpc_client: tritonclient.grpc.InferenceServerClient, grey_jpeg: bytes) -> None:
    answer = grpc_client.infer("tiny", [frames_input(tritonclient.grpc, grey_jpeg)], request_id="r-1")
    require_one_bright_box(answer.as_numpy("scores"), answer.as_numpy("boxes"))
    assert answer.as_numpy("classes").tolist() == [[0]]
    assert answer.as_numpy("num_detections").tolist() == [1]
    message = answer.get_response()
    assert message.id == "r-1"
    assert message.parameters["outpost_build"].string_param == "tiny-1.0.0_x86-cpu"
    assert message.parameters["outpost_reason"].string_param == "stable"


def test_http_client_gets_the_same(http_client: tritonclient.http.InferenceServerClient, grey_jpeg: bytes) -> None:
    answer = http_client.infer("tiny", [frames_input(tritonclient.http, grey_jpeg)])
    require_one_bright_box(answer.as_numpy("scores"), answer.as_numpy("boxes"))


async def test_asyncio_client_gets_the_same(gateway: GatewayProcess, grey_jpeg: bytes) -> None:
    async with tritonclient.grpc.aio.InferenceServerClient(gateway.grpc_address) as client:
        tensor = frames_input(tritonclient.grpc.aio, grey_jpeg)
        answers = await asyncio.gather(*(client.infer("tiny", [tensor]) for _ in range(20)))
    for answer in answers:
        require_one_bright_box(answer.as_numpy("scores"), answer.as_numpy("boxes"))


def test_several_frames_are_padded_to_the_largest_count(
    grpc_client: tritonclient.grpc.InferenceServerClient, grey_jpeg: bytes
) -> None:
    dark = encode(np.full((100, 200, 3), 10, dtype=np.uint8), ".png")
    outputs = [tritonclient.grpc.InferRequestedOutput(name) for name in ("num_detections", "classes", "source")]
    answer = grpc_client.infer("tiny", [frames_input(tritonclient.grpc, grey_jpeg, dark, grey_jpeg)], outputs=outputs)
    assert answer.as_numpy("num_detections").tolist() == [1, 0, 1]
    assert answer.as_numpy("classes").tolist() == [[0], [-1], [0]]
    assert answer.as_numpy("source").tolist() == [b"edge"] * 3
    assert answer.as_numpy("boxes") is None


def test_no_detections_keep_their_shapes(grpc_client: tritonclient.grpc.InferenceServerClient) -> None:
    dark = encode(np.zeros((100, 200, 3), dtype=np.uint8))
    answer = grpc_client.infer("tiny", [frames_input(tritonclient.grpc, dark)])
    assert answer.as_numpy("boxes").shape == (1, 0, 4)
    assert answer.as_numpy("scores").shape == (1, 0)


def test_a_threshold_of_the_request_wins(
    grpc_client: tritonclient.grpc.InferenceServerClient, grey_jpeg: bytes
) -> None:
    tensor = frames_input(tritonclient.grpc, grey_jpeg)
    answer = grpc_client.infer("tiny", [tensor], parameters={"outpost_threshold": "0.99"})
    assert answer.as_numpy("num_detections").tolist() == [0]


def test_an_ungrafted_build_is_prepared_and_decoded_by_the_gateway(
    grpc_client: tritonclient.grpc.InferenceServerClient, grey_jpeg: bytes
) -> None:
    answer = grpc_client.infer("plain", [frames_input(tritonclient.grpc, grey_jpeg)])
    require_one_bright_box(answer.as_numpy("scores"), answer.as_numpy("boxes"))


def test_a_build_takes_tensors(grpc_client: tritonclient.grpc.InferenceServerClient) -> None:
    tensor = tritonclient.grpc.InferInput("x", [2, 4], "FP32")
    tensor.set_data_from_numpy(np.arange(8, dtype=np.float32).reshape(2, 4))
    answer = grpc_client.infer("plus-1.0.0_x86-cpu", [tensor])
    assert answer.as_numpy("y").tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_passed_through_answers_equal_triton_s_own(gateway: GatewayProcess) -> None:
    request = service_pb2.ModelInferRequest(model_name="plus-1.0.0_x86-cpu", id="same")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    tensor.contents.fp32_contents.extend([0.5, 1.5, 2.5, 3.5])
    answers = []
    for address in (gateway.grpc_address, gateway.triton_address):
        with grpc.insecure_channel(address) as channel:
            answers.append(service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request))
    assert answers[0] == answers[1]


def test_metadata_config_and_health(
    gateway: GatewayProcess, grpc_client: tritonclient.grpc.InferenceServerClient
) -> None:
    assert grpc_client.is_server_live()
    assert grpc_client.is_server_ready()
    assert grpc_client.is_model_ready("tiny")
    assert grpc_client.is_model_ready("tiny-1.0.0_x86-cpu")
    assert grpc_client.get_server_metadata().name == "triton"
    metadata = grpc_client.get_model_metadata("tiny")
    assert [(one.name, one.datatype, list(one.shape)) for one in metadata.inputs] == [("images", "BYTES", [-1])]
    assert [one.name for one in metadata.outputs][:4] == ["boxes", "scores", "classes", "num_detections"]
    config = grpc_client.get_model_config("tiny").config
    assert json.loads(config.parameters["labels"].string_value) == list(LABELS)
    machine = gateway.status()["machine"]
    for build in ("tiny-1.0.0_x86-cpu", "plus-1.0.0_x86-cpu"):  # a group without a count, no group
        (group,) = grpc_client.get_model_config(build).config.instance_group
        assert (group.kind, group.count) == (group.KIND_CPU, machine["instances_per_build"])
    assert grpc_client.get_inference_statistics("tiny").model_stats[0].name == "tiny"
    assert {"tiny", "tiny-1.0.0_x86-cpu"} <= {model.name for model in grpc_client.get_model_repository_index().models}


def test_the_standard_health_service(gateway: GatewayProcess) -> None:
    with grpc.insecure_channel(gateway.grpc_address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=5) == b"\x08\x01"


def test_a_stream_of_frames_is_answered_in_order(gateway: GatewayProcess, grey_jpeg: bytes) -> None:
    dark = encode(np.zeros((48, 64, 3), dtype=np.uint8))
    requests = []
    for number, frame in enumerate((grey_jpeg, dark, b"nonsense", grey_jpeg)):
        request = service_pb2.ModelInferRequest(model_name="tiny", id=str(number))
        request.inputs.add(name="images", datatype="BYTES", shape=[1]).contents.bytes_contents.append(frame)
        requests.append(request)
    with grpc.insecure_channel(gateway.grpc_address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answers = list(stub.ModelStreamInfer(iter(requests)))
    assert [answer.infer_response.id for answer in answers] == ["0", "1", "2", "3"]
    assert [bool(answer.error_message) for answer in answers] == [False, False, True, False]
    assert "images[0] of 1" in answers[2].error_message


def test_calls_that_are_closed_say_what_to_do(grpc_client: tritonclient.grpc.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"active\.json"):
        grpc_client.load_model("tiny")
    with pytest.raises(InferenceServerException, match="send the data in the request"):
        grpc_client.register_system_shared_memory("mine", "/mine", 16)
    assert list(grpc_client.get_system_shared_memory_status().regions) == []


def test_people_get_labels_and_boxes(gateway: GatewayProcess, grey_jpeg: bytes) -> None:
    answer = httpx.post(f"{gateway.http_url}/v1/models/tiny/detect", content=grey_jpeg)
    assert answer.status_code == 200
    body = answer.json()
    assert body["build"] == "tiny-1.0.0_x86-cpu"
    (found,) = body["frames"][0]["detections"]
    assert found["label"] == "dark"
    assert found["box"] == pytest.approx(BOX_IN_640X480)
    picture = httpx.post(f"{gateway.http_url}/v1/models/tiny/detect?render=1", content=grey_jpeg)
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content[:2] == b"\xff\xd8"


def test_tensors_reach_triton_through_shared_memory(gateway: GatewayProcess) -> None:
    (worker,) = gateway.status()["workers"]
    assert worker["shared_memory"], worker
    names = [path.name for path in Path("/dev/shm").iterdir() if f"_frames_{worker['pid']}_" in path.name]
    assert len(names) == 1


def test_stages_add_up_to_the_request(gateway: GatewayProcess, grey_jpeg: bytes) -> None:
    client = tritonclient.grpc.InferenceServerClient(gateway.grpc_address)
    tensor = frames_input(tritonclient.grpc, grey_jpeg)

    def sums() -> tuple[float, float]:
        return (
            gateway.metric("outpost_stage_seconds_sum", model="tiny"),
            gateway.metric("outpost_request_seconds_sum", model="tiny"),
        )

    before = sums()
    for _ in range(200):
        client.infer("tiny", [tensor])
    stages, total = (after - start for after, start in zip(sums(), before, strict=True))
    assert stages == pytest.approx(total, rel=0.05)


def test_metrics_count_what_happened(gateway: GatewayProcess, grey_jpeg: bytes) -> None:
    client = tritonclient.grpc.InferenceServerClient(gateway.grpc_address)
    before = gateway.metric("outpost_detections_total", model="tiny", label="dark")
    client.infer("tiny", [frames_input(tritonclient.grpc, grey_jpeg)])
    assert gateway.metric("outpost_detections_total", model="tiny", label="dark") == before + 1
    assert gateway.metric("outpost_requests_total", model="tiny", build="tiny-1.0.0_x86-cpu", code="OK") >= 1
    assert gateway.metric("outpost_triton_up") == 1
    assert gateway.metric("outpost_build_ready", build="nan-1.0.0_x86-cpu") == 1
    assert gateway.metric("outpost_confidence_count", model="tiny") >= 1
    assert gateway.metric("outpost_shared_memory") == 1
