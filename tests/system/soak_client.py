"""Requests of every kind, by a client that knows each answer beforehand."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import tritonclient.grpc
import tritonclient.http

from tests.system.gateway_process import GatewayProcess
from tests.system.known_frame import KnownFrame
from tests.system.test_serving import frames_input

RIGHT, WRONG = "right", "wrong"
SHORT_DEADLINES_SECONDS = (0.001, 0.002, 0.004, 0.008)
EXPECTED = {
    "grpc_frame": {RIGHT},
    "http_frames": {RIGHT},
    "detect": {RIGHT},
    "tensor": {RIGHT},
    "half_a_picture": {"StatusCode.INVALID_ARGUMENT"},
    "unknown_model": {"HTTP 404"},
    "too_short_a_deadline": {RIGHT, "StatusCode.DEADLINE_EXCEEDED"},
}
"""What each kind of request may come to."""


class SoakClient:
    """One caller with a connection of each kind; a request returns ``right``, ``wrong`` or how it was refused."""

    def __init__(self, gateway: GatewayProcess, frames: Iterator[KnownFrame]) -> None:
        self._frames = frames
        self._grpc = tritonclient.grpc.InferenceServerClient(gateway.grpc_address)
        self._http = tritonclient.http.InferenceServerClient(gateway.http_address)
        self._web = httpx.Client(base_url=gateway.http_url, trust_env=False, timeout=30.0)
        self._numbers = itertools.count()

    def close(self) -> None:
        self._grpc.close()
        self._http.close()
        self._web.close()

    def grpc_frame(self) -> str:
        return self._infer(tritonclient.grpc, self._grpc, [next(self._frames)])

    def http_frames(self) -> str:
        return self._infer(tritonclient.http, self._http, [next(self._frames), next(self._frames)])

    def detect(self) -> str:
        frame = next(self._frames)
        answer = self._web.post("/v1/models/tiny/detect", content=frame.data)
        if answer.status_code != 200:
            return f"HTTP {answer.status_code}"
        (found,) = answer.json()["frames"][0]["detections"]
        return RIGHT if frame.fits(found["score"], found["box"]) else WRONG

    def tensor(self) -> str:
        values = np.full((1, 4), next(self._numbers), dtype=np.float32)
        asked = tritonclient.grpc.InferInput("x", [1, 4], "FP32")
        asked.set_data_from_numpy(values)
        answer = self._grpc.infer("plus-1.0.0_x86-cpu", [asked])
        return RIGHT if np.array_equal(answer.as_numpy("y"), values + 1) else WRONG

    def half_a_picture(self) -> str:
        data = next(self._frames).data
        self._grpc.infer("tiny", [frames_input(tritonclient.grpc, data[: len(data) // 2])])
        return WRONG

    def unknown_model(self) -> str:
        answer = self._web.post("/v1/models/nope/detect", content=next(self._frames).data)
        return f"HTTP {answer.status_code}"

    def too_short_a_deadline(self) -> str:
        """The caller is gone before there is an answer, wherever its frame is then."""
        seconds = SHORT_DEADLINES_SECONDS[next(self._numbers) % len(SHORT_DEADLINES_SECONDS)]
        return self._infer(tritonclient.grpc, self._grpc, [next(self._frames)], client_timeout=seconds)

    def _infer(self, module: Any, client: Any, frames: list[KnownFrame], **options: Any) -> str:
        answer = client.infer("tiny", [frames_input(module, *(frame.data for frame in frames))], **options)
        scores, boxes = answer.as_numpy("scores"), answer.as_numpy("boxes")
        fits = [frame.fits(scores[index, 0], boxes[index, 0]) for index, frame in enumerate(frames)]
        return RIGHT if all(fits) and scores.shape == (len(frames), 1) else WRONG
