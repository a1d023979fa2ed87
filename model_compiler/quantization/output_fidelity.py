"""How near a changed network's outputs are to those of the float one, without labels."""

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Outputs = Sequence[NDArray[np.float32]]
MOST_DB = 120.0
"""Of outputs that are equal."""


class OutputFidelity:
    """Outputs of a float network on some inputs, to compare changed networks with.

    ``sqnr_db`` is the signal to quantisation noise ratio in dB, 10 log10(sum of squares / sum of squared differences),
    of each channel of each output, averaged over the worse half of them: boxes, which survive nearly everything, would
    otherwise hide what scores lose.
    """

    def __init__(self, model: bytes, inputs: Sequence[NDArray[np.float32]]) -> None:
        self._inputs = tuple(inputs)
        self._expected = _run(model, self._inputs)

    def sqnr_db(self, model: bytes) -> float:
        """Of a network with the same inputs and outputs, run by ONNX Runtime."""
        pairs = zip(self._expected, _run(model, self._inputs), strict=True)
        channels = np.sort(np.concatenate([channel_sqnr_db(expected, actual) for expected, actual in pairs]))
        return float(channels[: max(1, len(channels) // 2)].mean()) if len(channels) else MOST_DB


def channel_sqnr_db(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> NDArray[np.float64]:
    """SQNR of each channel, in dB; the channels are the shorter of the axes after the batch; silent ones are left out.

    Args:
        expected: (N, C, ...) or (N, A, C), of the float network.
        actual: the same of the changed one.
    """
    axis = 1 + int(np.argmin(expected.shape[1:])) if expected.ndim > 1 else 0
    rows = np.moveaxis(expected, axis, 0).reshape(expected.shape[axis], -1).astype(np.float64)
    others = np.moveaxis(actual, axis, 0).reshape(rows.shape).astype(np.float64)
    signal, noise = (rows**2).sum(axis=1), ((rows - others) ** 2).sum(axis=1)
    audible = signal > 0
    ratio = signal[audible] / np.maximum(noise[audible], signal[audible] * 10 ** (-MOST_DB / 10))
    return np.asarray(10 * np.log10(ratio), np.float64)


def _run(model: bytes, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Every output over all inputs, joined along the batch."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    floats = [output.name for output in session.get_outputs() if output.type == "tensor(float)"]
    results = [session.run(floats, {name: values}) for values in inputs]
    return [np.concatenate(parts) for parts in zip(*results, strict=True)]
