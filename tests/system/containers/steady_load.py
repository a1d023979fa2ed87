"""Stock clients that send frames all the time, compare each answer, and note each failure."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import tritonclient.grpc
import tritonclient.http
from geventhttpclient.response import HTTPParseError
from tritonclient.utils import InferenceServerException

from tests.system.gateway_process import wait_for
from tests.system.test_serving import frames_input

OUTPUTS = ("num_detections", "boxes", "scores", "classes")
_PAUSE_SECONDS = 0.02
_CLEAR = {"grpc": {"StatusCode.UNAVAILABLE", "StatusCode.RESOURCE_EXHAUSTED"}, "http": {"503", "429"}}

Detections = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without detections."""

    transport: str
    code: str
    message: str
    at_seconds: float

    @property
    def is_clear(self) -> bool:
        """Whether the gateway says that it cannot answer now, and why."""
        return self.code in _CLEAR[self.transport] and len(self.message) > 10

    @property
    def is_no_connection(self) -> bool:
        """Whether nobody was there to answer, or went away meanwhile."""
        return self.code in {"connection", "StatusCode.UNAVAILABLE"}


def detect(module: Any, client: Any, model: str, frame: bytes, headers: dict[str, str] | None = None) -> Detections:
    """What a stock client gets for a frame."""
    outputs = [module.InferRequestedOutput(name) for name in OUTPUTS]
    answer = client.infer(model, [frames_input(module, frame)], outputs=outputs, headers=headers)
    return {name: answer.as_numpy(name).tolist() for name in OUTPUTS}


@dataclass
class SteadyLoad:
    """One client for gRPC and one for HTTP, each in a thread.

    Args:
        grpc_address: ``host:port``.
        http_address: ``host:port``.
        model: The alias.
        expected: Detections for each frame.
    """

    grpc_address: str
    http_address: str
    model: str
    expected: Mapping[bytes, Detections]
    failures: list[Failure] = field(default_factory=list)
    wrong: list[tuple[str, Detections, Detections]] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=lambda: {"grpc": 0, "http": 0})
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=self._run, args=("grpc", tritonclient.grpc, self._grpc_client)),
            threading.Thread(target=self._run, args=("http", tritonclient.http, self._http_client)),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _grpc_client(self) -> tritonclient.grpc.InferenceServerClient:
        return tritonclient.grpc.InferenceServerClient(self.grpc_address)

    def _http_client(self) -> tritonclient.http.InferenceServerClient:
        return tritonclient.http.InferenceServerClient(self.http_address, connection_timeout=5, network_timeout=30)

    def _run(self, transport: str, module: Any, connect: Callable[[], Any]) -> None:
        client = connect()
        frames = list(self.expected.items())
        sent = 0
        while not self._stop.is_set():
            frame, expected = frames[sent % len(frames)]
            sent += 1
            failure = self._ask(transport, module, client, frame, expected)
            if failure is not None:
                self.failures.append(failure)
                client.close()
                time.sleep(_PAUSE_SECONDS)
                client = connect()  # a client that lost its server waits longer and longer before it tries again
        client.close()

    def _ask(self, transport: str, module: Any, client: Any, frame: bytes, expected: Detections) -> Failure | None:
        try:
            found = detect(module, client, self.model, frame)
        except InferenceServerException as error:
            return Failure(transport, str(error.status()), error.message(), time.monotonic())
        except (OSError, HTTPParseError) as error:
            return Failure(transport, "connection", str(error), time.monotonic())
        if found != expected:
            self.wrong.append((transport, expected, found))
        self.answered[transport] += 1
        return None

    def after_kills(self, victim: str, seconds: list[float]) -> dict[str, Any]:
        """For the report: who was killed, after how many seconds each time all was well again, what callers saw."""
        failures = Counter(f"{failure.transport} {failure.code}" for failure in self.failures)
        seen = {"answered": sum(self.answered.values()), "wrong": len(self.wrong), "failures": dict(failures)}
        return {"victim": victim, "seconds": seconds} | seen

    def wait_for_answers(self, count: int = 20, timeout_seconds: float = 60.0) -> float:
        """Wait until each client got so many more answers; returns the seconds that it took."""
        goals = {transport: answered + count for transport, answered in self.answered.items()}

        def reached() -> bool:
            return all(self.answered[transport] >= goal for transport, goal in goals.items())

        return wait_for(reached, timeout_seconds, lambda: str(self.failures[-5:]))
