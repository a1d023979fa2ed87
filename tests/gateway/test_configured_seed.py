"""Which folder and which models seed the state folder, and what is said where that cannot be seen."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.active_models import ActiveModels
from gateway.settings import Settings
from gateway.start_errors import MountedSeedUnreadable, SeedModelsUnknown
from gateway.supervision.configured_seed import chosen_seed_dir, seed
from gateway.supervision.state_folder import StateFolder
from tests.gateway.test_state_folder import CASCADE, make_build, unreadable


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    folder = StateFolder(tmp_path / "state")
    folder.open()
    yield folder
    folder.close()


def test_a_mounted_folder_seeds_only_where_it_holds_builds(tmp_path: Path) -> None:
    mounted, own = tmp_path / "models", tmp_path / "own"
    settings = Settings(mounted_seed_dir=mounted, seed_dir=own)
    assert chosen_seed_dir(settings) == own
    (mounted / "not-a-build").mkdir(parents=True)
    (mounted / "cascades.json").touch()
    assert chosen_seed_dir(settings) == own
    make_build(mounted, "parts-1.0.0_x86-cpu")
    assert chosen_seed_dir(settings) == mounted
    assert chosen_seed_dir(Settings(seed_dir=own)) == own


def test_a_mounted_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    mounted = tmp_path / "models"
    mounted.touch()
    path = unreadable(mounted)
    with pytest.raises(MountedSeedUnreadable) as caught:
        chosen_seed_dir(Settings(mounted_seed_dir=mounted))
    said = str(caught.value)
    assert f"user {os.geteuid()} cannot read {path}: Too many levels of symbolic links" in said
    assert "chmod -R a+rX" in said
    assert "OUTPOST_MODELS" in said


def test_a_mounted_build_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    make_build(tmp_path / "models", "parts-1.0.0_x86-cpu")
    (tmp_path / "models" / "bad-1.0.0_x86-cpu").touch()
    path = unreadable(tmp_path / "models" / "bad-1.0.0_x86-cpu")
    with pytest.raises(MountedSeedUnreadable, match=f"cannot read {path}: "):
        chosen_seed_dir(Settings(mounted_seed_dir=tmp_path / "models"))


def seeded(state: StateFolder, seed_dir: Path, models: str) -> tuple[str, ...]:
    settings = Settings(seed_dir=seed_dir, seed_models=models)
    folder, copied = seed(settings, state, lambda _: True)
    assert folder == seed_dir
    return copied


def test_of_the_shipped_models_only_those_that_are_named_are_taken(tmp_path: Path, state: StateFolder) -> None:
    builds = tmp_path / "builds"
    for name in (
        "defects-1.0.0_x86-cpu",
        "defects-1.1.0_x86-cpu",
        "defects-cloud-1.0.0_x86-cpu",
        "parts-1.0.0_x86-cpu",
    ):
        make_build(builds, name)
    (builds / "cascades.json").write_text(f'{{"inspection": {CASCADE}}}')
    assert seeded(state, builds, "defects-cloud") == ("defects-cloud-1.0.0_x86-cpu",)
    active = ActiveModels.model_validate_json(state.active_file.read_bytes())
    assert {alias: model.stable for alias, model in active.models.items()} == {
        "defects-cloud": "defects-cloud-1.0.0_x86-cpu"
    }
    assert active.cascades == {}
    assert seeded(state, builds, "parts,defects") == (
        "defects-1.0.0_x86-cpu",
        "defects-1.1.0_x86-cpu",
        "parts-1.0.0_x86-cpu",
    )


@pytest.mark.parametrize(("names", "known"), [(("parts",), "parts"), ((), "no model")])
def test_a_model_that_has_no_build_is_an_error_that_lists_those_that_have(
    tmp_path: Path, state: StateFolder, names: tuple[str, ...], known: str
) -> None:
    builds = tmp_path / "builds"
    builds.mkdir()
    for name in names:
        make_build(builds, f"{name}-1.0.0_x86-cpu")
    with pytest.raises(SeedModelsUnknown, match=f"--seed-models names cats, and {builds} has builds of {known};"):
        seeded(state, builds, "cats")
    assert not list(state.repository.iterdir())
    assert not state.active_file.exists()
