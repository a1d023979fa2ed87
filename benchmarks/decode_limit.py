"""How many frames a second nvImageCodec decodes, when nothing else is done with them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, Protocol

from numba import config as numba_config
from numba import cuda

from gateway.cuda.device import CudaDevice
from gateway.cuda.jpeg_decoder import JpegDecoder, why_no_jpeg_decoder

BATCHES = (8, 32)


class BatchDecoder(Protocol):
    """Decodes JPEGs."""

    def decode(self, jpegs: Sequence[bytes], stream: Any) -> list[Any | None]:
        """Each picture; None for one that cannot be decoded."""
        ...


def why_no_decoder() -> str:
    """Why the limit is not known; empty where it can be measured."""
    if numba_config.ENABLE_CUDASIM or not cuda.is_available():
        return "there is no GPU"
    return why_no_jpeg_decoder()


def decode_rates(
    frames: Mapping[tuple[int, int], Sequence[bytes]], *, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """Images per second for each size of frames and of batches; nothing where there is no decoder.

    Args:
        frames: JPEGs by their size.
        rounds: The median counts.
        seconds: Of each round.
    """
    if why_no_decoder():
        return []
    device, decoder = CudaDevice(0), JpegDecoder(0)
    stream = device.create_stream()
    with device.in_use("decode"):
        return [
            {"frame_wh": size_wh, "batch": batch, **rate(decoder, stream, jpegs, batch, rounds=rounds, seconds=seconds)}
            for size_wh, jpegs in frames.items()
            for batch in BATCHES
        ]


def rate(
    decoder: BatchDecoder,
    stream: Any,
    jpegs: Sequence[bytes],
    batch: int,
    *,
    rounds: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """The median of a few rounds, and all of them.

    Args:
        decoder: Whose rate it is.
        stream: Where it works; waited for after each batch.
        jpegs: Taken in turn.
        batch: So many at one time.
        rounds: How many.
        seconds: Of each round.
        clock: Monotonic seconds.

    Raises:
        ValueError: A picture is not decoded.
    """
    pictures = list(islice(cycle(jpegs), batch))
    if any(picture is None for picture in decoder.decode(pictures, stream)):  # it also compiles and takes its memory
        raise ValueError("the decoder does not take these JPEGs")
    rates = []
    for _ in range(rounds):
        began_at, decoded = clock(), 0
        while clock() - began_at < seconds:
            decoder.decode(pictures, stream)
            stream.synchronize()
            decoded += batch
        rates.append(decoded / (clock() - began_at))
    return {"images_per_second": statistics.median(rates), "images_per_second_of_rounds": rates}
