"""Whether what a network says of a picture can be right; arrays in, sentences out."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

_UNTRAINED_SCORE = 1e-6


def doubts_of_candidates(rows: Rows, size_wh: tuple[int, int]) -> tuple[str, ...]:
    """What is wrong with the candidates of one picture.

    Args:
        rows: (K, 6) of x1, y1, x2, y2 in input pixels, score, class; rows of zeros fill up.
        size_wh: Width and height of the input.
    """
    real = rows[rows.any(axis=1)]
    if not np.isfinite(real).all():
        return ("it answers with NaN or infinite numbers: check scale, mean and std, and the export",)
    if not len(real) or float(real[:, 4].max()) <= _UNTRAINED_SCORE:
        return ("all scores are 0: check the head (--head) and whether the export has trained weights",)
    return (*_doubts_of_scores(real[:, 4]), *_doubts_of_boxes(real[:, :4], size_wh))


def _doubts_of_scores(scores: Rows) -> Iterator[str]:
    lowest, highest = float(scores.min()), float(scores.max())
    if highest > 1.0 + 1e-4 or lowest < -1e-4:
        yield (
            f"scores go from {lowest:.3g} to {highest:.3g}, not from 0 to 1: the head is another (--head), or the"
            " export leaves the sigmoid out"
        )
    elif lowest > 0.99:
        yield f"all {len(scores)} candidates have a score above 0.99: check the head (--head) and the pixel values"


def _doubts_of_boxes(boxes: Rows, size_wh: tuple[int, int]) -> Iterator[str]:
    limit = np.array([*size_wh, *size_wh], np.float32)
    if len(boxes) > 1 and np.abs(boxes).max() <= 2.0:
        yield "all boxes lie within 2 pixels: the export gives them as shares of the picture, not in pixels"
        return
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    outside = ((centres < 0) | (centres > limit[:2])).any(axis=1).mean()
    if outside > 0.5:
        yield f"{outside:.0%} of the boxes lie outside the picture: check the size (--size) and the head (--head)"
    negative = (boxes[:, 2:] < boxes[:, :2]).any(axis=1).mean()
    if negative > 0.5:
        yield f"{negative:.0%} of the boxes have a negative size: the export gives corners instead of centre and size"


def doubts_of_probabilities(probabilities: Rows) -> tuple[str, ...]:
    """What is wrong with the probabilities (C,) of one picture."""
    if not np.isfinite(probabilities).all():
        return ("it answers with NaN or infinite numbers: check scale, mean and std, and the export",)
    lowest, highest = float(probabilities.min()), float(probabilities.max())
    if highest - lowest < 0.02 / len(probabilities):
        same = f"all classes have the same probability, {highest:.4f}"
        return (f"{same}: the export has a softmax that was not seen, or no trained weights",)
    if highest > 1.0 - 1e-6:
        return ("it is wholly certain, with probabilities of 0 and 1: check scale, mean and std",)
    return ()


def doubts_of_two_pictures(answer: Rows, other: Rows) -> tuple[str, ...]:
    """Whether the answers for two different pictures are the same."""
    if np.array_equal(answer, other):
        return ("it answers the same for any picture: check scale, mean and std, and the export",)
    return ()
