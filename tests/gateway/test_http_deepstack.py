"""DeepStack's API, as Frigate calls it."""

import httpx
import pytest

from tests.fakes.http_gateway import HttpGateway, running_http_gateway
from tests.fakes.pictures import jpeg

FOUND = [(8, 16, 16, 32, 0.75, 1), (40, 20, 60, 40, 0.5, 0)]


def client_of(gateway: HttpGateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, timeout=20, trust_env=False)


@pytest.mark.parametrize("path", ["/v1/vision/detection", "/v1/vision/custom/defects"])
async def test_predictions(path: str) -> None:
    async with running_http_gateway(FOUND) as gateway, client_of(gateway) as client:
        answer = await client.post(path, data={"api_key": ""}, files={"image": ("frame.jpg", jpeg())})
        assert answer.json() == {
            "success": True,
            "predictions": [
                {"label": "pit", "confidence": 0.75, "x_min": 16, "y_min": 16, "x_max": 32, "y_max": 48},
                {"label": "scratch", "confidence": 0.5, "x_min": 80, "y_min": 24, "x_max": 120, "y_max": 64},
            ],
            "count": 2,
        }
        answer = await client.post(path, data={"min_confidence": "0.6"}, files={"image": ("frame.jpg", jpeg())})
        assert answer.json()["count"] == 1


async def test_no_more_than_its_clients_can_hold() -> None:
    many = [(x, y, x + 4, y + 4, 0.9, 0) for x in range(0, 60, 10) for y in range(12, 52, 8)]
    async with running_http_gateway(many) as gateway, client_of(gateway) as client:
        answer = await client.post("/v1/vision/detection", files={"image": ("frame.jpg", jpeg())})
        assert len(many) == 30
        assert answer.json()["count"] == len(answer.json()["predictions"]) == 20


async def test_bad_requests() -> None:
    picture = {"image": ("frame.jpg", jpeg())}
    async with running_http_gateway(FOUND) as gateway, client_of(gateway) as client:
        for path, arguments, status in (
            ("/v1/vision/custom/nope", {"files": picture}, 404),
            ("/v1/vision/detection", {"content": jpeg()}, 400),
            ("/v1/vision/detection", {"files": {"photo": ("frame.jpg", jpeg())}}, 400),
            ("/v1/vision/detection", {"files": [*picture.items(), *picture.items()]}, 400),
            ("/v1/vision/detection", {"files": picture, "data": {"min_confidence": "x"}}, 400),
        ):
            answer = await client.post(path, **arguments)
            assert answer.status_code == status
        gateway.catalogue = gateway.catalogue.model_copy(update={"aliases": {}})
        assert (await client.post("/v1/vision/detection", files=picture)).status_code == 404
