"""Prepared frames to the input tensor of a model, grafted or plain."""

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from model_compiler.engines.engine import Array

Frames = NDArray[np.uint8]


def input_tensor(frames: Frames, spec: InputSpec) -> Array:
    """What the gateway would write for these frames.

    Args:
        frames: (N, H, W, 3) in RGB, of the size of the input.
        spec: The input. ``UINT8`` takes the pixels, ``FP32`` takes ``(pixel * scale - mean) / std``.

    Returns:
        (N, H, W, 3) or (N, 3, H, W), as the layout says; C-contiguous.
    """
    ordered = frames[..., ::-1] if spec.color == "bgr" else frames
    if spec.datatype == "FP32":
        mean, std = np.asarray(spec.mean, np.float64), np.asarray(spec.std, np.float64)
        ordered = ((ordered * spec.scale - mean) / std).astype(np.float32)
    return np.ascontiguousarray(ordered if spec.layout == "NHWC" else ordered.transpose(0, 3, 1, 2))
