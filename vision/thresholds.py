"""Suggests a score threshold for each class."""

import numpy as np

from vision.matching import ClassMatches

LOWEST, HIGHEST = 0.05, 0.9
FALLBACK = 0.25


def best_f1_threshold(matches: ClassMatches) -> float:
    """The score from which on detections count, so that the F1 score at IoU 0.5 is best, rounded to 0.01.

    A class that was never found gets 0.25.
    """
    hits = np.cumsum(matches.hits[0])
    if len(hits) == 0 or hits[-1] == 0:
        return FALLBACK
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + matches.truths.sum())
    return round(float(np.clip(matches.scores[int(f1.argmax())], LOWEST, HIGHEST)), 2)
