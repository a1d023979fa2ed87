"""JPEGs decoded on the GPU by nvImageCodec, in its hardware where it has some."""

import logging
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

_LOG = logging.getLogger(__name__)


class JpegDecoder:
    """``DeviceDecoder`` of nvImageCodec; each thread has its own.

    Args:
        ordinal: The GPU, as CUDA counts them here; None decodes by the library's CPU decoders.
    """

    def __init__(self, ordinal: int | None) -> None:
        self._library: Any = import_module("nvidia.nvimgcodec")
        kinds, on_cpu = self._library.BackendKind, ordinal is None
        wanted = (kinds.CPU_ONLY,) if on_cpu else (kinds.HW_GPU_ONLY, kinds.GPU_ONLY, kinds.HYBRID_CPU_GPU)
        backends = [self._library.Backend(kind) for kind in wanted]
        device_id = self._library.NVIMGCODEC_DEVICE_CPU_ONLY if on_cpu else ordinal
        self._as_array = np.asarray if on_cpu else _as_cuda_array
        self._decoder = self._library.Decoder(device_id=device_id, backends=backends)
        self._params = self._library.DecodeParams(
            apply_exif_orientation=False,
            color_spec=self._library.ColorSpec.SRGB,
            sample_format=self._library.SampleFormat.I_RGB,
        )

    def decode(self, jpegs: Sequence[bytes], stream: Any) -> list[Any | None]:
        """Decode several JPEGs, each as stored.

        Args:
            jpegs: Their bytes.
            stream: Where what follows is enqueued; 0 where there is none.

        Returns:
            For each, uint8 (height, width, 3) as RGB, on the GPU unless the CPU decodes; None for one that cannot be
            decoded.
        """
        found: list[Any | None] = [None] * len(jpegs)
        sources, places = [], []
        for place, jpeg in enumerate(jpegs):
            try:
                sources.append(self._library.CodeStream(jpeg))
            except RuntimeError as error:
                _LOG.debug("no stream for nvImageCodec", extra={"reason": str(error)})
            else:
                places.append(place)
        if not sources:
            return found
        try:
            pictures = self._decoder.decode(sources, params=self._params, cuda_stream=_handle(stream))
        except RuntimeError as error:
            _LOG.warning("nvImageCodec does not decode; the CPU does", extra={"reason": str(error)})
            return found
        for place, picture in zip(places, pictures, strict=True):
            found[place] = None if picture is None else self._as_array(picture)
        return found


def why_no_jpeg_decoder() -> str:
    """What is missing to decode on the GPU; empty where nothing is."""
    if find_spec("nvidia") is None or find_spec("nvidia.nvimgcodec") is None:
        return "nvImageCodec is not installed"
    return ""


def _as_cuda_array(picture: Any) -> Any:
    from numba import cuda  # noqa: PLC0415 - not needed where the CPU decodes

    return cuda.as_cuda_array(picture)


def _handle(stream: Any) -> int:
    return int(stream) if hasattr(stream, "__int__") else 0  # the simulator's streams have no handle
