import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.active_models import ActiveModel, ActiveModels
from gateway.frame_memory import SHARED_MEMORY_DIR, remove_stale_regions
from gateway.start_errors import SharedMemoryTooSmall
from gateway.supervision.embedded_triton import EmbeddedTriton, TritonPorts
from gateway.supervision.shared_memory_need import free_bytes, needed_bytes, require_shared_memory
from gateway.supervision.state_folder import StateFolder
from gateway.supervision.triton_installation import find_installation
from tests.gateway.test_state_folder import make_build

MIB = 2**20


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    folder = StateFolder(tmp_path / "state", "triton")
    folder.open()
    yield folder
    folder.close()
    remove_stale_regions(f"outpost_{folder.key}_")


def on_cpu(hardware_class: str) -> bool:
    return hardware_class == "x86-cpu"


def test_each_build_that_is_loaded_takes_two_sets_of_instances(state: StateFolder) -> None:
    make_build(state.repository, "defects-1.0.0_x86-cpu")
    make_build(state.repository, "defects-1.1.0_x86-cpu", "tensorrt")
    make_build(state.repository, "idle-1.0.0_x86-cpu")
    active = ActiveModels(
        models={
            "defects": ActiveModel(stable="defects-1.1.0_x86-cpu", fallback="defects-1.0.0_x86-cpu"),
            "same": ActiveModel(stable="defects-1.0.0_x86-cpu"),
            "parts": ActiveModel(stable="parts-1.0.0_x86-cpu", canary=None),
            "faces": ActiveModel(stable="faces-1.0.0_jetson-orin-nx"),
        }
    )
    state.active_file.write_text(active.model_dump_json())
    assert needed_bytes(state, 64, on_cpu) == 2 * 2 * 64 * MIB  # defects on the CPU, and parts, which may come
    assert needed_bytes(state, 128, on_cpu) == 512 * MIB


def test_without_a_good_active_file_nothing_is_loaded(state: StateFolder) -> None:
    assert needed_bytes(state, 64, on_cpu) == 0
    state.active_file.write_text("{")
    assert needed_bytes(state, 64, on_cpu) == 0


@pytest.fixture
def triton(state: StateFolder) -> EmbeddedTriton:
    ports = TritonPorts(0, 0, 0)
    return EmbeddedTriton(find_installation(), state.repository, state.triton, None, ports, state.triton_memory_prefix)


async def test_what_a_killed_triton_left_is_removed_before_it_is_measured_and_the_gateways_stays(
    state: StateFolder, triton: EmbeddedTriton
) -> None:
    stale = SHARED_MEMORY_DIR / f"{state.triton_memory_prefix}1"
    of_gateway = SHARED_MEMORY_DIR / f"{state.frame_memory_prefix}7_1"
    stale.write_bytes(b"left")
    of_gateway.write_bytes(b"frames")
    await require_shared_memory(triton, 12 * MIB, lambda: 8 * MIB if stale.exists() else 12 * MIB)
    assert of_gateway.exists()


async def test_too_little_is_refused_with_what_to_do(triton: EmbeddedTriton) -> None:
    with pytest.raises(SharedMemoryTooSmall) as caught:
        await require_shared_memory(triton, 12 * MIB, lambda: 8 * MIB)
    said = str(caught.value)
    assert "shared memory has 8 MiB free, and Triton's backends need 12:" in said
    assert "set OUTPOST_SHARED_MEMORY_SIZE, then 'docker compose down' and" in said
    assert "'docker volume rm' with the name that 'docker volume ls --filter name=shared-memory' shows" in said


def test_free_is_what_may_be_written() -> None:
    facts = os.statvfs(SHARED_MEMORY_DIR)
    assert 0 < free_bytes() <= facts.f_blocks * facts.f_frsize
