"""A decoder on the GPU, played by the CPU's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray


class FakeJpegDecoder:
    """Implements ``DeviceDecoder``.

    Args:
        refuses: Cannot decode frames that contain this.
    """

    def __init__(self, refuses: bytes | None = None) -> None:
        self.refuses = refuses
        self.batches: list[int] = []

    def decode(self, jpegs: Sequence[bytes], stream: Any) -> list[NDArray[np.uint8] | None]:
        self.batches.append(len(jpegs))
        return [self._decode(jpeg) for jpeg in jpegs]

    def _decode(self, jpeg: bytes) -> NDArray[np.uint8] | None:
        if self.refuses is not None and self.refuses in jpeg:
            return None
        try:
            return np.ascontiguousarray(simplejpeg.decode_jpeg(jpeg, "rgb", strict=True))
        except ValueError:
            return None
