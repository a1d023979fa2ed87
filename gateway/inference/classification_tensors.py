"""Classes as the tensors of an answer. Pure."""

import numpy as np

from gateway.inference.detection_tensors import SOURCE_OUTPUT, bytes_tensor
from gateway.inference.response_parameters import result_parameters
from gateway.messages import ClassificationResult, InferRequest, InferResponse, Tensor

CLASSIFICATION_OUTPUTS = ("scores", "classes")
PROBABILITIES_OUTPUT = "probabilities"


def classification_response(
    result: ClassificationResult, request: InferRequest, names: tuple[str, ...], top_k: int
) -> InferResponse:
    """The best classes of each frame as tensors.

    Args:
        result: What the frames are.
        request: What was asked.
        names: Of the outputs.
        top_k: How many classes to name; all where there are fewer.
    """
    classes = np.stack([frame.order[:top_k] for frame in result.frames])
    probabilities = np.stack([frame.probabilities for frame in result.frames])
    scores = np.take_along_axis(probabilities, classes, axis=1)
    tensors = {
        "scores": Tensor("scores", "FP32", scores.shape, scores.tobytes()),
        "classes": Tensor("classes", "INT32", classes.shape, classes.tobytes()),
        PROBABILITIES_OUTPUT: Tensor(PROBABILITIES_OUTPUT, "FP32", probabilities.shape, probabilities.tobytes()),
        SOURCE_OUTPUT: bytes_tensor(SOURCE_OUTPUT, [b"edge"] * len(result.frames)),
    }
    return InferResponse(
        model=request.model,
        version="1",
        id=request.id,
        outputs=tuple(tensors[name] for name in names),
        parameters=result_parameters(result),
    )
