"""Detections of a mediocre detector on made-up frames."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


def noisy_set(seed: int, frames: int) -> tuple[list[Rows], list[Rows], list[NDArray[np.int64]]]:
    rng = np.random.default_rng(seed)
    detections, truths, classes = [], [], []
    for _ in range(frames):
        count = int(rng.integers(0, 4))
        corner = rng.uniform(0, 300, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(20, 90, (count, 2))], axis=1).astype(np.float32)
        labels = rng.integers(0, 6, count)
        guesses = np.concatenate([boxes + rng.normal(0, 5, boxes.shape), np.tile(rng.uniform(0, 300, (2, 2)), 2)])
        guesses[count:, 2:] += 40
        scores = np.concatenate([rng.uniform(0.3, 1, count), rng.uniform(0, 0.6, 2)])
        found = np.concatenate([np.where(rng.random(count) < 0.8, labels, 0), rng.integers(0, 6, 2)])
        rows = np.column_stack([guesses, scores, found]).astype(np.float32)
        detections.append(rows[np.argsort(-rows[:, 4])])
        truths.append(boxes)
        classes.append(labels)
    return detections, truths, classes
