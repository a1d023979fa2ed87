"""What the kernel's counters say of killed processes, for both versions of control groups."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.supervision.memory_kills import MemoryKills, for_lack_of_memory, killed, limit_bytes
from tests.gateway.test_cores import write

UNIFIED = {"proc/self/cgroup": "0::/\n"}
V1 = {"proc/self/cgroup": "9:name=systemd:/\n4:memory:/docker/abc\n1:cpu:/docker/abc\n0::/docker/abc\n"}
EVENTS = "low 0\nhigh 0\nmax 41\noom {1}\noom_kill {0}\noom_group_kill 0\n"
LIMIT = 1000000
MACHINE = 4096000
OOM_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


@pytest.mark.parametrize(
    ("files", "kills", "limit"),
    [
        ({}, 0, None),
        (UNIFIED, 0, None),
        (UNIFIED | {"sys/fs/cgroup/memory.events": EVENTS.format(2, 3), "sys/fs/cgroup/memory.max": "max\n"}, 2, None),
        (UNIFIED | {"sys/fs/cgroup/memory.events": EVENTS.format(2, 3), "sys/fs/cgroup/memory.max": "4096\n"}, 2, 4096),
        (UNIFIED | {"sys/fs/cgroup/memory.events": "damage", "sys/fs/cgroup/memory.max": "damage"}, 0, None),
        (UNIFIED | {"sys/fs/cgroup/memory.events": "low 0\noom 3\n"}, 0, None),
        (
            V1
            | {
                "sys/fs/cgroup/memory/memory.oom_control": OOM_CONTROL.format(1),
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "8589934592\n",
            },
            1,
            8589934592,
        ),
        (V1 | {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0, None),
    ],
)
def test_both_versions_are_read(tmp_path: Path, files: Mapping[str, str], kills: int, limit: int | None) -> None:
    write(tmp_path, files)
    assert (killed(tmp_path), limit_bytes(tmp_path)) == (kills, limit)


def test_the_own_group_counts_and_the_tightest_limit_holds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/edge.slice/triton.service\n",
        "sys/fs/cgroup/edge.slice/memory.events": EVENTS.format(7, 7),
        "sys/fs/cgroup/edge.slice/memory.max": "1000000\n",
        "sys/fs/cgroup/edge.slice/triton.service/memory.events": EVENTS.format(2, 2),
        "sys/fs/cgroup/edge.slice/triton.service/memory.max": "2000000\n",
    }
    write(tmp_path, files)
    assert (killed(tmp_path), limit_bytes(tmp_path)) == (2, 1000000)


class Container:
    """A control group of version 2 and a clock, as a test sets them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.seconds = 0.0
        self.kill_count(4)
        self.kills = MemoryKills(root, lambda: self.seconds)

    def kill_count(self, count: int, at_limit: int | None = None) -> None:
        """So many processes were killed, and the limit was reached as often, unless it is said how often."""
        events = EVENTS.format(count, count if at_limit is None else at_limit)
        files = {"proc/meminfo": f"MemTotal:       {MACHINE // 1024} kB\nMemFree:        8 kB\n"}
        files |= {"sys/fs/cgroup/memory.max": f"{LIMIT}\n", "sys/fs/cgroup/memory.events": events}
        write(self._root, UNIFIED | files)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_kills_from_before_and_by_others_are_not_for_memory(container: Container) -> None:
    assert container.kills.reason() == ""


def test_each_process_that_is_found_dead_soon_after_the_count_rose_is_named(container: Container) -> None:
    container.kill_count(6)
    container.kills.look()
    container.seconds = 5.0
    first, second = container.kills.reason(), container.kills.reason()
    assert first == second == for_lack_of_memory(LIMIT)
    assert container.kills.reason() == f"perhaps {first}"  # more dead than the kernel killed
    container.kill_count(7)
    assert container.kills.reason() == first


def test_a_kill_of_long_ago_is_not_blamed_for_a_new_death(container: Container) -> None:
    container.kill_count(5)
    container.kills.look()
    container.seconds = 11.0
    assert container.kills.reason() == ""
    container.kill_count(6)
    assert container.kills.reason() == for_lack_of_memory(LIMIT)


def test_kills_for_the_memory_of_the_machine_are_not_blamed_on_a_limit(container: Container) -> None:
    container.kill_count(5, at_limit=4)
    said = container.kills.reason()
    assert said == for_lack_of_memory(None, MACHINE)
    assert "the machine has no more than 4096000 bytes" in said
    container.seconds = 20.0
    container.kill_count(6, at_limit=5)
    container.kills.look()
    assert container.kills.reason() == for_lack_of_memory(LIMIT)


def test_a_limit_that_was_reached_just_before_the_kill_was_counted_is_blamed(container: Container) -> None:
    container.kill_count(4, at_limit=5)
    container.kills.look()
    container.seconds = 1.0
    container.kill_count(5, at_limit=5)
    assert container.kills.reason() == for_lack_of_memory(LIMIT)


SLICE, SERVICE = "sys/fs/cgroup/edge.slice", "sys/fs/cgroup/edge.slice/triton.service"


@pytest.mark.parametrize(
    ("after", "blamed"),
    [
        ({f"{SLICE}/memory.events.local": EVENTS.format(0, 1)}, 5000000),
        ({f"{SERVICE}/memory.events.local": EVENTS.format(0, 1)}, LIMIT),
        ({f"{SLICE}/memory.events": EVENTS.format(9, 9)}, None),  # a sibling's own limit
    ],
    ids=["parent", "own", "sibling"],
)
def test_the_group_whose_own_limit_was_reached_is_blamed(
    tmp_path: Path, after: Mapping[str, str], blamed: int | None
) -> None:
    groups = {SLICE: 5000000, SERVICE: LIMIT}
    files = {"proc/self/cgroup": "0::/edge.slice/triton.service\n"}
    for group, limit in groups.items():
        files |= {f"{group}/memory.max": f"{limit}\n", f"{group}/memory.events": EVENTS.format(0, 0)}
        files |= {f"{group}/memory.events.local": EVENTS.format(0, 0)}
    write(tmp_path, files)
    kills = MemoryKills(tmp_path)
    write(tmp_path, {f"{SERVICE}/memory.events": EVENTS.format(1, 1), **after})
    assert kills.reason() == for_lack_of_memory(blamed)


@pytest.mark.parametrize(("machine_kilobytes", "blamed"), [(2000, LIMIT), (900, None)], ids=["limit", "machine"])
def test_version_1_blames_a_limit_that_the_machine_could_hold(
    tmp_path: Path, machine_kilobytes: int, blamed: int | None
) -> None:
    group = "sys/fs/cgroup/memory"
    limit = {"proc/meminfo": f"MemTotal: {machine_kilobytes} kB\n", f"{group}/memory.limit_in_bytes": f"{LIMIT}\n"}
    write(tmp_path, V1 | limit | {f"{group}/memory.oom_control": OOM_CONTROL.format(0)})
    kills = MemoryKills(tmp_path)
    write(tmp_path, {f"{group}/memory.oom_control": OOM_CONTROL.format(1)})
    assert kills.reason() == for_lack_of_memory(blamed, machine_kilobytes * 1024)


def test_a_worker_of_the_gateway_has_remedies_of_its_own(container: Container) -> None:
    container.kill_count(5)
    said = container.kills.reason("worker")
    assert "raise it (Compose: OUTPOST_GATEWAY_MEMORY), or run fewer workers (--workers" in said


def test_the_sentence_names_the_limit_and_what_to_do() -> None:
    said = for_lack_of_memory(8589934592)
    assert "the limit is 8589934592 bytes; raise it (Compose: OUTPOST_TRITON_MEMORY)" in said
    assert "OUTPOST_INSTANCES" in said
    assert "the machine has no more" in for_lack_of_memory(None)
    assert "--instances" in for_lack_of_memory(None)
