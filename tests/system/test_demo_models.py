"""The shipped builds on the sample frames: intact, served, and equal to a plain reference in another runtime."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from model_compiler.packaging.build_directory import verify_build
from tests.system.conftest import REPOSITORY, SAMPLES
from tests.system.gateway_process import GatewayProcess
from tests.system.test_serving import frames_input

BUILDS = sorted(path for path in (REPOSITORY / "model_repository").iterdir() if path.is_dir())
DETECTORS = [path for path in BUILDS if path.name.startswith("defects")]
CLASSIFIER = next(path for path in BUILDS if path.name.startswith("parts"))
LEAST_OVERLAP = 0.8
SCORE_TOLERANCE = 0.08  # bf16 in the gateway, FP32 in the reference
THRESHOLD = 0.25
CERTAIN = 0.35  # below, a detection may fall on either side of the threshold

Detections = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("demo") / "state", REPOSITORY / "model_repository")
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


@pytest.mark.parametrize("build", BUILDS, ids=lambda path: path.name)
def test_shipped_builds_are_intact_and_say_how_good_they_are(build: Path) -> None:
    verify_build(build)
    card = ModelCard.model_validate_json((build / "card.json").read_bytes())
    assert card.build == build.name
    measured = {metric.name: metric for metric in card.metrics}
    accuracy = measured["top1" if card.task == "classification" else "mAP50"]
    assert accuracy.n == 5000
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < accuracy.value < accuracy.high


@pytest.mark.parametrize("build", DETECTORS, ids=lambda path: path.name)
def test_detections_equal_a_plain_reference(demo: GatewayProcess, build: Path) -> None:
    card = ModelCard.model_validate_json((build / "card.json").read_bytes())
    session = onnxruntime.InferenceSession(build / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    client = tritonclient.grpc.InferenceServerClient(demo.grpc_address)
    compared = 0
    for sample in SAMPLES:
        frame = [frames_input(tritonclient.grpc, sample.read_bytes())]
        answer = client.infer(card.model, frame, parameters={"outpost_threshold": str(THRESHOLD)})
        served = (answer.as_numpy("boxes")[0], answer.as_numpy("scores")[0], answer.as_numpy("classes")[0])
        expected = plain_reference(session, card, sample)
        compared += require_found(expected, served) + require_found(served, expected)
    assert compared >= 20


def test_classes_equal_a_plain_reference(demo: GatewayProcess) -> None:
    card = ModelCard.model_validate_json((CLASSIFIER / "card.json").read_bytes())
    session = onnxruntime.InferenceSession(CLASSIFIER / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    client = tritonclient.grpc.InferenceServerClient(demo.grpc_address)
    asked = [tritonclient.grpc.InferRequestedOutput("probabilities")]
    for sample in SAMPLES:
        answer = client.infer(card.model, [frames_input(tritonclient.grpc, sample.read_bytes())], outputs=asked)
        pixels, _ = plain_pixels(card, sample)
        (expected,) = session.run(["probabilities"], {"images": pixels[None]})
        np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=0.15)


def test_the_cascade_asks_the_detector_only_about_frames_that_are_not_passed(demo: GatewayProcess) -> None:
    client = tritonclient.grpc.InferenceServerClient(demo.grpc_address)
    asked = [
        tritonclient.grpc.InferRequestedOutput(name) for name in ("executed", "verdict", "num_detections", "boxes")
    ]
    executed = set()
    for sample in SAMPLES:
        frame = [frames_input(tritonclient.grpc, sample.read_bytes())]
        answer, alone = client.infer("inspection", frame, outputs=asked), client.infer("defects", frame)
        executed.add(answer.as_numpy("executed")[0])
        if answer.as_numpy("executed")[0] == b"parts,defects":
            np.testing.assert_array_equal(answer.as_numpy("boxes"), alone.as_numpy("boxes"))
        else:
            assert (answer.as_numpy("verdict")[0], answer.as_numpy("num_detections")[0]) == (b"pass", 0)
    assert b"parts,defects" in executed


def plain_reference(session: onnxruntime.InferenceSession, card: ModelCard, sample: Path) -> Detections:
    """ONNX Runtime in FP32, and a loop for NMS."""
    pixels, place = plain_pixels(card, sample)
    (output,) = session.run(["candidates"], {"images": pixels[None]})
    rows = [row for row in output[0] if row[4] >= THRESHOLD]
    kept: list[NDArray[np.float32]] = []
    for row in sorted(rows, key=lambda row: -row[4]):
        if all(row[5] != other[5] or overlap(row[:4], other[:4]) <= card.nms.iou_threshold for other in kept):
            kept.append(row)
    found = np.array(kept, dtype=np.float32).reshape(-1, 6)
    boxes = (found[:, :4] - (place.left, place.top, place.left, place.top)) / place.scale
    return (
        boxes.clip(0, [place.width, place.height, place.width, place.height]),
        found[:, 4],
        found[:, 5].astype(np.int32),
    )


class Place(NamedTuple):
    """Where a frame lies in the input, and its size."""

    left: int
    top: int
    scale: float
    width: int
    height: int


def plain_pixels(card: ModelCard, sample: Path) -> tuple[NDArray[np.uint8], Place]:
    """Full decode and antialiased resize in floats: (H, W, 3) in RGB."""
    pixels_bgr = cv2.imread(str(sample))
    assert pixels_bgr is not None
    frame = pixels_bgr[:, :, ::-1]
    height, width = frame.shape[:2]
    spec = card.input
    scale = min(spec.width / width, spec.height / height)
    size = (round(width * scale), round(height * scale))
    left, top = (spec.width - size[0]) // 2, (spec.height - size[1]) // 2
    half = cv2.resize(frame.astype(np.float32), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    pixels = np.full((spec.height, spec.width, 3), spec.pad_value, dtype=np.float32)
    pixels[top : top + size[1], left : left + size[0]] = cv2.resize(half, size, interpolation=cv2.INTER_LINEAR)
    return pixels.round().astype(np.uint8), Place(left, top, scale, width, height)


def overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return float(both / (areas - both))


def require_found(wanted: Detections, among: Detections) -> int:
    """Each certain detection has a counterpart of its class, place and score; returns how many were compared."""
    certain = [index for index in range(len(wanted[1])) if wanted[1][index] >= CERTAIN]
    for index in certain:
        matches = [
            other
            for other in range(len(among[1]))
            if among[2][other] == wanted[2][index] and overlap(among[0][other], wanted[0][index]) >= LEAST_OVERLAP
        ]
        assert matches, (wanted[0][index], wanted[1][index])
        assert min(abs(among[1][other] - wanted[1][index]) for other in matches) <= SCORE_TOLERANCE
    return len(certain)


def test_most_of_what_is_labelled_is_found(demo: GatewayProcess) -> None:
    labels = json.loads((SAMPLES[0].parent / "labels.coco.json").read_text())
    files = {image["id"]: image["file_name"] for image in labels["images"]}
    client = tritonclient.grpc.InferenceServerClient(demo.grpc_address)
    found = 0
    for label in labels["annotations"]:
        left, top, width, height = label["bbox"]
        frame = (SAMPLES[0].parent / files[label["image_id"]]).read_bytes()
        boxes = client.infer("defects", [frames_input(tritonclient.grpc, frame)]).as_numpy("boxes")[0]
        truth = np.array([left, top, left + width, top + height], dtype=np.float32)
        found += any(overlap(box, truth) >= 0.5 for box in boxes)
    assert found >= 0.5 * len(labels["annotations"])


def test_the_demo_command_shows_detections_and_the_cascade(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--folder", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert len(list((tmp_path / "pictures").iterdir())) == len(SAMPLES)
    found = re.search(r"cascade inspection: (\d+) frames? .*?classifier, (\d+) frames? .*?detector", said)
    assert found is not None, said
    assert int(found[1]) + int(found[2]) == len(SAMPLES)
    assert int(found[1]) >= 1
