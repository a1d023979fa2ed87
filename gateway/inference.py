"""The one workflow: an alias takes pictures and answers with detections; a build's name takes tensors."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from contracts.model_card import ModelCard
from gateway.bytes_tensor import join_elements, split_elements
from gateway.catalogue import Catalogue, Resolution
from gateway.errors import (
    BadRequest,
    InstanceLost,
    InvalidFrame,
    ModelNotReady,
    TritonCode,
    TritonRejected,
    UnknownModel,
)
from gateway.frames.admission import Admission
from gateway.messages import (
    DetectionResult,
    FrameDetections,
    FrameTask,
    InferRequest,
    InferResponse,
    Parameters,
    RequestedOutput,
    Tensor,
)
from gateway.metrics import ServingMetrics
from vision.errors import ImageError

FRAMES_INPUT = "images"
MAX_FRAMES_PER_REQUEST = 64
DETECTION_OUTPUTS = ("boxes", "scores", "classes", "num_detections")
SOURCE_OUTPUT = "source"
CLASSIFICATION_PARAMETER = "classification"
THRESHOLD_PARAMETER = "outpost_threshold"


class Frames(Protocol):
    """Finds what is in one frame."""

    async def detect(self, frame: bytes | memoryview, task: FrameTask) -> FrameDetections:
        """See ``FramePipeline.detect``."""
        ...


class Tensors(Protocol):
    """Runs a build on a caller's tensors."""

    async def infer(self, request: InferRequest, timeout_seconds: float) -> InferResponse:
        """See ``TensorClient.infer``."""
        ...

    async def output_datatypes(self, model: str) -> Mapping[str, str]:
        """See ``TensorClient.output_datatypes``."""
        ...


class InferenceService:
    """Answers inference requests of every protocol.

    Args:
        catalogue: Returns the current snapshot.
        admission: Asked for room for all frames of a request before the first is begun.
        frames: Path of one frame.
        tensors: Path of raw tensors.
        metrics: Counts results.
        default_timeout_seconds: Deadline of a request that brings none.
        on_instance_lost: Told about an instance that died under a raw request.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        admission: Admission,
        frames: Frames,
        tensors: Tensors,
        metrics: ServingMetrics,
        *,
        default_timeout_seconds: float,
        on_instance_lost: Callable[[InstanceLost], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._admission = admission
        self._frames = frames
        self._tensors = tensors
        self._metrics = metrics
        self._default_timeout_seconds = default_timeout_seconds
        self._on_instance_lost = on_instance_lost
        self._clock = clock

    async def infer(self, request: InferRequest) -> InferResponse:
        """Answer one request of the Open Inference Protocol.

        Raises:
            GatewayError: See ``gateway.errors``.
        """
        if not self._catalogue().is_alias(request.model):
            return await self._infer_tensors(request)
        frames = frames_of(request)
        result = await self.detect(
            request.model,
            frames,
            arrived_at=request.arrived_at,
            deadline_at=request.deadline_at,
            key=request.id,
            threshold=threshold_of(request),
        )
        found_at = self._clock()
        return replace(response_of(result, request), found_at=found_at)

    async def detect(
        self,
        alias: str,
        frames: Sequence[bytes | memoryview],
        *,
        deadline_at: float | None,
        arrived_at: float | None = None,
        key: str = "",
        threshold: float | None = None,
    ) -> DetectionResult:
        """Find what is in some frames.

        Args:
            alias: The name clients use.
            frames: JPEG, PNG, WebP or BMP bytes, each one picture.
            deadline_at: Monotonic seconds, or None for the default timeout.
            arrived_at: When the request was read, or None for now.
            key: Equal keys fall on the same side of a canary's share; without one, chance decides.
            threshold: Lowest score for every class, instead of the card's.

        Raises:
            GatewayError: See ``gateway.errors``; one unusable frame fails its request.
        """
        self._admission.require_room(len(frames))
        now = self._clock()
        until = now + self._default_timeout_seconds if deadline_at is None else deadline_at
        key = key or secrets.token_hex(4)
        chosen = self._catalogue().resolve(alias, key)
        task = FrameTask(chosen.build.name, _card(chosen), arrived_at or now, until, threshold)
        try:
            found = await self._all(frames, task)
        except TritonRejected as error:
            chosen = self._resolve_again(alias, key, chosen, error)
            task = replace(task, build=chosen.build.name, card=_card(chosen))
            found = await self._all(frames, task)
        result = DetectionResult(alias, chosen.build.name, chosen.reason, task.card.labels, tuple(found))
        self._metrics.observe_result(result)
        return result

    def _resolve_again(self, alias: str, key: str, chosen: Resolution, error: TritonRejected) -> Resolution:
        """A build may be unloaded while a request for it waits: then another one answers for the alias by now."""
        if error.code != TritonCode.NOT_FOUND:
            raise error
        again = self._catalogue().resolve(alias, key)
        if again.build.name == chosen.build.name:
            raise ModelNotReady(alias, f"Triton does not have build {chosen.build.name}: {error}") from error
        return again

    async def _all(self, frames: Sequence[bytes | memoryview], task: FrameTask) -> list[FrameDetections]:
        if len(frames) == 1:
            return [await self._one(0, 1, frames[0], task)]
        try:
            async with asyncio.TaskGroup() as group:
                works = [
                    group.create_task(self._one(index, len(frames), frame, task)) for index, frame in enumerate(frames)
                ]
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        return [work.result() for work in works]

    async def _one(self, index: int, count: int, frame: bytes | memoryview, task: FrameTask) -> FrameDetections:
        try:
            return await self._frames.detect(frame, task)
        except ImageError as error:
            raise InvalidFrame(index, count, str(error)) from error

    async def _infer_tensors(self, request: InferRequest) -> InferResponse:
        catalogue = self._catalogue()
        build = catalogue.builds.get(request.model)
        if build is None:
            raise UnknownModel(request.model, catalogue.names())
        if not build.ready:
            raise ModelNotReady(request.model, catalogue.not_ready_reason(request.model))
        if any(CLASSIFICATION_PARAMETER in output.parameters for output in request.outputs):
            require_numeric_outputs(request, await self._tensors.output_datatypes(request.model))
        until = request.deadline_at
        if until is None:
            until = self._clock() + self._default_timeout_seconds
        try:
            async with self._admission.slot(until):
                return await self._tensors.infer(request, max(0.0, until - self._clock()))
        except InstanceLost as error:
            self._on_instance_lost(error)
            raise


def _card(chosen: Resolution) -> ModelCard:
    if chosen.build.card is None:
        raise ModelNotReady(chosen.build.name, "it has no model card")
    return chosen.build.card


def frames_of(request: InferRequest) -> tuple[memoryview, ...]:
    """The pictures of a request to an alias.

    Raises:
        BadRequest: Not exactly one input ``images``, BYTES [N], or an output that an alias does not have.
    """
    if len(request.inputs) != 1 or request.inputs[0].name != FRAMES_INPUT:
        names = [tensor.name for tensor in request.inputs]
        raise BadRequest("inputs", f"one input '{FRAMES_INPUT}' with encoded pictures", f"{names}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        raise BadRequest(
            f"inputs.{FRAMES_INPUT}.datatype",
            "BYTES with encoded pictures (send tensors to the build's own name)",
            tensor.datatype,
        )
    if len(tensor.shape) != 1 or not 1 <= tensor.shape[0] <= MAX_FRAMES_PER_REQUEST:
        raise BadRequest(
            f"inputs.{FRAMES_INPUT}.shape", f"[N] with N from 1 to {MAX_FRAMES_PER_REQUEST}", str(list(tensor.shape))
        )
    _require_known_outputs(request.outputs)
    return split_elements(f"inputs.{FRAMES_INPUT}", tensor.data, tensor.shape[0])


def _require_known_outputs(outputs: tuple[RequestedOutput, ...]) -> None:
    for output in outputs:
        if output.name not in (*DETECTION_OUTPUTS, SOURCE_OUTPUT):
            known = ", ".join((*DETECTION_OUTPUTS, SOURCE_OUTPUT))
            raise BadRequest("outputs", f"some of {known}", f"'{output.name}'")
        if CLASSIFICATION_PARAMETER in output.parameters:
            raise BadRequest(f"outputs.{output.name}", "no parameter classification for a detector", "classification")


def require_numeric_outputs(request: InferRequest, datatypes: Mapping[str, str]) -> None:
    """Keep a request away from Triton that would end it: Triton 2.51 crashes on ``classification`` of a BYTES output.

    Raises:
        BadRequest: Such an output is asked for.
    """
    for output in request.outputs:
        if CLASSIFICATION_PARAMETER in output.parameters and datatypes.get(output.name) == "BYTES":
            raise BadRequest(f"outputs.{output.name}", "numbers for the parameter classification", "BYTES")


def threshold_of(request: InferRequest) -> float | None:
    """The request's own threshold.

    Raises:
        BadRequest: Not a number from 0 to 1.
    """
    value = request.parameters.get(THRESHOLD_PARAMETER)
    if value is None:
        return None
    try:
        threshold = float(value)
    except ValueError:
        threshold = -1.0
    if not 0.0 <= threshold <= 1.0:
        raise BadRequest(f"parameters.{THRESHOLD_PARAMETER}", "a number from 0 to 1", repr(value))
    return threshold


def response_of(result: DetectionResult, request: InferRequest) -> InferResponse:
    """Detections as tensors, padded to the largest count of the request with 0 and class -1."""
    tensors = _detection_tensors(result.frames)
    names = [output.name for output in request.outputs] or list(DETECTION_OUTPUTS)
    if SOURCE_OUTPUT in names:
        tensors[SOURCE_OUTPUT] = Tensor(
            SOURCE_OUTPUT, "BYTES", (len(result.frames),), join_elements([b"edge"] * len(result.frames))
        )
    return InferResponse(
        model=request.model,
        version="1",
        id=request.id,
        outputs=tuple(tensors[name] for name in names),
        parameters=result_parameters(result),
    )


def result_parameters(result: DetectionResult) -> Parameters:
    """What a response says about how it came about."""
    times = [frame.times for frame in result.frames]
    stages = {
        "queue": max(time.queue for time in times),
        "decode": max(time.decode for time in times),
        "letterbox": max(time.letterbox for time in times),
        "infer": max(time.infer for time in times),
        "postprocess": max(time.postprocess for time in times),
    }
    return {
        "outpost_build": result.build,
        "outpost_reason": result.reason,
        "outpost_stage_us": ",".join(f"{name}={round(seconds * 1e6)}" for name, seconds in stages.items()),
    }


def _detection_tensors(frames: tuple[FrameDetections, ...]) -> dict[str, Tensor]:
    count = len(frames)
    width = max(len(frame.scores) for frame in frames)
    boxes = np.zeros((count, width, 4), dtype=np.float32)
    scores = np.zeros((count, width), dtype=np.float32)
    classes = np.full((count, width), -1, dtype=np.int32)
    for row, frame in enumerate(frames):
        found = len(frame.scores)
        boxes[row, :found] = frame.boxes_xyxy
        scores[row, :found] = frame.scores
        classes[row, :found] = frame.classes
    counts = np.array([len(frame.scores) for frame in frames], dtype=np.int32)
    return {
        "boxes": Tensor("boxes", "FP32", boxes.shape, boxes.tobytes()),
        "scores": Tensor("scores", "FP32", scores.shape, scores.tobytes()),
        "classes": Tensor("classes", "INT32", classes.shape, classes.tobytes()),
        "num_detections": Tensor("num_detections", "INT32", counts.shape, counts.tobytes()),
    }
