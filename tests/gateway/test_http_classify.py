"""Classes for people, and what the routes say to the wrong alias."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.fakes.family import PARTS, family_catalogue
from tests.fakes.http_gateway import HttpGateway, client_of, running_http_gateway
from tests.fakes.pictures import jpeg

CLASSIFY = "/v1/models/parts/classify"


def with_parts(gateway: HttpGateway, *probabilities: float) -> HttpGateway:
    gateway.catalogue = family_catalogue()
    gateway.backend.outputs[PARTS] = np.array(probabilities, dtype=np.float32)
    return gateway


async def test_a_picture_as_body() -> None:
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, 0.25, 0.7, 0.05)) as client:
        answer = await client.post(CLASSIFY, content=jpeg(), headers={"X-Request-Id": "r1"})
        content = answer.json()
        assert {name: content[name] for name in ("model", "build", "reason", "request_id")} == {
            "model": "parts",
            "build": PARTS,
            "reason": "stable",
            "request_id": "r1",
        }
        (frame,) = content["frames"]
        assert set(frame.pop("stage_ms")) == {"queue", "decode", "letterbox", "infer", "postprocess"}
        assert frame == {
            "width": 128,
            "height": 96,
            "label": "scratch",
            "score": 0.7,
            "confident": True,
            "top": [
                {"label": "scratch", "class": 1, "score": 0.7},
                {"label": "pass", "class": 0, "score": 0.25},
                {"label": "pit", "class": 2, "score": 0.05},
            ],
        }
        assert gateway.count("outpost_classes_total", model="parts", label="scratch") == 1
        assert gateway.count("outpost_confidence_sum", model="parts") == pytest.approx(0.7)
        assert gateway.count("outpost_model_executions_total", model="parts", build=PARTS) == 1
        assert gateway.count("outpost_requests_total", model="parts", build=PARTS, protocol="http", code="200") == 1


@pytest.mark.parametrize(
    ("probabilities", "query", "confident"),
    [
        ((0.4, 0.35, 0.25), "", False),
        ((0.5, 0.25, 0.25), "", True),
        ((0.1, 0.2, 0.7), "", False),  # pit has a threshold of its own
        ((0.1, 0.2, 0.7), "?threshold=0.6", True),
        ((0.5, 0.25, 0.25), "?threshold=0.6", False),
    ],
)
async def test_a_class_below_the_threshold_is_named_but_not_sure(
    probabilities: tuple[float, ...], query: str, confident: bool
) -> None:
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, *probabilities)) as client:
        (frame,) = (await client.post(CLASSIFY + query, content=jpeg())).json()["frames"]
        assert frame["confident"] is confident
        assert frame["score"] == pytest.approx(max(probabilities), abs=1e-5)


@pytest.mark.parametrize(("top_k", "count"), [("1", 1), ("2", 2), ("99", 3)])
async def test_the_number_of_classes(top_k: str, count: int) -> None:
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, 0.25, 0.7, 0.05)) as client:
        (frame,) = (await client.post(f"{CLASSIFY}?top_k={top_k}", content=jpeg())).json()["frames"]
        assert len(frame["top"]) == count


async def test_the_picture_with_its_class() -> None:
    plain = io.BytesIO()
    Image.new("RGB", (256, 192), (90, 90, 90)).save(plain, "JPEG")
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, 0.25, 0.7, 0.05)) as client:
        answer = await client.post(f"{CLASSIFY}?render=1", content=plain.getvalue())
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["outpost-build"] == PARTS
        assert "outpost-detections" not in answer.headers
        drawn = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
        assert drawn.shape == (192, 256, 3)
        assert np.abs(drawn[:10, :60] - 90).max() > 50
        assert np.abs(drawn[100:, 100:] - 90).max() < 20


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/models/parts/detect", "model 'parts' does classification, it cannot detect: ask POST /v1/models/parts/c"),
        ("/v1/models/defects/classify", "model 'defects' does detection, it cannot classify: ask POST /v1/models/def"),
        ("/v1/models/inspection/classify", "model 'inspection' does detection, it cannot classify"),
        (f"{CLASSIFY}?top_k=0", "top_k: expected an integer from 1 on, got '0'"),
        (f"{CLASSIFY}?top_k=1.5", "top_k: expected an integer from 1 on, got '1.5'"),
        (f"{CLASSIFY}?timeout=0", "timeout: expected seconds, a number above 0 and at most 86400, got '0'"),
        (f"{CLASSIFY}?timeout=nan", "timeout: expected seconds, a number above 0"),
        (f"{CLASSIFY}?timeout=soon", "timeout: expected seconds, a number above 0"),
    ],
)
async def test_what_cannot_be_asked(path: str, words: str) -> None:
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, 0.25, 0.7, 0.05)) as client:
        answer = await client.post(path, content=jpeg())
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(words)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ([float("nan"), 0.5, 0.5], "the probability of 'pass' is nan"),
        ([0.0, 7.5, -3.0], "the probability of 'scratch' is 7.5; for logits, the card must name that decoder"),
        ([0.5, 0.5], "expected one value for each of the 3 labels, got shape [2]"),
    ],
)
async def test_an_output_that_makes_no_sense(output: list[float], words: str) -> None:
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, *output)) as client:
        answer = await client.post(CLASSIFY, content=jpeg())
        assert answer.status_code == 500
        assert answer.json()["error"] == f"model '{PARTS}' gave an invalid output: {words}"


async def test_a_timeout_in_seconds() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        gateway.backend.open.clear()
        answer = await client.post("/v1/models/defects/detect?timeout=0.5", content=jpeg())
        assert (answer.status_code, answer.json()) == (504, {"error": "deadline exceeded during infer"})
        gateway.backend.open.set()
        assert (await client.post("/v1/models/defects/detect?timeout=20", content=jpeg())).status_code == 200


async def test_deepstack_asks_the_first_detector() -> None:
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, 0.25, 0.7, 0.05)) as client:
        known = family_catalogue()
        aliases = {"parts": known.aliases["parts"], "defects": known.aliases["defects"]}
        gateway.catalogue = known.model_copy(update={"aliases": aliases})
        form = {"image": ("a.jpg", jpeg())}
        assert (await client.post("/v1/vision/detection", files=form)).json()["success"] is True
        assert (await client.post("/v1/vision/custom/inspection", files=form)).json()["success"] is True
        refused = await client.post("/v1/vision/custom/parts", files=form)
        assert (refused.status_code, "cannot detect" in refused.json()["error"]) == (400, True)


async def test_the_list_of_models_tells_what_each_does() -> None:
    async with running_http_gateway() as gateway, client_of(with_parts(gateway, 1.0, 0.0, 0.0)) as client:
        models = {each["name"]: each for each in (await client.get("/v1/models")).json()["models"]}
        assert {name: each["task"] for name, each in models.items()} == {
            "defects": "detection",
            "parts": "classification",
            "inspection": "detection",
        }
        assert models["inspection"]["cascade"]["skip_label"] == "pass"
        assert models["parts"]["labels"] == ["pass", "scratch", "pit"]
