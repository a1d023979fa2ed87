"""``outpost-compile build --from-onnx``, from the shipped builds and from small ones, good and bad."""

import functools
import json
import pickle
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest

from contracts.build_manifest import BuildManifest
from contracts.model_card import ModelCard
from model_compiler.__main__ import main
from model_compiler.packaging.build_directory import read_build, verify_build
from model_compiler.stages.engine import NO_PLAN
from tests.model_compiler.remade_builds import rehash
from tests.model_compiler.tensorrt_here import NEEDS_NO_TENSORRT

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "model_repository"
FRAMES = REPOSITORY / "samples" / "frames"
PARTS = SHIPPED / "parts-1.0.1_x86-cpu"
MODELS = ("defects-1.2.1", "defects-cloud-1.1.0", "parts-1.0.1")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def compiled(tmp_path: Path, cache: Path) -> Callable[..., int]:
    """Runs the verb into ``tmp_path / "builds"``."""

    def run(source: Path, hardware_class: str, *options: str) -> int:
        folders = ("--output", str(tmp_path / "builds"), "--cache", str(cache))
        return main(["build", "--from-onnx", str(source), "--for", hardware_class, *folders, *options])

    return run


def card(directory: Path) -> ModelCard:
    return ModelCard.model_validate_json((directory / "card.json").read_bytes())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_its_own_class_gets_the_same_graph_and_what_was_measured(tmp_path: Path, compiled: Callable[..., int]) -> None:
    assert compiled(SHIPPED, "x86-cpu", "--frames", str(FRAMES)) == 0
    assert sorted(path.name for path in (tmp_path / "builds").iterdir()) == [
        "cascades.json",
        *(f"{model}_x86-cpu" for model in MODELS),
    ]
    assert (tmp_path / "builds" / "cascades.json").read_bytes() == (SHIPPED / "cascades.json").read_bytes()
    for model in MODELS:
        first, second = SHIPPED / f"{model}_x86-cpu", tmp_path / "builds" / f"{model}_x86-cpu"
        verify_build(second)
        assert (second / "1/model.onnx").read_bytes() == (first / "1/model.onnx").read_bytes()
        timeless: dict[str, object] = {"built_at": None, "built_with": {}}
        assert card(second).model_copy(update=timeless) == card(first).model_copy(update=timeless)
        configs = [(folder / "config.pbtxt").read_text().partition("parameters")[0] for folder in (first, second)]
        assert configs[0] == configs[1]


def test_another_cpu_class_gets_floats_and_claims_no_speed(tmp_path: Path, compiled: Callable[..., int]) -> None:
    assert compiled(SHIPPED, "arm-cpu", "--frames", str(FRAMES)) == 0
    for model in MODELS:
        source, made = card(SHIPPED / f"{model}_x86-cpu"), card(tmp_path / "builds" / f"{model}_arm-cpu")
        verify_build(tmp_path / "builds" / f"{model}_arm-cpu")
        assert (made.variant, made.hardware_class, made.pruned) == ("f32", "arm-cpu", source.pruned)
        assert [(each.hardware_class, each.status, each.runtime) for each in made.performance] == [
            ("arm-cpu", "not_measured", "onnxruntime")
        ]
        assert made.reference_sha256 == source.reference_sha256
        for kept in ("labels", "thresholds", "nms", "metrics", "confidence", "drift_reference", "parameter_count"):
            assert getattr(made, kept) == getattr(source, kept)
        build = f"{source.build} (bf16-openvino{'-pruned' * source.pruned})"
        assert made.caveats == (
            f"nothing was measured with this build; it was made from {build}",
            f"from the card of {build}: accuracy, calibrated confidence, drift reference",
        )


@NEEDS_NO_TENSORRT
def test_a_gpu_class_without_a_gpu(
    tmp_path: Path, compiled: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compiled(SHIPPED, "x86-nvidia-gpu", "--frames", str(FRAMES), "--with-fallback") == 0
    assert f"  not shown: {NO_PLAN}\n" in capsys.readouterr().out
    for model in MODELS:
        verify_build(tmp_path / "builds" / f"{model}_x86-cpu")
        directory = tmp_path / "builds" / f"{model}_x86-nvidia-gpu"
        verify_build(directory)
        made = card(directory)
        assert made.variant == "f16"
        assert made.caveats[0] == NO_PLAN
        assert made.caveats[-1].endswith("computes with other numbers: accuracy")
        assert made.metrics == ()
        assert made.confidence is not None
        assert made.performance[0].status == "not_measured"
        config = (directory / "config.pbtxt").read_text()
        assert 'backend: "tensorrt"' in config
        assert 'profile: ["0", "1"]' in config
        graph = onnx.load_model(directory / "1/model.onnx").graph
        assert {node.op_type for node in graph.node if "images" in node.input} == {"Cast"}  # TensorRT casts bytes first
        assert {node.domain for node in graph.node} == {""}
        half = sum(weight.data_type == onnx.TensorProto.FLOAT16 for weight in graph.initializer)
        assert half > len(graph.initializer) / 2


def test_a_fallback_is_built_for_the_class_that_the_class_names(tmp_path: Path, compiled: Callable[..., int]) -> None:
    assert compiled(PARTS, "jetson-orin-nx", "--with-fallback") == 0
    assert {path.name for path in (tmp_path / "builds").iterdir()} == {
        "parts-1.0.1_jetson-orin-nx",
        "parts-1.0.1_arm-cpu",
    }


def test_a_class_without_a_fallback_says_so(
    tmp_path: Path, compiled: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compiled(PARTS, "arm-cpu", "--with-fallback") == 0
    assert "arm-cpu names no class that stands in for it" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "builds").iterdir()] == ["parts-1.0.1_arm-cpu"]


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        folders = ["--output", str(tmp_path / name), "--cache", str(tmp_path / f"cache-{name}")]
        assert main(["build", "--from-onnx", str(PARTS), "--for", "x86-nvidia-gpu", *folders]) == 0
    assert len(files(tmp_path / "first")) == 4
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_the_time_is_that_of_the_source_date(
    tmp_path: Path, compiled: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert compiled(PARTS, "arm-cpu") == 0
    assert '"built_at": "2023-11-14T22:13:20Z"' in (tmp_path / "builds/parts-1.0.1_arm-cpu/card.json").read_text()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert compiled(PARTS, "x86-cpu") == 1
    assert "SOURCE_DATE_EPOCH: 'yesterday' is not a number of seconds since 1970" in capsys.readouterr().err


def test_what_is_there_is_refused_or_skipped(
    tmp_path: Path, compiled: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compiled(PARTS, "arm-cpu") == 0
    before = files(tmp_path / "builds")
    assert compiled(SHIPPED, "arm-cpu") == 1
    assert "parts-1.0.1_arm-cpu exists and builds never change" in capsys.readouterr().err
    assert files(tmp_path / "builds") == before
    assert compiled(SHIPPED, "arm-cpu", "--skip-existing") == 0
    assert "parts-1.0.1_arm-cpu is there already" in capsys.readouterr().out
    after = files(tmp_path / "builds")
    assert len(after) == 13
    assert {path: after[path] for path in before} == before


def test_another_file_in_its_place_is_not_replaced(
    tmp_path: Path, compiled: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds" / "cascades.json").write_text("{}")
    assert compiled(SHIPPED, "arm-cpu") == 1
    assert "cascades.json is there and differs from" in capsys.readouterr().err
    assert files(tmp_path / "builds") == {"cascades.json": b"{}"}


def _of_version(version: str, text: str) -> str:
    return text.replace("1.0.1", version)


def test_of_each_model_the_newest_build_is_taken(tmp_path: Path, compiled: Callable[..., int]) -> None:
    source = tmp_path / "source"
    for version in ("1.0.1", "1.0.9", "1.0.10"):
        copied = source / f"parts-{version}_x86-cpu"
        shutil.copytree(PARTS, copied)
        rehash(copied, functools.partial(_of_version, version))
    assert compiled(source, "arm-cpu") == 0
    assert [path.name for path in (tmp_path / "builds").iterdir()] == ["parts-1.0.10_arm-cpu"]


def _nothing(folder: Path) -> Path:
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("no builds")
    return folder / "empty"


def _missing(folder: Path) -> Path:
    return folder / "nowhere"


def _pickle_file(folder: Path) -> Path:
    (folder / "weights.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    return folder / "weights.pt"


def _copied(folder: Path) -> Path:
    return Path(shutil.copytree(PARTS, folder / PARTS.name))


def _pickle_model(folder: Path) -> Path:
    copied = _copied(folder)
    (copied / "1/model.onnx").write_bytes(pickle.dumps({"weights": [1.0]}))
    rehash(copied)
    return copied


def _changed_model(folder: Path) -> Path:
    copied = _copied(folder)
    (copied / "1/model.onnx").write_bytes((copied / "1/model.onnx").read_bytes() + b"\0")
    return copied


def _changed_card(folder: Path) -> Path:
    copied = _copied(folder)
    path = copied / "card.json"
    path.write_text(path.read_text().replace('"pass"', '"good"'))
    return copied


def _no_manifest(folder: Path) -> Path:
    copied = _copied(folder)
    (copied / "manifest.json").unlink()
    return copied


def _file_of_weights(folder: Path) -> Path:
    copied = _copied(folder)
    (copied / "1/model.onnx.data").write_bytes(b"weights")
    rehash(copied)
    return copied


def _other_backend(folder: Path) -> Path:
    copied = _copied(folder)
    rehash(copied, lambda text: text.replace('backend: "openvino"', 'backend: "python"'))
    return copied


def _no_queue(folder: Path) -> Path:
    copied = _copied(folder)
    rehash(copied, lambda text: text.replace("max_queue_size: 64", "max_queue_size: 0"))
    return copied


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_nothing, "empty is no build and holds none"),
        (_missing, "nowhere does not exist"),
        (_pickle_file, "weights.pt is no build and holds none"),
        (_pickle_model, "it is a Python pickle, which is never loaded"),
        (_changed_model, "1/model.onnx has changed: its sha256 is not the one in manifest.json"),
        (_changed_card, "card.json has changed: its sha256 is not the one in manifest.json"),
        (_no_manifest, "manifest.json is missing"),
        (_file_of_weights, "its model must be 1/model.onnx alone, found 1/model.onnx.data"),
        (_other_backend, "config.pbtxt: backend: "),
        (_no_queue, "config.pbtxt: queue_size: "),
    ],
)
def test_bad_sources_get_a_sentence_and_leave_nothing(
    tmp_path: Path,
    compiled: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], Path],
    message: str,
) -> None:
    assert compiled(spoil(tmp_path), "arm-cpu") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "builds").exists()


def test_one_bad_source_of_a_folder_leaves_nothing(
    tmp_path: Path, compiled: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(shutil.copytree(SHIPPED, tmp_path / "source"))
    (source / PARTS.name / "1/model.onnx").write_bytes(b"damaged")
    assert compiled(source, "arm-cpu") == 1
    assert f"{PARTS.name} is not a valid build: 1/model.onnx has changed" in capsys.readouterr().err
    assert not (tmp_path / "builds").exists()


def test_an_unknown_class_is_refused(compiled: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert compiled(PARTS, "arm-cup") == 1
    assert "there is no hardware class 'arm-cup': did you mean 'arm-cpu'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recipe.yaml", "--from-onnx", "builds", "--for", "arm-cpu"], "not allowed with argument"),
        (["--for", "arm-cpu"], "one of the arguments recipe --from-onnx is required"),
        (["--from-onnx", "builds"], "--from-onnx needs --for CLASS"),
        (["--from-onnx", "builds", "--for", "arm-cpu", "--reports", "r"], "--reports is not for --from-onnx"),
        (["--from-onnx", "builds", "--for", "arm-cpu", "--declared", "arm-cpu"], "--declared is not for --from-onnx"),
        (["recipe.yaml", "--frames", "frames"], "--frames is only for --from-onnx"),
        (["recipe.yaml", "--with-fallback"], "--with-fallback is only for --from-onnx"),
    ],
)
def test_ways_of_building_are_not_mixed(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["build", *arguments])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["frames", "no-pictures"])
def test_frames_are_looked_at_first(
    tmp_path: Path, compiled: Callable[..., int], capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    (tmp_path / "no-pictures").mkdir()
    assert compiled(PARTS, "arm-cpu", "--frames", str(tmp_path / folder)) == 1
    assert folder in capsys.readouterr().err
    assert not (tmp_path / "builds").exists()


def test_without_frames_the_card_says_so(tmp_path: Path, compiled: Callable[..., int]) -> None:
    assert compiled(PARTS, "arm-cpu") == 0
    caveats = card(tmp_path / "builds/parts-1.0.1_arm-cpu").caveats
    assert caveats[0] == "compared with the FP32 reference on 16 pictures of noise: no frames were given"


@pytest.fixture
def files_of_100_kb() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_build(
    tmp_path: Path, compiled: Callable[..., int], capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    warm = ["--output", str(tmp_path / "warm")]
    assert compiled(PARTS, "arm-cpu", *warm) == 0
    request.getfixturevalue("files_of_100_kb")
    assert compiled(PARTS, "arm-cpu") == 1
    assert "File too large" in capsys.readouterr().err
    assert list((tmp_path / "builds").iterdir()) == []


def test_an_interruption_leaves_nothing_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "model_compiler", "build", "--from-onnx", str(SHIPPED), "--for", "arm-cpu"]
    command += ["--output", str(tmp_path / "builds"), "--cache", str(tmp_path / "cache")]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert next(line for line in process.stderr if "verify" in line)
        process.send_signal(signal.SIGINT)
        assert "interrupted; nothing half-written was left" in process.stderr.read()
        assert process.wait(60) == 130
    assert not (tmp_path / "builds").exists()
    assert not [path for path in (tmp_path / "cache").rglob(".*") if path.is_file()]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0
    for model in MODELS:
        verify_build(tmp_path / "builds" / f"{model}_arm-cpu")


def test_no_training_library_is_imported(tmp_path: Path) -> None:
    arguments = ["build", "--from-onnx", str(PARTS), "--for", "x86-nvidia-gpu"]
    arguments += ["--output", str(tmp_path / "builds"), "--cache", str(tmp_path / "cache")]
    code = (
        "import json, sys\nfrom model_compiler.__main__ import main\n"
        f"code = main({arguments!r})\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    assert not {"torch", "nncf", "tritonclient", "model_training", "gateway"} & set(modules)
    assert {"onnx", "onnxruntime"} <= set(modules)


def test_the_manifest_is_of_the_new_build(tmp_path: Path, compiled: Callable[..., int]) -> None:
    assert compiled(PARTS, "arm-cpu") == 0
    contents = read_build(tmp_path / "builds/parts-1.0.1_arm-cpu")
    assert BuildManifest.model_validate_json(contents["manifest.json"]).build == "parts-1.0.1_arm-cpu"
