"""From a classifier's output to probabilities, as the card says. Pure."""

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from gateway.errors import InvalidModelOutput
from vision.errors import VisionError
from vision.heads import best_classes, softmax

_TOLERANCE = 0.01  # of half precision and quantised graphs

Classes = tuple[NDArray[np.float32], NDArray[np.int32], bool]


def decode_classes(card: ModelCard, output: NDArray[np.float32], threshold: float | None = None) -> Classes:
    """Decode one frame's output.

    Args:
        card: Of the build.
        output: The tensor named by the card, without the batch axis.
        threshold: Lowest probability at which the best class counts as sure, instead of the card's for this class.

    Returns:
        Probabilities FP32 (C,) in label order, indices INT32 (C,) best first, and whether the best one is sure.

    Raises:
        InvalidModelOutput: NaN or infinite numbers, another shape than one value for each label, or "probabilities"
            that are none.
    """
    if output.shape != (len(card.labels),):
        raise InvalidModelOutput(
            card.build, f"expected one value for each of the {len(card.labels)} labels, got shape {list(output.shape)}"
        )
    probabilities = _probabilities(card, output)
    order = best_classes(probabilities, len(probabilities))
    least = card.thresholds.by_label.get(card.labels[order[0]], card.thresholds.default)
    # compared as FP32: 0.9 of the card is more than the FP32 number nearest to it
    return probabilities, order, bool(probabilities[order[0]] >= np.float32(least if threshold is None else threshold))


def _probabilities(card: ModelCard, output: NDArray[np.float32]) -> NDArray[np.float32]:
    if card.output.decoder == "logits":
        try:
            return softmax(output)
        except VisionError as error:
            raise InvalidModelOutput(card.build, str(error)) from error
    wrong = ~((output >= -_TOLERANCE) & (output <= 1.0 + _TOLERANCE))  # also true of NaN
    if wrong.any():
        at = int(wrong.argmax())
        advice = "" if np.isnan(output[at]) else "; for logits, the card must name that decoder"
        raise InvalidModelOutput(card.build, f"the probability of '{card.labels[at]}' is {output[at]}{advice}")
    return output
