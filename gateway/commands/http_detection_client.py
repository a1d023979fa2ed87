"""Detections, or classes, over HTTP: the protocol's JSON answer to a binary picture."""

import http.client
import json
import struct
import time
from typing import Any
from urllib.parse import quote

import numpy as np

from gateway.commands.frame_answer import FrameAnswer, FrameRefused, GatewayNotThere, ModelNotThere, parse_executed
from gateway.load.client_access import PLAIN, ClientAccess
from gateway.load.stage_summary import parse_stages

_HTTP_OK = 200


class HttpDetectionClient:
    """See ``DetectionClient``.

    Args:
        address: ``host:port``.
        model: The alias.
        timeout_seconds: Longest wait for an answer.
        access: TLS and token.
    """

    def __init__(self, address: str, model: str, timeout_seconds: float, access: ClientAccess = PLAIN) -> None:
        self._address = address
        self._model = model
        self._path = f"/v2/models/{quote(model, safe='')}"
        context = access.http_context()
        self._headers = access.headers
        self._connection = (
            http.client.HTTPConnection(address, timeout=timeout_seconds)
            if context is None
            else http.client.HTTPSConnection(address, timeout=timeout_seconds, context=context)
        )

    def labels(self) -> tuple[str, ...]:
        """See ``DetectionClient.labels``."""
        status, config = self._ask("GET", f"{self._path}/config")
        if status != _HTTP_OK:
            raise ModelNotThere(self._model, self._address, _error_of(config))
        status, _ = self._ask("GET", f"{self._path}/ready")
        if status != _HTTP_OK:
            raise ModelNotThere(self._model, self._address, "it is not ready")
        labels = json.loads(config).get("parameters", {}).get("labels", {}).get("string_value", "[]")
        return tuple(json.loads(labels))

    def detect(self, frame: bytes, threshold: float | None) -> FrameAnswer:
        """See ``DetectionClient.detect``."""
        element = struct.pack("<I", len(frame)) + frame
        header = _request_header(len(element), threshold)
        started_at = time.perf_counter()
        status, body = self._ask(
            "POST", f"{self._path}/infer", header + element, {"Inference-Header-Content-Length": str(len(header))}
        )
        if status != _HTTP_OK:
            raise FrameRefused(f"HTTP {status}", _error_of(body))
        return _answer(json.loads(body), time.perf_counter() - started_at)

    def close(self) -> None:
        """See ``DetectionClient.close``."""
        self._connection.close()

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, body, self._headers | (headers or {}))
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise GatewayNotThere(self._address, "--http", str(error)) from error


def _request_header(size_bytes: int, threshold: float | None) -> bytes:
    parameters: dict[str, Any] = {"binary_data_output": False}
    if threshold is not None:
        parameters["outpost_threshold"] = threshold
    tensor = {"name": "images", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size_bytes}}
    return json.dumps({"inputs": [tensor], "parameters": parameters}).encode()


def _answer(message: dict[str, Any], seconds: float) -> FrameAnswer:
    outputs = {output["name"]: output for output in message["outputs"]}
    found = int(outputs["scores"]["shape"][1])
    parameters = message.get("parameters", {})
    stages = parse_stages(parameters.get("outpost_stage_us", ""))
    return FrameAnswer(
        build=parameters.get("outpost_build", ""),
        reason=parameters.get("outpost_reason", ""),
        boxes_xyxy=np.asarray(outputs["boxes"]["data"], np.float32).reshape(found, 4) if "boxes" in outputs else None,
        scores=np.asarray(outputs["scores"]["data"], np.float32).reshape(found),
        classes=np.asarray(outputs["classes"]["data"], np.int32).reshape(found),
        stage_ms={name: value * 1e3 for name, value in stages.items()},
        total_ms=seconds * 1e3,
        executed=parse_executed(parameters.get("outpost_executed", "")),
    )


def _error_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace") or "no reason given"
