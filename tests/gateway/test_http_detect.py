"""Pictures in, JSON or pictures out."""

import io
import time

import httpx
import numpy as np
import pytest
from PIL import Image

from gateway.errors import BadRequest
from gateway.http_api.multipart import parts_named, read_form
from gateway.settings import Settings
from tests.fakes.http_gateway import BUILD, HttpGateway, running_http_gateway
from tests.fakes.pictures import jpeg

DETECT = "/v1/models/defects/detect"
FOUND = [(8, 16, 16, 32, 0.75, 1), (40, 20, 60, 40, 0.5, 0)]


def client_of(gateway: HttpGateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, timeout=20, trust_env=False)


async def test_a_picture_as_body() -> None:
    async with running_http_gateway(FOUND) as gateway, client_of(gateway) as client:
        answer = await client.post(DETECT, content=jpeg(), headers={"X-Request-Id": "r1"})
        assert answer.status_code == 200
        content = answer.json()
        assert {name: content[name] for name in ("model", "build", "reason", "request_id")} == {
            "model": "defects",
            "build": BUILD,
            "reason": "stable",
            "request_id": "r1",
        }
        (frame,) = content["frames"]
        assert (frame["width"], frame["height"]) == (128, 96)
        assert frame["detections"] == [
            {"label": "pit", "class": 1, "score": 0.75, "box": [16.0, 16.0, 32.0, 48.0]},
            {"label": "scratch", "class": 0, "score": 0.5, "box": [80.0, 24.0, 120.0, 64.0]},
        ]
        assert set(frame["stage_ms"]) == {"queue", "decode", "letterbox", "infer", "postprocess"}
        assert gateway.count("outpost_requests_total", model="defects", build=BUILD, protocol="http", code="200") == 1


async def test_several_pictures_in_a_form() -> None:
    forms = [("image", ("a.jpg", jpeg(128, 96))), ("other", ("x.bin", b"x")), ("image", ("b.jpg", jpeg(64, 64)))]
    async with running_http_gateway(FOUND) as gateway, client_of(gateway) as client:
        answer = await client.post(DETECT, files=forms)
        sizes = [(frame["width"], frame["height"]) for frame in answer.json()["frames"]]
        assert sizes == [(128, 96), (64, 64)]


async def test_the_stages_of_a_frame_are_its_time() -> None:
    async with running_http_gateway(FOUND) as gateway, client_of(gateway) as client:
        began_at = time.monotonic()
        answer = await client.post(DETECT, content=jpeg(1280, 960))
        seconds = time.monotonic() - began_at
        assert sum(answer.json()["frames"][0]["stage_ms"].values()) / 1e3 < seconds
        stages = sum(
            gateway.count("outpost_stage_seconds_sum", model="defects", stage=stage)
            for stage in ("read", "queue", "decode", "letterbox", "infer", "postprocess", "encode")
        )
        total = gateway.count("outpost_request_seconds_sum", model="defects", protocol="http")
        assert total * 0.2 < stages <= total


@pytest.mark.parametrize(("threshold", "count"), [("0.6", 1), ("0.9", 0), ("0", 2), ("1", 0)])
async def test_a_threshold(threshold: str, count: int) -> None:
    async with running_http_gateway(FOUND) as gateway, client_of(gateway) as client:
        answer = await client.post(f"{DETECT}?threshold={threshold}", content=jpeg())
        assert len(answer.json()["frames"][0]["detections"]) == count


async def test_the_picture_with_boxes() -> None:
    plain = io.BytesIO()
    Image.new("RGB", (128, 96), (90, 90, 90)).save(plain, "JPEG")
    async with running_http_gateway(FOUND) as gateway, client_of(gateway) as client:
        answer = await client.post(f"{DETECT}?render=1", content=plain.getvalue())
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["outpost-detections"] == "2"
        drawn = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert drawn.shape == (96, 128, 3)
        assert np.abs(drawn[30:40, 14:18].astype(int) - 90).max() > 50  # the left edge of the first box
        assert np.abs(drawn[70:90, 100:120].astype(int) - 90).max() < 20


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?threshold=2", "threshold: expected a number from 0 to 1, got '2'"),
        ("?threshold=x", "threshold: expected a number from 0 to 1, got 'x'"),
        ("?threshold=nan", "threshold: expected a number from 0 to 1, got 'nan'"),
        ("?threshold=", "threshold: expected a number from 0 to 1, got ''"),
        ("?render=maybe", "render: expected 1 or 0, got 'maybe'"),
        ("?" + "&".join(f"a{index}=1" for index in range(40)), "query: expected at most 16 parameters, got more"),
    ],
)
async def test_bad_queries(query: str, words: str) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        answer = await client.post(DETECT + query, content=jpeg())
        assert (answer.status_code, answer.json()) == (400, {"error": words})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body: expected a picture, or a form with a part named 'image', got 0 bytes"),
        (b"not a picture", "images[0] of 1: The image cannot be decoded"),
        (jpeg()[:200], "images[0] of 1: The image cannot be decoded"),
    ],
)
async def test_bad_pictures(body: bytes, words: str) -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        answer = await client.post(DETECT, content=body)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(words)
        assert (await client.post(DETECT, content=jpeg())).status_code == 200


async def test_a_picture_with_too_many_pixels() -> None:
    settings = Settings(max_pixels=5000)
    async with running_http_gateway(settings=settings) as gateway, client_of(gateway) as client:
        answer = await client.post(DETECT, content=jpeg())
        assert answer.status_code == 400
        assert "128 x 96" in answer.json()["error"]


async def test_only_one_picture_can_be_rendered() -> None:
    forms = [("image", ("a.jpg", jpeg())), ("image", ("b.jpg", jpeg()))]
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        answer = await client.post(f"{DETECT}?render=1", files=forms)
        assert (answer.status_code, answer.json()) == (400, {"error": "render: expected one picture, got 2"})


async def test_only_aliases_take_pictures() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        answer = await client.post(f"/v1/models/{BUILD}/detect", content=jpeg())
        assert answer.status_code == 404
        assert answer.json()["error"] == f"Request for unknown model: '{BUILD}' is not found; known: defects"


async def test_the_list_of_models() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        assert (await client.get("/v1/models")).json() == {
            "models": [
                {
                    "name": "defects",
                    "ready": True,
                    "build": BUILD,
                    "task": "detection",
                    "labels": ["scratch", "pit"],
                    "input": {"width": 64, "height": 64},
                    "threshold": 0.25,
                }
            ]
        }
        gateway.catalogue = gateway.catalogue.model_copy(update={"builds": {}})
        (model,) = (await client.get("/v1/models")).json()["models"]
        assert model == {
            "name": "defects",
            "ready": False,
            "build": None,
            "reason": f"build {BUILD} is not loaded yet",
        }
        assert (await client.post(DETECT, content=jpeg())).status_code == 503
        assert "detect" in (await client.get("/")).json()["endpoints"]


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="image"; filename="a"\r\nContent-Type: image/jpeg\r\n\r\n'
    b"\x00\r\n--C\r\n-\r\n--B\r\nContent-Disposition: form-data; name=key\r\n\r\nv\r\n"
    b'--B\r\ncontent-disposition: form-data; name="image"\r\n\r\n\r\n--B--\r\n'
)


def test_parts_of_a_form_in_literal_bytes() -> None:
    form = read_form(FORM, "multipart/form-data; boundary=B")
    assert form == [("image", b"\x00\r\n--C\r\n-"), ("key", b"v"), ("image", b"")]
    assert read_form(FORM, 'multipart/form-data; charset=x; boundary="B"') == form
    assert parts_named("image", form) == [b"\x00\r\n--C\r\n-", b""]


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (FORM, "multipart/form-data", "Content-Type: expected multipart/form-data with a boundary"),
        (FORM, "multipart/form-data; boundary=X", "body: expected a multipart form, got"),
        (FORM[:-8], "multipart/form-data; boundary=B", "got one that ends early"),
        (b"", "multipart/form-data; boundary=B", "got one that ends early"),
        (
            FORM.replace(b'"image"', b'"picture"'),
            "multipart/form-data; boundary=B",
            r"parts named \['key', 'picture'\]",
        ),
        (
            b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n" * 100 + b"--B--\r\n",
            "multipart/form-data; boundary=B",
            "at most 80 parts",
        ),
        (
            b"--B\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n\r\n--B--\r\n",
            "multipart/form-data; boundary=B",
            "body: expected",
        ),
    ],
)
def test_bad_forms(body: bytes, content_type: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parts_named("image", read_form(body, content_type))
