"""Detections as the tensors of an answer. Pure."""

import numpy as np

from gateway.bytes_tensor import join_elements
from gateway.inference.response_parameters import result_parameters
from gateway.messages import CascadeTrace, DetectionResult, FrameDetections, InferRequest, InferResponse, Tensor

DETECTION_OUTPUTS = ("boxes", "scores", "classes", "num_detections")
SOURCE_OUTPUT = "source"
EXECUTED_OUTPUT = "executed"
VERDICT_OUTPUT = "verdict"
VERDICT_SCORE_OUTPUT = "verdict_score"
CASCADE_OUTPUTS = (EXECUTED_OUTPUT, VERDICT_OUTPUT, VERDICT_SCORE_OUTPUT)


def detection_response(result: DetectionResult, request: InferRequest, names: tuple[str, ...]) -> InferResponse:
    """Detections as tensors, padded to the largest count of the request with 0 and class -1.

    Args:
        result: What was found.
        request: What was asked.
        names: Of the outputs; those of ``CASCADE_OUTPUTS`` only for a cascade.
    """
    tensors = _detection_tensors(result.frames)
    if SOURCE_OUTPUT in names:
        tensors[SOURCE_OUTPUT] = bytes_tensor(SOURCE_OUTPUT, [b"edge"] * len(result.frames))
    if result.cascade is not None:
        tensors |= _cascade_tensors(result.cascade, names)
    return InferResponse(
        model=request.model,
        version="1",
        id=request.id,
        outputs=tuple(tensors[name] for name in names),
        parameters=result_parameters(result),
    )


def bytes_tensor(name: str, elements: list[bytes]) -> Tensor:
    """BYTES [N]."""
    return Tensor(name, "BYTES", (len(elements),), join_elements(elements))


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


def _cascade_tensors(trace: CascadeTrace, names: tuple[str, ...]) -> dict[str, Tensor]:
    tensors = {}
    if EXECUTED_OUTPUT in names:
        ran = [",".join(trace.aliases_of(index)).encode() for index in range(len(trace.verdicts))]
        tensors[EXECUTED_OUTPUT] = bytes_tensor(EXECUTED_OUTPUT, ran)
    if VERDICT_OUTPUT in names:
        labels = [trace.labels[verdict.best].encode() for verdict in trace.verdicts]
        tensors[VERDICT_OUTPUT] = bytes_tensor(VERDICT_OUTPUT, labels)
    if VERDICT_SCORE_OUTPUT in names:
        scores = np.array([verdict.score for verdict in trace.verdicts], dtype=np.float32)
        tensors[VERDICT_SCORE_OUTPUT] = Tensor(VERDICT_SCORE_OUTPUT, "FP32", scores.shape, scores.tobytes())
    return tensors
