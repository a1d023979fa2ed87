"""A GPU whose memory is the machine's."""

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from gateway.device_output import RawOutput, SelectionOptions
from gateway.errors import DeviceMemoryFull
from vision.heads import candidates_of
from vision.nms import select_detections


class FakeSharingDevice:
    """Implements ``SharingDevice``.

    Args:
        events: Told what is allocated and freed.
    """

    ordinal = 3

    def __init__(self, events: list[str] | None = None) -> None:
        self.events: list[str] = [] if events is None else events
        self.allocated: list[NDArray[np.uint8]] = []
        self.full = False
        self.error: Exception | None = None

    def allocate(self, size_bytes: int) -> NDArray[np.uint8]:
        if self.full:
            raise DeviceMemoryFull(size_bytes, 1000)
        self.allocated.append(np.zeros(size_bytes, np.uint8))
        self.events.append("allocated")
        return self.allocated[-1]

    def ipc_handle(self, values: Any) -> bytes:
        if self.error is not None:
            raise self.error
        return bytes(64)

    def free_unused(self) -> None:
        self.events.append("freed")
        if self.error is not None:
            raise self.error


class FakeOutputReader:
    """Implements ``OutputReader``."""

    def __init__(self) -> None:
        self.expected: list[RawOutput] = []

    def expect(self, kind: RawOutput) -> None:
        self.expected.append(kind)

    def output(self, values: NDArray[np.float32], kind: RawOutput) -> "FakeDeviceOutput":
        return FakeDeviceOutput(values, kind)


class FakeDeviceOutput:
    """Implements ``DeviceOutput``."""

    def __init__(self, values: NDArray[np.float32], kind: RawOutput) -> None:
        self.values = values
        self.kind = kind
        self.selected = 0

    def to_host(self) -> NDArray[np.float32]:
        return self.values.copy()

    def select(self, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        self.selected += 1
        return select_detections(candidates_of(self.values, self.kind.layout), **options)
