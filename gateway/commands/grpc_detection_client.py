"""Detections, or classes, over gRPC."""

import json
import struct
import time
from typing import Any

import grpc
import numpy as np

from gateway.commands.frame_answer import FrameAnswer, FrameRefused, GatewayNotThere, ModelNotThere, parse_executed
from gateway.load.client_access import PLAIN, ClientAccess
from gateway.load.stage_summary import parse_stages
from gateway.oip import service_pb2, service_pb2_grpc

_CHECK_SECONDS = 5.0


class GrpcDetectionClient:
    """See ``DetectionClient``.

    Args:
        address: ``host:port``.
        model: The alias.
        timeout_seconds: Deadline of a frame.
        access: TLS and token.
    """

    def __init__(self, address: str, model: str, timeout_seconds: float, access: ClientAccess = PLAIN) -> None:
        self._address = address
        self._model = model
        self._timeout_seconds = timeout_seconds
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        credentials = access.grpc_credentials()
        self._metadata = access.metadata
        self._channel = (
            grpc.insecure_channel(address, options=options)
            if credentials is None
            else grpc.secure_channel(address, credentials, options=options)
        )
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def labels(self) -> tuple[str, ...]:
        """See ``DetectionClient.labels``."""
        try:
            request = service_pb2.ModelConfigRequest(name=self._model)
            limits = {"timeout": _CHECK_SECONDS, "metadata": self._metadata}
            parameters = self._stub.ModelConfig(request, **limits).config.parameters
            ready = self._stub.ModelReady(service_pb2.ModelReadyRequest(name=self._model), **limits).ready
        except grpc.RpcError as error:
            if _nobody_there(error):
                raise GatewayNotThere(self._address, "--grpc", error.details()) from error
            raise ModelNotThere(self._model, self._address, error.details()) from error
        if not ready:
            raise ModelNotThere(self._model, self._address, "it is not ready")
        return tuple(json.loads(parameters["labels"].string_value)) if "labels" in parameters else ()

    def detect(self, frame: bytes, threshold: float | None) -> FrameAnswer:
        """See ``DetectionClient.detect``."""
        request = service_pb2.ModelInferRequest(model_name=self._model)
        request.inputs.add(name="images", datatype="BYTES", shape=[1])
        request.raw_input_contents.append(struct.pack("<I", len(frame)) + frame)
        if threshold is not None:
            request.parameters["outpost_threshold"].string_param = str(threshold)
        started_at = time.perf_counter()
        try:
            response = self._stub.ModelInfer(request, timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            if _nobody_there(error):
                raise GatewayNotThere(self._address, "--grpc", error.details()) from error
            raise FrameRefused(error.code().name, error.details()) from error
        return _answer(response, time.perf_counter() - started_at)

    def close(self) -> None:
        """See ``DetectionClient.close``."""
        self._channel.close()


def _nobody_there(error: Any) -> bool:
    # the gateway itself says UNAVAILABLE when Triton is down, and then repeats what gRPC told it
    details = error.details() or ""
    if error.code() != grpc.StatusCode.UNAVAILABLE or "Triton is unavailable" in details:
        return False
    return any(mark in details for mark in ("connect", "Socket closed", "Connection reset", "andshake"))


def _answer(response: service_pb2.ModelInferResponse, seconds: float) -> FrameAnswer:
    raw = {output.name: content for output, content in zip(response.outputs, response.raw_output_contents, strict=True)}
    parameters = {name: value.string_param for name, value in response.parameters.items()}
    stages = parse_stages(parameters.get("outpost_stage_us", ""))
    return FrameAnswer(
        build=parameters.get("outpost_build", ""),
        reason=parameters.get("outpost_reason", ""),
        boxes_xyxy=np.frombuffer(raw["boxes"], np.float32).reshape(-1, 4) if "boxes" in raw else None,
        scores=np.frombuffer(raw["scores"], np.float32),
        classes=np.frombuffer(raw["classes"], np.int32),
        stage_ms={name: value * 1e3 for name, value in stages.items()},
        total_ms=seconds * 1e3,
        executed=parse_executed(parameters.get("outpost_executed", "")),
    )
