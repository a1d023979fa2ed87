from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.active_models import ActiveModels
from gateway.start_errors import SeedUnusable, StateFolderInUse, StateFolderUnusable
from gateway.supervision.state_folder import StateFolder, seed_builds


def make_build(folder: Path, name: str, backend: str = "onnxruntime") -> None:
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "{backend}"\n')
    (folder / name / "1" / "model.onnx").write_bytes(b"onnx")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    folder = StateFolder(tmp_path / "state")
    folder.open()
    yield folder
    folder.close()


def test_an_empty_state_is_seeded_with_the_newest_builds(tmp_path: Path, state: StateFolder) -> None:
    for name in ("defects-1.10.0_x86-cpu", "defects-1.9.0_x86-cpu", "parts-0.1.0_x86-cpu"):
        make_build(tmp_path / "seed", name)
    (tmp_path / "seed" / "not a build").mkdir()
    assert set(state.seed(tmp_path / "seed")) == set(seed_builds(tmp_path / "seed"))
    active = ActiveModels.model_validate_json(state.active_file.read_bytes())
    assert {alias: model.stable for alias, model in active.models.items()} == {
        "defects": "defects-1.10.0_x86-cpu",
        "parts": "parts-0.1.0_x86-cpu",
    }
    assert (state.repository / "defects-1.9.0_x86-cpu" / "1" / "model.onnx").read_bytes() == b"onnx"
    assert not list(state.triton.iterdir())


def test_seeding_again_copies_what_is_new_and_leaves_the_operator_s_choice(tmp_path: Path, state: StateFolder) -> None:
    make_build(tmp_path / "seed", "defects-1.0.0_x86-cpu")
    state.seed(tmp_path / "seed")
    chosen = state.active_file.read_bytes()
    make_build(tmp_path / "seed", "defects-2.0.0_x86-cpu")
    assert state.seed(tmp_path / "seed") == ("defects-2.0.0_x86-cpu",)
    assert state.active_file.read_bytes() == chosen


def test_what_a_killed_start_left_half_copied_is_replaced(tmp_path: Path, state: StateFolder) -> None:
    make_build(tmp_path / "seed", "defects-1.0.0_x86-cpu")
    (state.triton / "partial-defects-1.0.0_x86-cpu").mkdir()
    state.seed(tmp_path / "seed")
    assert (state.repository / "defects-1.0.0_x86-cpu" / "config.pbtxt").exists()
    assert not list(state.triton.iterdir())


def test_no_seed_folder_means_no_models(tmp_path: Path, state: StateFolder) -> None:
    assert state.seed(tmp_path / "missing") == ()
    assert not state.active_file.exists()  # the operator's, or the next start's with the right folder


def test_a_second_gateway_is_kept_out_until_the_first_is_gone(state: StateFolder) -> None:
    second = StateFolder(state.root)
    with pytest.raises(StateFolderInUse, match="another gateway uses"):
        second.open()
    state.close()
    second.open()
    second.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFolderUnusable, match="--state-dir"):
        StateFolder(tmp_path / "file" / "state").open()


def stable_builds(state: StateFolder) -> dict[str, str]:
    active = ActiveModels.model_validate_json(state.active_file.read_bytes())
    return {alias: model.stable for alias, model in active.models.items()}


def test_each_model_gets_a_build_that_runs_here(tmp_path: Path, state: StateFolder) -> None:
    for name in ("defects-1.0.0_x86-cpu", "defects-1.1.0_arm-cpu", "parts-1.0.0_arm-cpu"):
        make_build(tmp_path / "seed", name)
    state.seed(tmp_path / "seed", lambda hardware_class: hardware_class == "x86-cpu")
    assert stable_builds(state) == {"defects": "defects-1.0.0_x86-cpu"}


def test_where_no_build_runs_each_alias_can_say_why(tmp_path: Path, state: StateFolder) -> None:
    make_build(tmp_path / "seed", "defects-1.1.0_arm-cpu")
    state.seed(tmp_path / "seed", lambda _: False)
    assert stable_builds(state) == {"defects": "defects-1.1.0_arm-cpu"}


def test_a_build_for_the_gpu_is_stable_and_the_newest_for_the_cpu_stands_in(tmp_path: Path, state: StateFolder) -> None:
    for name in ("defects-1.1.0_arm-cpu", "defects-1.2.0_arm-cpu", "parts-1.0.0_arm-cpu", "defects-2.0.0_x86-cpu"):
        make_build(tmp_path / "seed", name)
    for name in ("defects-1.0.0_orin", "defects-1.1.0_orin", "faces-1.0.0_orin", "parts-3.0.0_x86-nvidia-gpu"):
        make_build(tmp_path / "seed", name, "tensorrt")
    state.seed(tmp_path / "seed", lambda hardware_class: hardware_class in {"orin", "arm-cpu"})
    active = ActiveModels.model_validate_json(state.active_file.read_bytes())
    assert {alias: (model.stable, model.fallback) for alias, model in active.models.items()} == {
        "defects": ("defects-1.1.0_orin", "defects-1.2.0_arm-cpu"),
        "faces": ("faces-1.0.0_orin", None),
        "parts": ("parts-1.0.0_arm-cpu", None),
    }


def test_a_build_that_says_nothing_of_its_backend_is_none_for_the_gpu(tmp_path: Path, state: StateFolder) -> None:
    make_build(tmp_path / "seed", "defects-1.0.0_x86-cpu")
    (tmp_path / "seed" / "defects-1.0.0_x86-cpu" / "config.pbtxt").write_text("{")
    state.seed(tmp_path / "seed")
    assert stable_builds(state) == {"defects": "defects-1.0.0_x86-cpu"}


CASCADE = '{"first": "parts", "then": "defects", "skip_label": "pass"}'


def test_cascades_ship_with_their_models(tmp_path: Path, state: StateFolder) -> None:
    for name in ("defects-1.0.0_x86-cpu", "parts-1.0.0_x86-cpu"):
        make_build(tmp_path / "seed", name)
    other = CASCADE.replace("defects", "cats")
    (tmp_path / "seed" / "cascades.json").write_text(f'{{"inspection": {CASCADE}, "of-cats": {other}}}')
    state.seed(tmp_path / "seed")
    active = ActiveModels.model_validate_json(state.active_file.read_bytes())
    assert list(active.cascades) == ["inspection"]  # nobody shipped cats
    assert active.cascades["inspection"].skip_score == 0.9


@pytest.mark.parametrize(
    ("text", "words"), [("{", "Invalid JSON"), ('{"a": {"first": "parts"}}', "a.then: Field required")]
)
def test_malformed_cascades_are_named_before_anything_is_chosen(
    tmp_path: Path, state: StateFolder, text: str, words: str
) -> None:
    make_build(tmp_path / "seed", "defects-1.0.0_x86-cpu")
    (tmp_path / "seed" / "cascades.json").write_text(text)
    with pytest.raises(SeedUnusable, match=f"cascades.json cannot be used: .*{words}"):
        state.seed(tmp_path / "seed")
    assert not state.active_file.exists()


def unreadable(path: Path) -> Path:
    """A file that no user can read, root included."""
    path.unlink()
    path.symlink_to(path.name)
    return path


@pytest.mark.parametrize("file", ["defects-1.0.0_x86-cpu/1/model.onnx", "cascades.json"])
def test_a_shipped_file_that_cannot_be_read_is_named_and_not_the_state_folder(
    tmp_path: Path, state: StateFolder, file: str
) -> None:
    make_build(tmp_path / "seed", "defects-1.0.0_x86-cpu")
    (tmp_path / "seed" / "cascades.json").write_text("{}")
    path = unreadable(tmp_path / "seed" / file)
    with pytest.raises(SeedUnusable, match=f"{path} cannot be used: Too many levels of symbolic links"):
        state.seed(tmp_path / "seed")
    assert not state.active_file.exists()
    assert not list(state.triton.iterdir())


def test_a_copy_that_cannot_be_written_names_the_state_folder(tmp_path: Path, state: StateFolder) -> None:
    make_build(tmp_path / "seed", "defects-1.0.0_x86-cpu")
    state.triton.rmdir()
    with pytest.raises(StateFolderUnusable, match=f"the state folder {state.root} cannot be used"):
        state.seed(tmp_path / "seed")


def test_a_build_that_may_only_be_read_is_copied_with_what_its_links_point_to(
    tmp_path: Path, state: StateFolder
) -> None:
    build = tmp_path / "seed" / "defects-1.0.0_x86-cpu"
    make_build(tmp_path / "seed", build.name)
    (build / "1").rename(tmp_path / "elsewhere")
    (build / "1").symlink_to(tmp_path / "elsewhere")
    build.chmod(0o555)
    state.seed(tmp_path / "seed")
    copy = state.repository / build.name
    assert (copy / "1" / "model.onnx").read_bytes() == b"onnx"
    assert not (copy / "1").is_symlink()
    assert copy.stat().st_mode & 0o200
