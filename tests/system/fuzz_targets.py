"""Where malformed input goes in: each target sends one damaged thing and says what came of it."""

import contextlib
import gzip
import json
import random
import re
import socket
import struct
import time

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from tests.system.gateway_process import GatewayProcess
from tests.system.mutations import mutated, sample_pictures, spoiled
from vision.decode import decode_frame
from vision.errors import ImageError

ANSWER_SECONDS = 10.0
NO_ANSWER = "closed without an answer"
"""What gRPC itself answers, with the code UNKNOWN, where the bytes are not the message."""
BUILD = "x86-cpu"
RUNTIME = "onnxruntime: "
RUNTIME_REFUSED = "refused by the runtime"
"""Tensors for a build are the runtime's to judge; those of an alias are the gateway's."""
MAX_PIXELS = 4_000_000
_CLEAR_CODES = {"INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
_PATIENCE_SECONDS = 0.2
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_MODELS = ("tiny", "plus-1.0.0_x86-cpu", "echo-1.0.0_x86-cpu", "nope", "tiny-1.0.0_x86-cpu")
_METHODS = ("ModelMetadata", "ModelConfig", "ModelStatistics", "ModelReady", "RepositoryIndex", "RepositoryModelLoad")
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_ROUTES = (
    ("GET", "/v2"),
    ("GET", "/v2/models/tiny/config"),
    ("GET", "/v2/models/plus-1.0.0_x86-cpu/versions/1/stats"),
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/systemsharedmemory/region/r/register"),
    ("POST", "/v1/models/tiny/detect?threshold=0.5&render=1&timeout=5"),
    ("POST", "/v1/models/tiny/classify?top_k=2"),
    ("POST", "/v2/models/tiny/infer"),
    ("GET", "/v1/models"),
)


class FuzzTargets:
    """The entry points of one gateway, and the decoder of pictures.

    Args:
        gateway: That serves the small builds.
    """

    def __init__(self, gateway: GatewayProcess) -> None:
        self._http_port = gateway.ports["http"]
        self._grpc_port = gateway.ports["grpc"]
        self._channel = grpc.insecure_channel(gateway.grpc_address)
        self._pictures = sample_pictures()
        often = (self.http_tensors, self.http_pictures, self.grpc_tensors, self.grpc_bytes, self.decoder)
        self._kinds = (*(often * 8), self.http_head, self.grpc_connection)  # the last two mostly wait

    def send(self, number: int, seed: int) -> tuple[str, str]:
        """Send one case; returns the target and what came of it.

        Raises:
            AssertionError: No answer in time, or one that no input may lead to.
        """
        kind = self._kinds[number % len(self._kinds)]
        began_at = time.monotonic()
        outcome = kind(random.Random(f"{seed}/{number}"))
        seconds = time.monotonic() - began_at
        assert seconds < ANSWER_SECONDS, f"{outcome} after {seconds:.1f} s"
        return kind.__name__, outcome

    @property
    def names(self) -> frozenset[str]:
        """Of all targets."""
        return frozenset(kind.__name__ for kind in self._kinds)

    def close(self) -> None:
        self._channel.close()

    def http_tensors(self, rng: random.Random) -> str:
        """An inference request: its JSON, its binary part, or the number that divides them are damaged."""
        model = rng.choice(_MODELS)
        if model.startswith("tiny"):
            tail = _length_prefixed(rng.choice(self._pictures))
            entry = {"name": "images", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}
        else:
            tail, (datatype, data) = b"", ("FP32", [1.0, 2.0, 3.0, 4.0]) if "plus" in model else ("BYTES", ["text"])
            entry = {"name": "x", "shape": [1, len(data)], "datatype": datatype, "data": data}
        output = {"name": "y", "parameters": {"binary_data": rng.random() < 0.5, "classification": 1}}
        content = {"id": "1", "inputs": [entry], "outputs": [output], "parameters": {"timeout": 5_000_000}}
        if rng.random() < 0.3:
            del content["outputs"]
        head = json.dumps(spoiled(rng, content)).encode()
        head = mutated(rng, head) if rng.random() < 0.3 else head
        length = len(head) if rng.random() < 0.8 else rng.choice((0, 1, -1, len(head) + 1, 2**31, 2**64))
        body = head + (mutated(rng, tail) if rng.random() < 0.3 else tail)
        return self._http(
            _message("POST", f"/v2/models/{model}/infer", body, [f"Inference-Header-Content-Length: {length}"]), model
        )

    def http_pictures(self, rng: random.Random) -> str:
        """A damaged picture as the body, in a form, or behind a damaged compression."""
        picture = mutated(rng, rng.choice(self._pictures))
        match rng.randrange(4):
            case 0:
                return self._http(_message("POST", "/v1/models/tiny/detect", picture))
            case 1:
                raw = ["Inference-Header-Content-Length: 0"]
                return self._http(_message("POST", "/v2/models/tiny/infer", picture, raw))
            case 2:
                part = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + picture + b"\r\n--b--\r\n"
                form = ["Content-Type: multipart/form-data; boundary=b"]
                path = rng.choice(("/v1/vision/custom/tiny", "/v1/models/tiny/detect"))
                return self._http(_message("POST", path, mutated(rng, part) if rng.random() < 0.5 else part, form))
            case _:
                packed = mutated(rng, gzip.compress(picture))
                return self._http(_message("POST", "/v1/models/tiny/detect", packed, ["Content-Encoding: gzip"]))

    def http_head(self, rng: random.Random) -> str:
        """Any route, with the whole message damaged."""
        method, path = rng.choice(_ROUTES)
        body = b"" if method == "GET" else rng.choice((b"{}", b'{"inputs": []}', self._pictures[0]))
        return self._http(mutated(rng, _message(method, path, body, ["Accept-Encoding: gzip"])))

    def grpc_tensors(self, rng: random.Random) -> str:
        """A well-formed message, of which up to three things are wrong."""
        model = rng.choice(_MODELS)
        request = service_pb2.ModelInferRequest(model_name=model, id="1")
        tensor = request.inputs.add(name="images", datatype="BYTES", shape=[1])
        picture = mutated(rng, rng.choice(self._pictures))
        data = _length_prefixed(picture)
        if "plus" in model:
            tensor.name, tensor.datatype, data = "x", "FP32", np.ones(4, np.float32).tobytes()
            tensor.shape.append(4)
        request.raw_input_contents.append(data)
        for _ in range(rng.randrange(4)):
            self._make_wrong(rng, request, picture)
        return self._call("ModelInfer", request.SerializeToString(), model)

    def _make_wrong(self, rng: random.Random, request: service_pb2.ModelInferRequest, picture: bytes) -> None:
        tensor = request.inputs[0]
        match rng.randrange(7):
            case 0:
                tensor.datatype = rng.choice(("BYTES", "FP32", "UINT8", "FP16", "BOOL", "nothing"))
            case 1:
                tensor.shape[rng.randrange(len(tensor.shape))] = rng.choice((-1, 0, 2, 64, 2**31, 2**62))
            case 2:
                tensor.contents.bytes_contents.extend([picture] * rng.randint(1, 3))
            case 3:
                request.raw_input_contents[0] = mutated(rng, request.raw_input_contents[0])
            case 4:
                name = rng.choice(("timeout", "outpost_threshold", "sequence_id", "sequence_start", "priority"))
                request.parameters[name].int64_param = rng.choice((-1, 0, 1, 2**62))
            case 5:
                asked = request.outputs.add(name=rng.choice(("y", "boxes", "nothing")))
                asked.parameters["classification"].int64_param = rng.choice((-1, 0, 1, 100))
            case _:
                request.inputs.add().CopyFrom(tensor)

    def grpc_bytes(self, rng: random.Random) -> str:
        """The bytes of a message are damaged; one call, or one in a stream."""
        model = rng.choice(_MODELS)
        request = service_pb2.ModelInferRequest(model_name=model, id="1")
        tensor = request.inputs.add(name="images", datatype="BYTES", shape=[1])
        tensor.contents.bytes_contents.append(rng.choice(self._pictures))
        data = mutated(rng, request.SerializeToString())
        if rng.random() < 0.2:
            return self._call(rng.choice(_METHODS), data[:40])
        return self._call("ModelInfer" if rng.random() < 0.7 else "ModelStreamInfer", data, model)

    def grpc_connection(self, rng: random.Random) -> str:
        """The bytes of a connection are damaged: HTTP/2 frames after or in place of the preface."""
        frames = b"".join(
            struct.pack(">I", len(content))[1:]
            + bytes((rng.randrange(11), rng.randrange(64)))
            + rng.randbytes(4)
            + content
            for content in (rng.randbytes(rng.choice((0, 1, 8, 60))) for _ in range(rng.randint(1, 4)))
        )
        data = _PREFACE + frames if rng.random() < 0.7 else mutated(rng, _PREFACE + frames)
        answer = self._exchange(self._grpc_port, data)
        return "answered and closed" if answer else NO_ANSWER

    def decoder(self, rng: random.Random) -> str:
        """A damaged picture straight into the decoder."""
        target = rng.choice((None, (64, 48), (1, 1), (640, 640)))
        try:
            frame = decode_frame(mutated(rng, rng.choice(self._pictures)), target_wh=target, max_pixels=MAX_PIXELS)
        except ImageError as error:
            return type(error).__name__
        height, width, channels = frame.rgb.shape
        assert channels == 3
        assert 0 < height * width <= MAX_PIXELS
        assert (width <= frame.frame_wh[0], height <= frame.frame_wh[1]) == (True, True)
        return "decoded"

    def _http(self, data: bytes, model: str = "tiny") -> str:
        answer = self._exchange(self._http_port, data)
        if not answer:
            return NO_ANSWER
        found = _STATUS_LINE.match(answer)
        assert found is not None, f"not an HTTP answer: {answer[:200]!r}"
        status = int(found[1])
        if status == 500 and RUNTIME in answer.decode(errors="replace") and model.endswith(BUILD):
            return RUNTIME_REFUSED
        assert status < 500 or status in (501, 504), f"HTTP {status}: {answer[-400:]!r}"
        return f"HTTP {status}"

    def _exchange(self, port: int, data: bytes) -> bytes:
        """Send, and read until the server closes; after 0.2 s the sender says that nothing more will come."""
        answer = b""
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS) as connection:
            with contextlib.suppress(ConnectionError, TimeoutError):
                connection.sendall(data)
            ended = False
            while True:
                try:
                    piece = connection.recv(65536)
                except TimeoutError:
                    assert not ended, f"the connection is still open {ANSWER_SECONDS:.0f} s after its end was sent"
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_WR)
                    connection.settimeout(ANSWER_SECONDS)
                    ended = True
                    continue
                except ConnectionError:
                    return answer
                if not piece:
                    return answer
                answer += piece

    def _call(self, method: str, data: bytes, model: str = "tiny") -> str:
        path = f"/inference.GRPCInferenceService/{method}"
        try:
            if method == "ModelStreamInfer":
                list(self._channel.stream_stream(path)(iter([data]), timeout=2 * ANSWER_SECONDS))
            else:
                self._channel.unary_unary(path)(data, timeout=2 * ANSWER_SECONDS)
        except grpc.RpcError as error:
            code, details = error.code().name, error.details()
            if code == "INTERNAL" and details.startswith(RUNTIME) and model.endswith(BUILD):
                return RUNTIME_REFUSED
            assert code in _CLEAR_CODES, f"{code}: {details}"
            return str(code)
        return "OK"


def _message(method: str, path: str, body: bytes, headers: list[str] | None = None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *(headers or []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _length_prefixed(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
