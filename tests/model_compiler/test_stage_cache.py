"""Finished stages on disk."""

import resource
from pathlib import Path
from types import MappingProxyType

import pytest

from contracts.model_card import InputSpec, OutputSpec
from model_compiler.artifact import Artifact, ArtifactFacts
from model_compiler.stage_cache import StageCache

SPEC = InputSpec(width=32, height=32)


def artifact(model: bytes = b"model") -> Artifact:
    facts = ArtifactFacts(
        hardware_class="x86-cpu", input=SPEC, output=OutputSpec(), reference_input=SPEC, reference_output=OutputSpec()
    )
    return Artifact(model, b"reference", facts, b"ranges", MappingProxyType({"1/model.onnx": model})).recorded("graft")


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(tmp_path / "cache")


def test_an_artifact_comes_back_equal(cache: StageCache) -> None:
    made = artifact()
    cache.put("key", made)
    found = cache.get("key")
    assert found is not None
    assert (found.model, found.reference, found.ranges, dict(found.build)) == (
        made.model,
        made.reference,
        made.ranges,
        dict(made.build),
    )
    assert found.facts == made.facts
    assert found.identity == made.identity


def test_the_key_changes_with_everything_that_changes_the_result(cache: StageCache) -> None:
    keys = {
        cache.key("graft", artifact(), {"a": 1}),
        cache.key("verify", artifact(), {"a": 1}),
        cache.key("graft", artifact(b"other"), {"a": 1}),
        cache.key("graft", artifact().recorded("more"), {"a": 1}),
        cache.key("graft", artifact(), {"a": 2}),
        cache.key("graft", None, {"a": 1}),
    }
    assert len(keys) == 6
    assert cache.key("graft", artifact(), {"a": 1, "b": 2}) == cache.key("graft", artifact(), {"b": 2, "a": 1})


def test_nothing_is_found_where_nothing_is(cache: StageCache) -> None:
    assert cache.get("key") is None


@pytest.mark.parametrize("damage", [b"", b"{}", b"other bytes"])
def test_a_damaged_entry_is_a_miss(cache: StageCache, tmp_path: Path, damage: bytes) -> None:
    cache.put("entry", artifact(b"one"))
    cache.put("blob", artifact(b"two"))
    (tmp_path / "cache" / "entry.json").write_bytes(damage)
    for blob in (tmp_path / "cache" / "blobs").iterdir():
        if blob.read_bytes() == b"two":
            blob.write_bytes(damage)
    assert cache.get("entry") is None
    assert cache.get("blob") is None


def test_a_damaged_blob_is_written_again(cache: StageCache, tmp_path: Path) -> None:
    cache.put("key", artifact(b"one"))
    for blob in (tmp_path / "cache" / "blobs").iterdir():
        blob.write_bytes(b"damage")
    cache.put("key", artifact(b"one"))
    found = cache.get("key")
    assert found is not None
    assert found.model == b"one"


def test_a_disk_that_takes_no_more_leaves_no_entry(cache: StageCache, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            cache.put("key", artifact(b"x" * 5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert cache.get("key") is None
    assert not list(tmp_path.rglob(".*"))
