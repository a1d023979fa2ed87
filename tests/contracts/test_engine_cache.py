import pytest
from pydantic import ValidationError

from contracts.engine_cache import EngineFacts, EngineStatus, plan_path, status_path

FACTS = EngineFacts(
    onnx_sha256="a" * 64,
    gpu="Orin",
    compute_capability="8.7",
    tensorrt_version="10.3.0",
    cuda_version="12.6",
    told="optimization level: 3\n",
)
BUILD = "defects-1.0.0_jetson-orin-nx"
READY = EngineStatus(
    build=BUILD,
    state="ready",
    facts=FACTS,
    started_at=1.0,
    finished_at=2.0,
    plan_sha256="b" * 64,
    plan_size_bytes=5,
)


@pytest.mark.parametrize("field", list(EngineFacts.model_fields))
def test_whatever_a_plan_depends_on_changes_its_key(field: str) -> None:
    other = FACTS.model_copy(update={field: "c" * 64})
    assert other.key != FACTS.key
    assert FACTS.model_copy().key == FACTS.key


def test_the_key_of_given_facts_stays_as_it_is() -> None:
    """A key that changed with a release would make every device build its plans anew."""
    assert FACTS.key == "dcc66525a78d4a5b55f8ec4c3e6eba0684064cbe1033b8e5c63df8e348ceefda"


def test_facts_say_what_a_plan_is_for() -> None:
    assert FACTS.machine == "Orin (compute capability 8.7), TensorRT 10.3.0, CUDA 12.6"


def test_a_status_survives_its_file() -> None:
    assert EngineStatus.model_validate_json(READY.model_dump_json()) == READY
    assert READY.key == FACTS.key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plan_sha256": None}, "plan_sha256 and plan_size_bytes are needed"),
        ({"facts": None}, "facts, plan_sha256"),
        ({"finished_at": None}, "finished_at is needed"),
        ({"state": "failed"}, "reason is needed"),
        ({"state": "building"}, "finished_at is needed"),
        ({"build": "defects"}, "build name 'defects'"),
        ({"plan_sha256": "b"}, "plan_sha256"),
        ({"started_at": -1.0}, "started_at"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_status_that_contradicts_itself_is_none(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EngineStatus.model_validate(READY.model_dump() | change)


def test_times_and_places() -> None:
    assert READY.model_copy(update={"started_at": 1_700_000_000.9}).started_at_text == "2023-11-14T22:13:20Z"
    assert plan_path("abc").as_posix() == "abc/model.plan"
    assert status_path(BUILD).as_posix() == f"status/{BUILD}.json"
