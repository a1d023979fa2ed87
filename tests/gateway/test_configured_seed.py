"""Which folder and which models seed the state folder, and what is said where that cannot be seen."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.active_models import ActiveModels
from gateway.settings import Settings
from gateway.start_errors import (
    MountedSeedIsNoFolder,
    MountedSeedMisnamed,
    MountedSeedUnreadable,
    SeedModelsUnknown,
)
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


def test_what_no_build_is_called_may_be_unreadable(tmp_path: Path) -> None:
    """A file system's own lost+found is for root alone."""
    mounted = tmp_path / "models"
    for name in ("lost+found", "parts-1.0.0_x86-cpu"):
        make_build(mounted, name)
    config = mounted / "lost+found" / "config.pbtxt"
    unreadable(config)
    assert chosen_seed_dir(Settings(mounted_seed_dir=mounted)) == mounted
    shutil.rmtree(mounted / "parts-1.0.0_x86-cpu")
    assert chosen_seed_dir(Settings(mounted_seed_dir=mounted, seed_dir=tmp_path)) == tmp_path


def test_a_mounted_build_of_another_name_is_told_how_a_build_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mounted = tmp_path / "models"
    make_build(mounted, "yolo")
    with pytest.raises(
        MountedSeedMisnamed, match=rf"{mounted / 'yolo'}: the folder of a build is named <model>-<major"
    ):
        chosen_seed_dir(Settings(mounted_seed_dir=mounted))
    make_build(mounted, "parts-1.0.0_x86-cpu")
    assert chosen_seed_dir(Settings(mounted_seed_dir=mounted)) == mounted
    assert [record.__dict__["folders"] for record in caplog.records] == [[str(mounted / "yolo")]]


def test_a_mounted_file_is_no_matter_of_permissions(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(MountedSeedIsNoFolder, match=f"{tmp_path / 'models'} is no folder") as caught:
        chosen_seed_dir(Settings(mounted_seed_dir=tmp_path / "models"))
    assert "chmod" not in str(caught.value)


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
    with pytest.raises(
        SeedModelsUnknown, match=f"--seed-models names cats, and {builds} has builds of {known};"
    ) as caught:
        seeded(state, builds, "cats")
    assert "(Compose: OUTPOST_SEED_MODELS)" in str(caught.value)
    assert not list(state.repository.iterdir())
    assert not state.active_file.exists()


def test_a_model_whose_builds_are_in_the_state_folder_needs_none_elsewhere(tmp_path: Path, state: StateFolder) -> None:
    builds = tmp_path / "builds"
    make_build(builds, "parts-1.0.0_x86-cpu")
    assert seeded(state, builds, "parts") == ("parts-1.0.0_x86-cpu",)
    shutil.rmtree(builds)
    assert seeded(state, builds, "parts") == ()
    with pytest.raises(SeedModelsUnknown, match="names cats, and"):
        seeded(state, builds, "parts,cats")


def test_a_preference_is_for_what_is_shipped_and_gives_way(tmp_path: Path, state: StateFolder) -> None:
    shipped, mounted = tmp_path / "shipped", tmp_path / "mounted"
    for name in ("big-1.0.0_x86-cpu", "small-1.0.0_x86-cpu"):
        make_build(shipped, name)
    make_build(mounted, "cats-1.0.0_x86-cpu")
    settings = Settings(seed_dir=shipped, preferred_models="big")
    assert seed(settings, state, lambda _: True) == (shipped, ("big-1.0.0_x86-cpu",))
    of_another = settings.model_copy(update={"preferred_models": "dogs"})
    assert seed(of_another, state, lambda _: True) == (shipped, ("small-1.0.0_x86-cpu",))
    with_mounted = settings.model_copy(update={"mounted_seed_dir": mounted})
    assert seed(with_mounted, state, lambda _: True) == (mounted, ("cats-1.0.0_x86-cpu",))
    with pytest.raises(SeedModelsUnknown, match="--seed-models names dogs"):
        seed(settings.model_copy(update={"seed_models": "dogs"}), state, lambda _: True)
