"""CPU time and memory from a process file system written down here, and from the real one."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.load.cpu_meter import OTHER, CpuMeter
from gateway.load.listening_process import gateway_root, listener_of
from gateway.load.load_window import LoadWindow
from gateway.load.process_cpu import (
    BACKEND,
    TRITON,
    ProcessReading,
    cpu_ms_per_image,
    cpu_seconds_by_role,
    descendants,
    host_busy_seconds,
    read_tree,
    rss_bytes_by_role,
)
from gateway.load.sustained_load import cpu_mhz

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def add_process(
    proc: Path, pid: int, parent: int, command: str, *, name: str = "python", user: int = 0, pages: int = 0
) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    fields = ["S", str(parent), *["0"] * 9, str(user), "0", *["0"] * 8, str(pages), "0"]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (folder / "cmdline").write_bytes(command.replace(" ", "\0").encode() + b"\0")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    add_process(tmp_path, 1, 0, "init")
    add_process(tmp_path, 10, 1, "/venv/bin/python /venv/bin/outpost-gateway serve", user=2 * TICKS, pages=100)
    add_process(tmp_path, 11, 10, "/venv/bin/python -m gateway worker", user=TICKS, pages=50)
    add_process(tmp_path, 12, 10, "/lib/bin/tritonserver --http-port 0", user=TICKS // 2, pages=10)
    add_process(
        tmp_path, 13, 12, "/lib/python/triton_python_backend_stub /m", name="triton (py) b", user=3 * TICKS, pages=7
    )
    add_process(tmp_path, 20, 1, "/usr/bin/other", user=9 * TICKS)
    (tmp_path / "stat").write_text(f"cpu  {TICKS} {TICKS} {TICKS} 5000 70 {TICKS} {TICKS} 0 0 0\ncpu0 1 1 1 1\n")
    return tmp_path


def test_a_tree_is_read_by_role(proc: Path) -> None:
    readings = read_tree(10, "gateway", proc)

    assert {reading.pid: reading.role for reading in readings} == {
        10: "gateway",
        11: "gateway",
        12: TRITON,
        13: BACKEND,
    }
    assert {reading.pid: reading.cpu_seconds for reading in readings} == {10: 2.0, 11: 1.0, 12: 0.5, 13: 3.0}
    assert rss_bytes_by_role(readings) == {"gateway": 150 * PAGE, TRITON: 10 * PAGE, BACKEND: 7 * PAGE}


def test_a_process_that_is_gone_reads_as_nothing(proc: Path) -> None:
    assert read_tree(99, "gateway", proc) == ()


def test_cpu_between_two_readings() -> None:
    before = [ProcessReading(1, "gateway", 10.0, 0), ProcessReading(2, "backend", 5.0, 0)]
    after = [
        ProcessReading(1, "gateway", 10.5, 0),
        ProcessReading(3, "backend", 0.25, 0),  # started in between
        ProcessReading(4, "gateway", 0.5, 0),
    ]

    spent = cpu_seconds_by_role(before, after)

    assert spent == {"gateway": 1.0, "backend": 0.25}
    assert cpu_ms_per_image(spent, 100) == {"gateway": 10.0, "backend": 2.5}
    assert cpu_ms_per_image(spent, 0) == {}


def test_busy_time_of_the_host_leaves_out_idle_and_waiting(proc: Path) -> None:
    assert host_busy_seconds(proc) == pytest.approx(5.0)


def test_the_root_of_a_worker_is_its_supervisor(proc: Path) -> None:
    (proc / "net").mkdir()
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   0: 0100007F:1F41 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"
    (proc / "net" / "tcp").write_text(header + line.format(state="0A", inode=777) + line.format(state="01", inode=555))
    (proc / "11" / "fd").mkdir()
    (proc / "11" / "fd" / "5").symlink_to("socket:[777]")

    assert listener_of(8001, proc) == 11
    assert gateway_root(8001, proc) == 10
    assert gateway_root(8000, proc) is None


def test_a_shell_that_mentions_the_gateway_is_not_part_of_it(proc: Path) -> None:
    add_process(proc, 30, 1, "bash -c outpost-gateway")
    add_process(proc, 31, 30, "/venv/bin/python /venv/bin/outpost-gateway serve")
    (proc / "net").mkdir()
    line = "   0: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 888 1\n"
    (proc / "net" / "tcp").write_text("header\n" + line)
    (proc / "31" / "fd").mkdir()
    (proc / "31" / "fd" / "5").symlink_to("socket:[888]")

    assert gateway_root(8001, proc) == 31


def test_mean_clock_of_the_cores(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("cpu MHz\t\t: 2000.0\nflags: x\ncpu MHz\t\t: 3000.000\n")
    assert cpu_mhz(tmp_path) == 2500.0

    (tmp_path / "cpuinfo").write_text("processor: 0\n")
    assert cpu_mhz(tmp_path) is None


def test_a_real_listener_is_found() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert listener_of(listening.getsockname()[1]) == os.getpid()


@pytest.fixture
def busy_child() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        yield child.pid
        child.kill()


async def test_a_real_child_that_computes_is_metered(busy_child: int) -> None:
    assert busy_child in descendants(os.getpid())

    spent = await CpuMeter({"child": busy_child}).watch(LoadWindow.after(time.perf_counter(), 0.0, 0.5))

    assert 0.01 <= spent["child"] <= 2.0
    assert spent[OTHER] >= 0.0
