"""The real command ``outpost-agent metrics`` on this machine, in a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device_agent.sensors.families import FAMILIES
from tests.device_agent.exposition import parse

REPOSITORY = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "device_agent", "metrics"]


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@contextmanager
def running_agent(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and where its metrics are."""
    with subprocess.Popen(
        [*COMMAND, "--metrics-port", "0", *arguments], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        assert line["message"] == "agent serves"
        try:
            yield process, line["metrics"]
        finally:
            process.kill()


def ended(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=REPOSITORY,
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def get(address: str) -> tuple[str, str]:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def test_this_machine_is_scraped_over_http(tmp_path: Path) -> None:
    with running_agent("--state-dir", str(tmp_path)) as (_, address):
        text, content_type = get(address)
        assert content_type.startswith("text/plain")
        values = parse(text)
        later = parse(get(address)[0])
        assert get(address.replace("/metrics", "/health/live"))[0] == "live\n"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(address.replace("/metrics", "/other"))
    cores = {labels for name, labels in values if name == "cpu_seconds_total"}
    assert len(cores) == 8 * (os.cpu_count() or 0)
    assert sum(later[("cpu_seconds_total", core)] for core in cores) >= sum(
        values["cpu_seconds_total", core] for core in cores
    )
    assert 0 < values["memory_available_bytes", ()] < values["memory_size_bytes", ()]
    assert 0 < values["filesystem_free_bytes", ("state",)] < values["filesystem_size_bytes", ("state",)]
    assert any(name == "network_received_bytes_total" for name, _ in values)
    known = {family.name.removeprefix("outpost_device_") for family in FAMILIES}
    assert {name for name, _ in values} <= known


def test_sigterm_ends_it_within_a_second_with_a_client_that_says_nothing() -> None:
    with running_agent() as (process, address):
        host, _, port = address.removeprefix("http://").removesuffix("/metrics").partition(":")
        with socket.create_connection((host, int(port))):
            get(address)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
            assert time.monotonic() - began < 1


def test_it_listens_on_loopback_only_unless_told_otherwise() -> None:
    with running_agent() as (_, address):
        assert address.startswith("http://127.0.0.1:")


@pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 here")
def test_it_listens_at_an_address_of_ipv6() -> None:
    with running_agent("--metrics-host", "::1") as (_, address):
        assert address.startswith("http://[::1]:")
        assert "outpost_device_memory_size_bytes" in get(address)[0]


def test_once_prints_and_ends() -> None:
    result = ended("--once")
    assert result.returncode == 0
    assert ("memory_size_bytes", ()) in parse(result.stdout)


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = ended(OUTPOST_AGENT_METRICS_PORT=str(port))
    assert result.returncode == 2
    assert re.fullmatch(rf"outpost-agent: metrics_port 127.0.0.1:{port} cannot be opened: .*\n", result.stderr)


@pytest.mark.parametrize("make", [True, False])
def test_a_root_without_a_machine_is_one_sentence(make: bool, tmp_path: Path) -> None:
    root = tmp_path / "host"
    if make:
        root.mkdir()
    result = ended("--once", "--host-root", str(root))
    assert result.returncode == 2
    assert result.stderr.startswith(f"outpost-agent: the machine cannot be read below {root}: ")
    assert result.stderr.count("\n") == 1


def test_a_wrong_setting_names_its_flag_and_variable() -> None:
    result = ended(OUTPOST_AGENT_READ_TIMEOUT_SECONDS="0")
    assert result.returncode == 2
    assert result.stderr.startswith("--read-timeout-seconds (OUTPOST_AGENT_READ_TIMEOUT_SECONDS): ")


@pytest.mark.parts
def test_prometheus_takes_the_names_and_the_guides_questions(tmp_path: Path) -> None:
    subprocess.run(["promtool", "check", "metrics"], input=ended("--once").stdout, text=True, check=True)
    guide = (REPOSITORY / "docs/guides/device-metrics.md").read_text()
    lines = guide.partition("## Useful questions")[2].split("```")[1].splitlines()
    rules = [{"record": f"asked:{n}", "expr": line} for n, line in enumerate(lines) if line and line[0] != "#"]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "guide", "rules": rules}]}))
    subprocess.run(["promtool", "check", "rules", str(file)], check=True)


def test_the_guide_names_every_metric_with_its_labels() -> None:
    guide = (REPOSITORY / "docs/guides/device-metrics.md").read_text()
    rows = re.findall(r"(?m)^\| `(outpost_device_\w+)` \| (\w+)(?:; ([^|]*))? \|", guide)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert told == {family.name: (family.kind, family.labels) for family in FAMILIES}
