import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from gateway.supervision.child_processes import ChildProcess
from gateway.supervision.replaced_instances import ReplacedInstances, serving_generation

MODEL = "defects-1.0.0_x86-cpu"


class FakeTriton:
    """Processes and generations as a test sets them."""

    def __init__(self) -> None:
        self.states: dict[int, str] = {1: "S", 2: "S"}
        self.generation = "first"
        self.seconds = 0.0
        self.ended: list[int] = []
        self.why_dead = ""
        self.replaced = ReplacedInstances(
            self.stubs, lambda _: self.generation, self.ended.append, lambda: self.seconds, lambda: self.why_dead
        )

    def stubs(self) -> tuple[ChildProcess, ...]:
        command = ("/b/triton_python_backend_stub", f"/state/repository/{MODEL}/1/model.onnx")
        return tuple(ChildProcess(pid, state, () if state == "Z" else command) for pid, state in self.states.items())

    def look_at(self, seconds: float) -> list[int]:
        self.seconds = seconds
        self.replaced.look()
        return self.ended


@pytest.fixture
def triton() -> FakeTriton:
    fake = FakeTriton()
    fake.look_at(0.0)
    return fake


def test_the_rest_of_a_set_is_ended_a_while_after_another_load_serves(triton: FakeTriton) -> None:
    triton.states[1] = "Z"
    assert triton.look_at(1.0) == []
    triton.states |= {3: "S", 4: "S"}
    assert triton.look_at(2.0) == []
    triton.generation = "second"
    assert triton.look_at(3.0) == []
    assert triton.look_at(4.9) == []
    assert triton.look_at(5.0) == [2]
    triton.states[2] = "Z"
    assert triton.look_at(6.0) == [2]


def test_the_next_loss_is_seen_to_as_well(triton: FakeTriton) -> None:
    triton.states[1] = "Z"
    triton.look_at(1.0)
    triton.generation = "second"
    triton.states |= {3: "S", 4: "S"}
    triton.look_at(2.0)
    assert triton.look_at(4.0) == [2]
    triton.states[2] = triton.states[3] = "Z"
    triton.look_at(5.0)
    triton.generation = "third"
    triton.look_at(6.0)
    assert triton.look_at(8.0) == [2, 4]


def test_a_new_set_may_lose_one_before_the_old_set_is_gone(triton: FakeTriton) -> None:
    triton.states[1] = "Z"
    triton.look_at(1.0)
    triton.generation = "second"
    triton.states |= {3: "S", 4: "S"}
    triton.look_at(2.0)
    triton.states[3] = "Z"
    assert triton.look_at(3.0) == [2]
    triton.states[2] = "Z"
    triton.generation = "third"
    triton.look_at(4.0)
    assert triton.look_at(6.0) == [2, 4]


def test_a_set_that_serves_is_left_alone_while_triton_does_not_say_or_nothing_was_loaded(triton: FakeTriton) -> None:
    triton.states[1] = "Z"
    triton.look_at(1.0)
    assert triton.look_at(30.0) == []
    triton.generation = ""
    assert triton.look_at(60.0) == []


def test_a_load_of_a_set_without_a_dead_process_is_tritons_own_affair(triton: FakeTriton) -> None:
    triton.generation = "second"
    triton.states |= {3: "S", 4: "S"}
    triton.look_at(1.0)
    assert triton.look_at(10.0) == []


def test_a_stopped_process_is_ended_at_once(triton: FakeTriton) -> None:
    triton.states[2] = "T"
    assert triton.look_at(1.0) == [2]


def test_each_loss_is_said_and_why_where_that_is_known(triton: FakeTriton, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "gateway.supervision.replaced_instances"):
        triton.states[1] = "Z"
        triton.look_at(1.0)
        triton.why_dead = "killed for lack of memory"
        triton.states[2] = "Z"
        triton.look_at(2.0)
    assert [(record.getMessage(), vars(record)["build"], vars(record)["reason"]) for record in caplog.records] == [
        ("an instance was lost", MODEL, "backend process 1 died"),
        ("an instance was lost", MODEL, "backend process 2 died: killed for lack of memory"),
    ]


def test_a_stopped_process_did_not_lack_memory(triton: FakeTriton, caplog: pytest.LogCaptureFixture) -> None:
    triton.why_dead = "killed for lack of memory"
    triton.states[2] = "T"
    with caplog.at_level(logging.WARNING, "gateway.supervision.replaced_instances"):
        triton.look_at(1.0)
    assert [vars(record)["reason"] for record in caplog.records] == ["backend process 2 was stopped"]


class _Config(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == f"/v2/models/{MODEL}/config"
        self.send_response(200 if known else 400)
        self.end_headers()
        config = {"parameters": {"outpost_generation": {"string_value": "5eed"}}}
        self.wfile.write(json.dumps(config if known else {"error": "unknown model"}).encode())

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing."""


@pytest.fixture
def http_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Config) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_mark_of_a_load_is_read_from_tritons_config(http_url: str) -> None:
    assert serving_generation(http_url, MODEL) == "5eed"
    assert serving_generation(http_url, "unknown") == ""
    assert serving_generation("http://127.0.0.1:1", MODEL) == ""
