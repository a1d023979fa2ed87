"""When a Triton counts as hanging, at a time of the test's own; and the real question over HTTP."""

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from gateway.supervision.liveness_watch import LivenessWatch, answers


class FakeTriton:
    """Answers at the given seconds; each question takes one."""

    def __init__(self, *live_at: range) -> None:
        self.live_at = live_at
        self.seconds = 0.0

    def answers(self) -> bool:
        self.seconds += 1.0
        return any(int(self.seconds) in span for span in self.live_at)

    async def hangs_after(self) -> float:
        watch = LivenessWatch(self.answers, 0.0, lambda: self.seconds)
        await watch.wait_until_hanging()
        return self.seconds


async def test_one_that_has_answered_hangs_after_20_seconds_without_an_answer() -> None:
    assert await FakeTriton(range(1, 100)).hangs_after() == 99 + 20


async def test_its_start_may_take_60_seconds() -> None:
    assert await FakeTriton(range(59, 100)).hangs_after() == 99 + 20
    assert await FakeTriton().hangs_after() == 60


async def test_pauses_of_19_seconds_are_none() -> None:
    assert await FakeTriton(range(1, 10), range(28, 29), range(47, 48)).hangs_after() == 47 + 20


class _NotLive(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(400)
        self.end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _NotLive) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_any_answer_is_one_and_no_proxy_is_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert answers("127.0.0.1", port)


def test_one_that_takes_the_connection_and_is_silent_does_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert not answers(*silent.getsockname())
    assert not answers("127.0.0.1", 1)
