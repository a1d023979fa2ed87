"""Tensors of the GPU against those of the CPU, before the GPU is trusted with frames."""

import struct
from collections.abc import Sequence

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from gateway.cuda.device_preparer import Lane
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.waiting_frame import WaitingFrame
from gateway.errors import BackendError, DeviceRefused
from gateway.frame_memory import HostFrameMemory
from gateway.pixel_normalisation import factor_and_shift
from vision.prepare import prepare_frame

_PICTURE_WH = (48, 36)
_SPECS = (
    InputSpec(width=20, height=20),
    InputSpec(width=16, height=20, datatype="FP32", layout="NCHW", color="bgr", mode="crop", std=(0.2, 0.3, 0.4)),
)
_MOST_LEVELS = 1.01
_MOST_MEAN_LEVELS = 2.0


def check_against_cpu(lanes: Sequence[Lane], reader: FrameReader) -> None:
    """Place a picture for both types of tensors, which also compiles the kernels: no frame has to wait for that.

    Then a JPEG goes through each lane, whose decoder is its own. Two decoders differ by a level here and there.

    Raises:
        DeviceRefused: The compiler, or what it needs, is not as it should be; or the tensors differ.
        DeviceMemoryFull, DeviceLost: The GPU.
    """
    picture = _picture()
    for spec in _SPECS:
        difference = float(_differences(picture, spec, lanes[0], reader).max())
        allowed = _MOST_LEVELS * (1.0 if spec.datatype == "UINT8" else float(factor_and_shift(spec)[0].max()))
        if not difference <= allowed:
            raise DeviceRefused(
                "prepare frames", f"its tensors differ from the CPU's by {difference:g}, not {allowed:g}"
            )
    for lane in lanes:
        mean = float(_differences(_jpeg(), _SPECS[0], lane, reader).mean())
        if not mean <= _MOST_MEAN_LEVELS:
            raise DeviceRefused(
                "decode JPEGs",
                f"its pixels differ from the CPU's by {mean:.1f} grey levels on average, not {_MOST_MEAN_LEVELS:g}",
            )


def _differences(picture: bytes, spec: InputSpec, lane: Lane, reader: FrameReader) -> NDArray[np.float32]:
    try:
        found = _on_the_device(picture, spec, lane, reader)
    except BackendError:
        raise
    except Exception as error:  # numba has no common base for what its compiler and libraries miss
        raise DeviceRefused("compile its kernels", f"{type(error).__name__}: {error}") from error
    differences: NDArray[np.float32] = np.abs(found - _on_the_cpu(picture, spec))
    return differences


def _on_the_device(picture: bytes, spec: InputSpec, lane: Lane, reader: FrameReader) -> NDArray[np.float32]:
    memory = HostFrameMemory(None, 1, spec.size_bytes)
    frame = WaitingFrame(picture, spec, memory, 0)
    reader.read(frame)
    try:
        lane.place([frame])
    finally:
        reader.forget(frame)
    tensor = memory.array(0, spec.shape, np.uint8 if spec.datatype == "UINT8" else np.float32)
    return tensor.astype(np.float32)


def _on_the_cpu(picture: bytes, spec: InputSpec) -> NDArray[np.float32]:
    pixels = np.empty((spec.height, spec.width, 3), np.uint8)
    wh = (spec.width, spec.height)
    prepare_frame(picture, input_wh=wh, mode=spec.mode, pad_value=spec.pad_value, color=spec.color, out=pixels)
    values = pixels.astype(np.float32)
    if spec.datatype == "FP32":
        factor, shift = factor_and_shift(spec)
        values = values * factor - shift
    return values[None] if spec.layout == "NHWC" else values.transpose(2, 0, 1)[None]


def _picture() -> bytes:
    """A BMP whose rows, columns and channels all differ."""
    width, height = _PICTURE_WH
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [(columns * 5 + rows) % 256, (rows * 7 + columns * columns // 9) % 256, (rows * columns) % 256]
    pixels: bytes = np.stack(channels, axis=-1).astype(np.uint8).tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


def _jpeg() -> bytes:
    """A JPEG in colour without sharp edges, for which decoders agree."""
    width, height = _PICTURE_WH
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([columns * 5, rows * 7, 255 - columns * 3], axis=-1).clip(0, 255).astype(np.uint8)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=95, colorsubsampling="444"))
