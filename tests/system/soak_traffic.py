"""Some clients at once that send requests of every kind to one gateway."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable

from tritonclient.utils import InferenceServerException

from tests.system.gateway_process import GatewayProcess
from tests.system.known_frame import KnownFrame
from tests.system.soak_client import SoakClient

CLIENTS = 4
_SIZES = ((160, 120), (320, 240), (640, 480), (64, 48))
_LEVELS = range(64, 256, 16)
_ORDER = (
    "grpc_frame",
    "http_frames",
    "detect",
    "grpc_frame",
    "tensor",
    "half_a_picture",
    "http_frames",
    "detect",
    "unknown_model",
    "too_short_a_deadline",
)


class SoakTraffic:
    """Some callers at once, for a number of requests in all.

    Args:
        gateway: That serves the small builds.
        requests: How many.
        report: Told the number of requests done, a hundred times.
    """

    def __init__(self, gateway: GatewayProcess, requests: int, report: Callable[[int], None]) -> None:
        self._gateway = gateway
        self._numbers = iter(range(requests))
        self._every = max(1, requests // 100)
        self._report = report
        self._lock = threading.Lock()
        self._done = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.broken: list[BaseException] = []
        self.seconds = 0.0

    def run(self) -> None:
        began_at = time.monotonic()
        threads = [threading.Thread(target=self._call, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.monotonic() - began_at

    def _call(self, number: int) -> None:
        frames = [KnownFrame(level, *_SIZES[index % len(_SIZES)]) for index, level in enumerate(_LEVELS)]
        client = SoakClient(self._gateway, itertools.cycle(frames[number:] + frames[:number]))
        try:
            while (request := self._next()) is not None:
                kind = _ORDER[request % len(_ORDER)]
                self._count(kind, _outcome_of(getattr(client, kind)))
        except Exception as error:  # noqa: BLE001 - a thread's end is the test's to report
            self.broken.append(error)
        finally:
            client.close()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _count(self, kind: str, outcome: str) -> None:
        with self._lock:
            self.outcomes[kind, outcome] += 1
            self._done += 1
            if self._done % self._every == 0:
                self._report(self._done)


def _outcome_of(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except InferenceServerException as error:
        return str(error.status())
    except OSError as error:
        return type(error).__name__
