"""The entropy method on ONNX Runtime's histograms.

ONNX Runtime's own search spreads counts over empty bins and lets the spike that rectifiers make at zero decide;
after it a network may be useless. This one does as TensorRT does: Migacz, 8-bit inference with TensorRT, GTC 2017.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector

Counts = NDArray[np.int64]
_NEVER = 1e-9
"""Probability of what a candidate cannot express."""


class HistogramSearch(HistogramCollector):  # type: ignore[misc]
    """Collects histograms and finds thresholds in them."""

    def get_entropy_threshold(self, histogram: tuple[Any, ...], num_quantized_bins: int) -> tuple[Any, Any]:
        """The range whose quantised distribution is nearest to the true one.

        Args:
            histogram: Counts, edges around 0, lowest and highest value.
            num_quantized_bins: Bins that a candidate is reduced to.

        Returns:
            Lower and upper threshold, within the lowest and highest value.
        """
        counts, edges, low, high = histogram[:4]
        counts = _without_zeros(counts)
        middle = counts.size // 2
        widths = range(num_quantized_bins // 2, middle + 1)
        below = np.concatenate([[0], np.cumsum(counts)])
        divergences = [_divergence(counts, below, middle, width, num_quantized_bins) for width in widths]
        width = widths[int(np.argmin(divergences))]
        return max(edges[middle - width], low), min(edges[min(middle + width + 1, counts.size)], high)


def _without_zeros(counts: Counts) -> Counts:
    """The bins at zero as their neighbours are: what is exactly zero costs nothing in any range."""
    middle = counts.size // 2
    smooth = counts.copy()
    smooth[middle], smooth[middle - 1] = counts[middle + 1], counts[middle - 2]
    return smooth


def _divergence(counts: Counts, below: Counts, middle: int, width: int, bins: int) -> float:
    """Kullback-Leibler divergence of the counts within ``width`` bins of the middle, when merged into ``bins``.

    What is cut off counts as the outermost value of the true distribution.
    """
    start, end = middle - width, min(middle + width + 1, counts.size)
    inside = counts[start:end]
    if not inside.any():
        return float("inf")
    truth = inside.astype(np.float64)
    truth[0] += below[start]
    truth[-1] += below[-1] - below[end]
    starts = np.arange(bins) * (inside.size // bins)
    sizes = np.diff(np.append(starts, inside.size))
    totals, filled = np.add.reduceat(inside, starts), np.add.reduceat((inside > 0).astype(np.int64), starts)
    merged = np.repeat(totals / np.maximum(filled, 1), sizes) * (inside > 0)
    truth, merged = truth / truth.sum(), merged / merged.sum()
    seen = truth > 0
    return float((truth[seen] * np.log(truth[seen] / np.maximum(merged[seen], _NEVER))).sum())
