import http.server
import threading
from collections.abc import Iterator

import pytest

from containers.health_check import main
from gateway.listeners import free_port


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 503)
        self.end_headers()
        self.wfile.write(b"parts: model.onnx differs from the manifest\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of the base class
        del format, args


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_only_200_is_healthy_and_else_the_answer_is_shown(port: int) -> None:
    assert main(port, "/well") == ""
    assert "503" in main(port, "/ill")
    assert "parts: model.onnx differs from the manifest" in main(port, "/ill")


def test_nobody_is_not_healthy() -> None:
    port = free_port()
    assert main(port, "/well").startswith(f"port {port} does not answer: ")
