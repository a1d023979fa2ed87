"""The gateway's command stands in as a script where it is to fail; `test_evaluate` runs the real one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from model_compiler.evaluation.errors import FrameNotAnswered, GatewayFailed, GatewayNotInstalled
from model_compiler.evaluation.gateway_client import GatewayClient
from model_compiler.evaluation.gateway_process import find_command, running_gateway


def script(folder: Path, text: str) -> Path:
    path = folder / "outpost-gateway"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


def test_a_gateway_that_ends_tells_its_last_words(tmp_path: Path) -> None:
    command = script(tmp_path, "import sys\nprint('Triton is not installed: pip install it')\nsys.exit(2)\n")
    said = r"ended with code 2 .*\n.*Triton is not installed: pip install it"
    with pytest.raises(GatewayFailed, match=said), running_gateway(command):
        pass


def test_no_gateway(tmp_path: Path) -> None:
    said = r"outpost-gateway is neither in .* pip install 'outpost\[gateway"
    with pytest.raises(GatewayNotInstalled, match=said):
        find_command(tmp_path, "")
    command = script(tmp_path, "")
    assert find_command(tmp_path, "") == find_command(tmp_path / "other", str(tmp_path)) == command


def test_settings_of_the_operator_do_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPOST_GATEWAY_WORKERS", "7")
    text = "import os, sys\nprint(sorted(n for n in os.environ if n.startswith('OUTPOST_GATEWAY_')))\nsys.exit(1)\n"
    with pytest.raises(GatewayFailed) as failed, running_gateway(script(tmp_path, text)):
        pass
    assert "OUTPOST_GATEWAY_WORKERS" not in failed.value.log_tail
    assert "OUTPOST_GATEWAY_STATE_DIR" in failed.value.log_tail


STUBBORN = """
import json, os, signal, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_DFL)
Path(os.environ["OUTPOST_GATEWAY_STATE_DIR"], "..", "..", sys.argv[0] + ".state").resolve().write_text(
    os.environ["OUTPOST_GATEWAY_STATE_DIR"])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

class Admin(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"triton": {"up": True}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

HTTPServer(("127.0.0.1", int(os.environ["OUTPOST_GATEWAY_ADMIN_PORT"])), Admin).serve_forever()
"""


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """A gateway that leaves a child: neither, nor the folder, outlives the block."""
    seen: list[psutil.Process] = []

    def interrupted() -> None:
        with running_gateway(script(tmp_path, STUBBORN)) as gateway:
            root = psutil.Process(gateway.pid)
            seen.extend([root, *root.children(recursive=True)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(seen) == 2
    until = time.monotonic() + 5
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in seen):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not Path((tmp_path / "outpost-gateway.state").read_text()).exists()


HOLDING = """
import sys, time
from pathlib import Path
from model_compiler.evaluation.gateway_process import running_gateway

with running_gateway(Path(sys.argv[1])) as gateway:
    print(gateway.pid, flush=True)
    time.sleep(600)
"""


def test_kill_9_of_the_compiler_ends_the_gateway(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(script(tmp_path, STUBBORN))]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout is not None
        gateway = psutil.Process(int(holder.stdout.readline()))
        children = gateway.children(recursive=True)
        holder.kill()
        gateway.wait(5)
    for child in children:  # the stand-in does not end its own, as a gateway does
        child.kill()


def test_nobody_answers() -> None:
    client = GatewayClient("127.0.0.1:9", "defects")
    with pytest.raises(GatewayFailed, match=r"no answer to frame a\.jpg"):
        client.ask(b"", "a.jpg")


def test_errors_name_the_frame() -> None:
    assert str(FrameNotAnswered("int8", "a.jpg", "HTTP 400: no picture")) == "int8, frame a.jpg: HTTP 400: no picture"
    assert os.sep not in str(GatewayFailed("it ended", ""))
