"""A GPU whose memory is the machine's."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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

    @contextmanager
    def freeing(self) -> Iterator[None]:
        self.events.append("freed")
        if self.error is not None:
            raise self.error
        yield


class FakeOutputReader:
    """Implements ``OutputReader``."""

    def __init__(self) -> None:
        self.expected: Collection[RawOutput] = ()
        self.region = ""
        self.may_read = threading.Event()
        self.may_read.set()
        self.threads: set[int] = set()
        self.error: Exception | None = None

    def expect(self, region: str, kinds: Collection[RawOutput]) -> None:
        self.region, self.expected = region, kinds

    def forget(self, region: str) -> None:
        if region == self.region:
            self.expected = ()

    def output(self, values: NDArray[np.uint8], begin: int, kind: RawOutput) -> "FakeDeviceOutput":
        part = values[begin : begin + kind.size_bytes].view(np.float32).reshape(kind.shape)
        return FakeDeviceOutput(self, part, kind)


class FakeDeviceOutput:
    """Implements ``DeviceOutput``; notes in which threads outputs are read, and fails where the reader has an error."""

    def __init__(self, reader: FakeOutputReader, values: NDArray[np.float32], kind: RawOutput) -> None:
        self.reader = reader
        self.values = values
        self.kind = kind

    def to_host(self) -> NDArray[np.float32]:
        self.reader.threads.add(threading.get_ident())
        self.reader.may_read.wait(20)
        if self.reader.error is not None:
            raise self.reader.error
        return self.values.copy()

    def select(self, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        self.to_host()
        return select_detections(candidates_of(self.values, self.kind.layout), **options)
