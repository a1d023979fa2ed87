"""Bad input gets a clear error, and nothing else suffers."""

import io
import struct
import time
import zlib

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc
from PIL import Image
from tritonclient.utils import InferenceServerException

from tests.system.conftest import encode
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.test_serving import frames_input


@pytest.fixture
def client(gateway: GatewayProcess) -> tritonclient.grpc.InferenceServerClient:
    return tritonclient.grpc.InferenceServerClient(gateway.grpc_address)


@pytest.fixture(autouse=True)
def nothing_else_suffers(gateway: GatewayProcess, client: tritonclient.grpc.InferenceServerClient, grey_jpeg: bytes):  # type: ignore[no-untyped-def]
    yield
    assert client.infer("tiny", [frames_input(tritonclient.grpc, grey_jpeg)]).as_numpy("num_detections")[0] == 1
    assert gateway.metric("outpost_in_flight") == 0
    assert gateway.metric("outpost_queue_depth") == 0


def png_of_size(width: int, height: int) -> bytes:
    """A tiny file whose header announces a large picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def saved(mode: str, extension: str, **options: object) -> bytes:
    levels = {"CMYK": (0, 0, 0, 55), "L": (200,), "RGBA": (200, 200, 200, 255)}[mode]
    pixels = np.full((480, 640, len(levels)), levels, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(), mode).save(file, extension, **options)
    return file.getvalue()


GOOD = encode(np.full((480, 640, 3), 200, dtype=np.uint8))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "images\\[0\\] of 1"),
        (b"this is not a picture", "images\\[0\\] of 1"),
        (GOOD[: len(GOOD) // 2], "images\\[0\\] of 1"),
        (png_of_size(10_000, 6_000), r"60\.0 megapixels"),
        (png_of_size(2**31 - 1, 2**31 - 1), "pixels"),
        (b"GIF89a" + bytes(100), "GIF"),
    ],
    ids=["empty", "text", "truncated", "60-megapixels", "header-bomb", "gif"],
)
def test_what_is_not_a_usable_picture_is_refused(
    client: tritonclient.grpc.InferenceServerClient, frame: bytes, message: str
) -> None:
    began_at = time.monotonic()
    with pytest.raises(InferenceServerException, match=message) as caught:
        client.infer("tiny", [frames_input(tritonclient.grpc, frame)])
    assert "INVALID_ARGUMENT" in str(caught.value.status())
    assert time.monotonic() - began_at < 5.0


@pytest.mark.parametrize(
    "frame",
    [
        saved("CMYK", "JPEG"),
        saved("L", "JPEG"),
        saved("L", "PNG"),
        saved("RGBA", "PNG"),
        encode(np.full((480, 640, 3), 200 * 257, dtype=np.uint16), ".png"),
        encode(np.full((480, 640, 3), 200, dtype=np.uint8), ".webp"),
        encode(np.full((480, 640, 3), 200, dtype=np.uint8), ".bmp"),
        saved("L", "JPEG", progressive=True),
    ],
    ids=["cmyk", "grey-jpeg", "grey-png", "alpha", "16-bit", "webp", "bmp", "progressive"],
)
def test_uncommon_pictures_work(client: tritonclient.grpc.InferenceServerClient, frame: bytes) -> None:
    scores = client.infer("tiny", [frames_input(tritonclient.grpc, frame)]).as_numpy("scores")
    assert scores[0, 0] == pytest.approx(0.9 * 200 / 255, abs=0.02)


def test_one_bad_frame_is_named_and_fails_its_request_alone(
    client: tritonclient.grpc.InferenceServerClient, grey_jpeg: bytes
) -> None:
    with pytest.raises(InferenceServerException, match="images\\[1\\] of 3"):
        client.infer("tiny", [frames_input(tritonclient.grpc, grey_jpeg, b"bad", grey_jpeg)])


@pytest.mark.parametrize(
    ("name", "shape", "datatype", "message"),
    [
        ("picture", [1], "BYTES", "one input 'images'"),
        ("images", [1, 3], "FP32", "BYTES with encoded pictures"),
        ("images", [1, 1], "BYTES", "\\[N\\] with N from 1 to 64"),
    ],
)
def test_wrong_tensors_are_named(
    client: tritonclient.grpc.InferenceServerClient, name: str, shape: list[int], datatype: str, message: str
) -> None:
    tensor = tritonclient.grpc.InferInput(name, shape, datatype)
    values = np.zeros(shape, dtype=np.float32) if datatype == "FP32" else np.full(shape, GOOD, dtype=np.object_)
    tensor.set_data_from_numpy(values)
    with pytest.raises(InferenceServerException, match=message) as caught:
        client.infer("tiny", [tensor])
    assert "INVALID_ARGUMENT" in str(caught.value.status())


def test_wrong_tensors_to_a_build_get_triton_s_own_answer(client: tritonclient.grpc.InferenceServerClient) -> None:
    tensor = tritonclient.grpc.InferInput("x", [1, 5], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 5), dtype=np.float32))
    with pytest.raises(InferenceServerException, match="unexpected shape") as caught:
        client.infer("plus-1.0.0_x86-cpu", [tensor])
    assert "INVALID_ARGUMENT" in str(caught.value.status())


def test_classification_of_strings_does_not_reach_triton_which_it_would_end(
    client: tritonclient.grpc.InferenceServerClient,
) -> None:
    tensor = tritonclient.grpc.InferInput("x", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[b"text"]], dtype=np.object_))
    asked = tritonclient.grpc.InferRequestedOutput("y", class_count=1)
    with pytest.raises(InferenceServerException, match="numbers for the parameter classification"):
        client.infer("echo-1.0.0_x86-cpu", [tensor], outputs=[asked])


def test_an_unknown_model(client: tritonclient.grpc.InferenceServerClient, gateway: GatewayProcess) -> None:
    with pytest.raises(InferenceServerException, match="Request for unknown model: 'nope'") as caught:
        client.infer("nope", [frames_input(tritonclient.grpc, GOOD)])
    assert "NOT_FOUND" in str(caught.value.status())
    assert httpx.post(f"{gateway.http_url}/v2/models/nope/infer", json={"inputs": []}).status_code in (400, 404)


def test_nan_in_the_model_s_output(client: tritonclient.grpc.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"nan-1.0.0_x86-cpu' gave an invalid output") as caught:
        client.infer("nan", [frames_input(tritonclient.grpc, GOOD)])
    assert "INTERNAL" in str(caught.value.status())


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Inference-Header-Content-Length": str(2**70)}, b"{}"),
        ({"Inference-Header-Content-Length": "-1"}, b"{}"),
        ({"Inference-Header-Content-Length": "many"}, b"{}"),
        ({}, b"{"),
        ({}, b"[]"),
        ({}, b'{"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES"}]}'),
    ],
)
def test_malformed_http(gateway: GatewayProcess, headers: dict[str, str], body: bytes) -> None:
    answer = httpx.post(f"{gateway.http_url}/v2/models/tiny/infer", headers=headers, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_deadline_is_kept(client: tritonclient.grpc.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException) as caught:
        client.infer("tiny", [frames_input(tritonclient.grpc, GOOD)], timeout=1)
    assert "DEADLINE_EXCEEDED" in str(caught.value.status())


def test_a_cancelled_call_frees_its_place(gateway: GatewayProcess) -> None:
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    # a small file that takes long to decode: all calls arrive before the first is answered
    large = encode(np.full((6_000, 8_000, 3), 128, dtype=np.uint8), ".png")
    request = service_pb2.ModelInferRequest(model_name="tiny")
    request.inputs.add(name="images", datatype="BYTES", shape=[1]).contents.bytes_contents.append(large)
    finished_before = gateway.metric("outpost_requests_total", model="tiny")
    cancelled_before = gateway.metric("outpost_requests_total", model="tiny", code="CANCELLED")

    def seen() -> float:  # finished ones first: one that ends between the two looks is then not counted twice
        finished = gateway.metric("outpost_requests_total", model="tiny") - finished_before
        return finished + gateway.metric("outpost_in_flight") + gateway.metric("outpost_queue_depth")

    with grpc.insecure_channel(gateway.grpc_address, options=[("grpc.max_send_message_length", -1)]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        calls = [stub.ModelInfer.future(request) for _ in range(20)]
        # a call cancelled on its way may reach the server long after: each is there before any is cancelled
        wait_for(lambda: seen() == len(calls), 60.0, lambda: f"{seen()} of {len(calls)} arrived")
        for call in calls:
            call.cancel()
        wait_for(lambda: gateway.metric("outpost_in_flight") + gateway.metric("outpost_queue_depth") == 0, 20.0)
    assert gateway.metric("outpost_requests_total", model="tiny") - finished_before == len(calls)
    assert gateway.metric("outpost_requests_total", model="tiny", code="CANCELLED") > cancelled_before
