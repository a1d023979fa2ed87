"""End to end: shipped builds behind the real gateway with its Triton."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from contracts.build_manifest import CARD_FILE, CONFIG_FILE, MANIFEST_FILE, BuildManifest
from contracts.model_card import OutputSpec
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.errors import FrameNotAnswered, GatewayFailed
from model_compiler.evaluation.evaluate import evaluate_candidates
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.gateway_client import GatewayClient
from model_compiler.evaluation.gateway_process import running_gateway
from model_compiler.evaluation.labelled_frames import LabelledFrames, read_labelled_frames
from model_compiler.evaluation.predictions import Classifications, Detections
from model_compiler.evaluation.settings import EvaluationSettings
from tests.model_compiler.evaluation.frame_sets import write_picture
from tests.system.small_builds import classifier_card, shade_classifier, write_build

REPOSITORY = Path(__file__).parents[3]
FRAMES = REPOSITORY / "samples" / "frames"


def shipped(name: str, build: str) -> Candidate:
    folder = REPOSITORY / "model_repository" / build
    paths = (path for path in folder.rglob("*") if path.is_file())
    return Candidate(name, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})


@pytest.fixture(scope="module")
def edge() -> Candidate:
    return shipped("f32-openvino", "defects-1.2.1_x86-cpu")


@pytest.fixture(scope="module")
def frames(edge: Candidate) -> LabelledFrames:
    return read_labelled_frames(FRAMES, edge.card.labels, "detection")


@pytest.fixture(scope="module")
def reports() -> list[str]:
    return []


def spoilt(name: str, whole: Candidate, files: Mapping[str, bytes]) -> Candidate:
    """A build of its own name with some files replaced; the manifest has their hashes."""
    named = {path: whole.files[path].replace(b"defects", name.encode()) for path in (CARD_FILE, CONFIG_FILE)}
    contents = {**whole.files, **named, **files}
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items() if path != MANIFEST_FILE}
    manifest = BuildManifest(build=f"{name}-{whole.card.version}_x86-cpu", files=hashes)
    return Candidate(name, {**contents, MANIFEST_FILE: manifest.model_dump_json().encode()})


@pytest.fixture(scope="module")
def running_before() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


@pytest.fixture(scope="module")
def evaluation(running_before: set[int], edge: Candidate, frames: LabelledFrames, reports: list[str]) -> Evaluation:
    """Of a sound build, beside one that does not load and one whose answers are not what its card says."""
    settings = EvaluationSettings(frames=FRAMES, rounds=2, seconds_per_round=0.2, resamples=20)
    output = OutputSpec(name="probabilities", decoder="probabilities")
    classifier = edge.card.model_copy(update={"model": "silent", "task": "classification", "output": output})
    silent = spoilt("silent", edge, {CARD_FILE: classifier.model_dump_json().encode()})
    candidates = [spoilt("broken", edge, {"1/model.onnx": b"not a model"}), edge, silent]
    return evaluate_candidates(candidates, frames, settings, hardware_class="x86-cpu", report=reports.append)


def test_accuracy_on_the_sample_frames(evaluation: Evaluation) -> None:
    found = evaluation.results["f32-openvino"]
    map50 = found.metrics[0]
    assert (map50.name, map50.n) == ("mAP50", 8)
    assert map50.value > 0.6
    assert set(found.accuracy_by_label) <= set(evaluation.frames.labels)
    predictions = evaluation.predictions["f32-openvino"]
    assert isinstance(predictions, Detections)
    assert len(predictions.rows) == 8
    assert min(float(rows[:, 4].min()) for rows in predictions.rows) < 0.05  # far below the threshold of serving
    assert sum(map(len, predictions.shown())) < sum(map(len, predictions.rows))


def test_speed_memory_and_load_are_measured(evaluation: Evaluation, edge: Candidate) -> None:
    found = evaluation.results["f32-openvino"]
    performance = found.performance
    assert (performance.status, performance.hardware_class, performance.runtime) == ("measured", "x86-cpu", "openvino")
    assert len(found.images_per_second_rounds) == len(found.latency_p50_ms_rounds) == 2
    assert performance.latency_p50_ms is not None
    assert performance.latency_p99_ms is not None
    assert 0.5 < performance.latency_p50_ms <= performance.latency_p99_ms
    assert performance.load_seconds is not None
    assert 0.05 < performance.load_seconds < 60
    assert performance.peak_memory_bytes is not None
    assert performance.peak_memory_bytes > 20e6
    assert performance.cpu_ms_per_image is not None
    assert performance.cpu_ms_per_image > 0.5
    assert found.size_bytes == len(edge.files["1/model.onnx"])


def test_progress_is_told(evaluation: Evaluation, reports: list[str]) -> None:
    assert "f32-openvino: answers to 8 frames" in reports
    assert "round 2 of 2: f32-openvino" in reports


def test_what_does_not_load_or_answer_is_left_out(evaluation: Evaluation, reports: list[str]) -> None:
    assert set(evaluation.results) == set(evaluation.predictions) == {"f32-openvino"}
    assert evaluation.failed["broken"].startswith("it does not load: ")
    assert evaluation.failed["silent"].startswith("frame frame-00000.jpg: HTTP 400")
    assert [line.partition(":")[0] for line in reports if ": refused: " in line] == ["broken", "silent"]
    assert not [line for line in reports if line.startswith("round") and not line.endswith("f32-openvino")]


def test_nothing_is_left_running(running_before: set[int], evaluation: Evaluation) -> None:
    started = [each for each in psutil.Process().children(recursive=True) if each.pid not in running_before]
    commands = [" ".join(process.cmdline()) for process in started]
    assert not [command for command in commands if "outpost-gateway" in command or "tritonserver" in command]


@pytest.fixture(scope="module")
def gateway_address(edge: Candidate) -> Iterator[str]:
    """A gateway with one build, that has refused a broken one."""
    with running_gateway() as gateway:
        gateway.load(edge)
        broken = {**edge.files, "1/model.onnx": b"not a model"}
        broken[CARD_FILE] = edge.files[CARD_FILE].replace(b'"model": "defects"', b'"model": "broken"')
        manifest = json.loads(edge.files[MANIFEST_FILE])
        broken[MANIFEST_FILE] = json.dumps(manifest | {"build": "broken-1.0.0_x86-cpu"}).encode()
        with pytest.raises(GatewayFailed, match="int8: it does not load"):
            gateway.load(Candidate("int8", broken))
        yield gateway.address


def test_a_frame_that_is_no_picture_is_named(gateway_address: str) -> None:
    client = GatewayClient(gateway_address, "f32-openvino")
    with pytest.raises(FrameNotAnswered, match=r"f32-openvino, frame bad\.jpg: HTTP 400"):
        client.ask(b"not a picture", "bad.jpg")
    with pytest.raises(FrameNotAnswered, match=r"HTTP 400: .*probabilities"):
        client.probabilities((FRAMES / "frame-00000.jpg").read_bytes(), "frame-00000.jpg")
    client.close()


@pytest.fixture(scope="module")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """A classifier for another hardware class; one of two frames labelled bright is not."""
    folder = tmp_path_factory.mktemp("shades")
    for number, (label, grey) in enumerate([("dark", 0), ("dark", 51), ("dark", 102), ("bright", 255), ("bright", 51)]):
        write_picture(folder / "frames" / label / f"{number}.png", grey=grey)
    card = classifier_card("shade").model_copy(update={"hardware_class": "medical-cart-cpu"})
    build = folder / write_build(folder, card, shade_classifier().SerializeToString())
    (build / CARD_FILE).write_text(card.model_dump_json())
    paths = (path for path in build.rglob("*") if path.is_file())
    candidate = Candidate("f32", {path.relative_to(build).as_posix(): path.read_bytes() for path in paths})
    frames = read_labelled_frames(folder / "frames", card.labels, "classification")
    settings = EvaluationSettings(frames=folder / "frames", rounds=1, seconds_per_round=0.05, resamples=20)
    return evaluate_candidates([candidate], frames, settings, hardware_class="x86-cpu")


def test_a_classifier_of_another_class_is_measured_by_its_probabilities(shades: Evaluation) -> None:
    found, predictions = shades.results["f32"], shades.predictions["f32"]
    assert isinstance(predictions, Classifications)
    # frames are sorted by label: two bright ones, then three dark ones
    assert predictions.probabilities[:, 1] == pytest.approx([1.0, 0.2, 0.0, 0.2, 0.4], abs=0.01)
    assert [metric.name for metric in found.metrics] == ["top1"]
    assert found.metrics[0].value == pytest.approx(0.8)
    assert found.confusion == ((3, 0), (1, 1))
    assert found.accuracy_by_label == {"dark": 1.0, "bright": 0.5}
    assert found.performance_on("medical-cart-cpu").status == "not_measured"
