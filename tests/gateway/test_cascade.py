"""A cascade: who runs, who does not, and what the caller hears."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest

from contracts.active_models import Canary, Cascade
from gateway.catalogue import Catalogue
from gateway.errors import ModelNotReady, TritonCode, TritonRejected
from tests.fakes.family import BUILD, CASCADE, PARTS, PARTS_CARD, SMALL_INPUT, family_catalogue, without
from tests.fakes.http_gateway import CARD, HttpGateway, client_of, running_http_gateway, until
from tests.fakes.pictures import jpeg

DETECT = "/v1/models/inspection/detect"
FOUND = [(8, 16, 16, 32, 0.75, 1)]


@asynccontextmanager
async def inspecting(
    *probabilities: float, catalogue: Catalogue | None = None, max_in_flight: int = 4, max_queue: int = 4
) -> AsyncIterator[tuple[HttpGateway, httpx.AsyncClient]]:
    """A gateway whose classifier always says the same, and a client of it."""
    async with (
        running_http_gateway(FOUND, max_in_flight=max_in_flight, max_queue=max_queue) as gateway,
        client_of(gateway) as client,
    ):
        gateway.catalogue = catalogue or family_catalogue()
        gateway.backend.outputs[PARTS] = np.array(probabilities, dtype=np.float32)
        yield gateway, client


async def ask(client: httpx.AsyncClient, query: str = "") -> httpx.Response:
    return await client.post(DETECT + query, content=jpeg())


@pytest.mark.parametrize(
    ("probabilities", "looks"),
    [
        ((0.95, 0.03, 0.02), False),
        ((0.9, 0.05, 0.05), False),  # at least the score
        ((0.89, 0.06, 0.05), True),  # passed, but not surely
        ((0.05, 0.9, 0.05), True),
    ],
)
async def test_the_detector_runs_only_on_what_does_not_surely_pass(
    probabilities: tuple[float, ...], looks: bool
) -> None:
    async with inspecting(*probabilities) as (gateway, client):
        content = (await ask(client)).json()
        (frame,) = content["frames"]
        assert frame["executed"] == (["parts", "defects"] if looks else ["parts"])
        assert [each["label"] for each in frame["detections"]] == (["pit"] if looks else [])
        assert (frame["width"], frame["height"]) == (128, 96)
        assert frame["verdict"]["score"] == pytest.approx(max(probabilities), abs=1e-5)
        assert content["build"] == (f"{PARTS},{BUILD}" if looks else PARTS)
        assert [build for build, _ in gateway.backend.asked] == ([PARTS, BUILD] if looks else [PARTS])
        executions = "outpost_model_executions_total"
        assert gateway.count(executions, model="inspection", build=PARTS) == 1
        assert gateway.count(executions, model="inspection", build=BUILD) == (1 if looks else 0)


async def test_a_low_skip_score_does_not_pass_what_is_something_else() -> None:
    eager = family_catalogue(CASCADE.model_copy(update={"skip_score": 0.1}))
    async with inspecting(0.2, 0.7, 0.1, catalogue=eager) as (_, client):
        assert len((await ask(client)).json()["frames"][0]["executed"]) == 2


async def test_equal_inputs_are_prepared_once_and_others_twice() -> None:
    async with inspecting(0.1, 0.9, 0.0) as (gateway, client):
        stages = (await ask(client)).json()["frames"][0]["stage_ms"]
        first, second = (tensor for _, tensor in gateway.backend.asked)
        assert np.array_equal(first, second)
        gateway.backend.asked.clear()
        small = PARTS_CARD.model_copy(update={"input": SMALL_INPUT})
        gateway.catalogue = family_catalogue(parts_card=small)
        answer = (await ask(client)).json()["frames"][0]
        shapes = [tensor.shape for _, tensor in gateway.backend.asked]
        assert shapes == [SMALL_INPUT.shape, CARD.input.shape]
        assert np.array_equal(gateway.backend.asked[1][1], second)
        assert answer["detections"][0]["box"] == [16.0, 16.0, 32.0, 48.0]
        assert min(stages.values()) >= 0.0


async def test_the_threshold_is_the_detector_s() -> None:
    async with inspecting(0.1, 0.9, 0.0) as (_, client):
        (frame,) = (await ask(client, "?threshold=0.8")).json()["frames"]
        assert frame["detections"] == []
        assert frame["executed"] == ["parts", "defects"]


async def test_the_picture_shows_boxes_and_verdict() -> None:
    async with inspecting(0.1, 0.9, 0.0) as (_, client):
        answer = await ask(client, "?render=1")
        assert (answer.headers["content-type"], answer.headers["outpost-detections"]) == ("image/jpeg", "1")


async def test_the_deadline_counts_for_both() -> None:
    async with inspecting(0.1, 0.9, 0.0) as (gateway, client):
        gateway.backend.open.clear()
        assert (await ask(client, "?timeout=0.05")).status_code == 504
        gateway.backend.open.set()
        await until(lambda: gateway.admission.in_flight == 0)
        assert [build for build, _ in gateway.backend.asked] == [PARTS]  # nobody waits for the second


async def test_a_client_that_goes_away_frees_its_place() -> None:
    async with inspecting(0.1, 0.9, 0.0) as (gateway, client):
        gateway.backend.open.clear()
        asked = asyncio.create_task(ask(client))
        await until(lambda: gateway.backend.entered == 1)
        asked.cancel()
        await asyncio.wait([asked])
        await asyncio.sleep(0.05)
        assert gateway.admission.in_flight == 1
        gateway.backend.open.set()
        await until(lambda: gateway.admission.in_flight == 0)


async def test_a_full_queue_refuses_the_whole_request() -> None:
    forms = [("image", (f"{index}.jpg", jpeg())) for index in range(3)]
    async with inspecting(0.1, 0.9, 0.0, max_in_flight=1, max_queue=1) as (gateway, client):
        assert (await client.post(DETECT, files=forms)).status_code == 429
        assert gateway.backend.asked == []


async def test_a_build_that_was_unloaded_meanwhile() -> None:
    async with inspecting(0.1, 0.9, 0.0) as (gateway, client):
        gateway.backend.error = TritonRejected(TritonCode.NOT_FOUND, "unknown model")
        assert (await ask(client)).status_code == 404
        gateway.backend.error = TritonRejected(TritonCode.INVALID_ARGUMENT, "no")
        assert (await ask(client)).status_code == 400


@pytest.mark.parametrize(
    ("catalogue", "words"),
    [
        (without(family_catalogue(), PARTS), f"model 'parts' is not ready: build {PARTS}: it does not load: broken"),
        (without(family_catalogue(), BUILD), f"model 'defects' is not ready: build {BUILD}: it does not load: broken"),
        (
            family_catalogue(Cascade(first="defects", then="parts", skip_label="pit")),
            f"its first alias 'defects' is not a classifier ({BUILD})",
        ),
        (
            family_catalogue(CASCADE.model_copy(update={"then": "parts"})),
            f"its second alias 'parts' is not a detector ({PARTS})",
        ),
        (
            family_catalogue(CASCADE.model_copy(update={"skip_label": "ok"})),
            f"skip_label 'ok' is not a label of {PARTS}; it has pass, scratch, pit",
        ),
    ],
)
async def test_a_cascade_that_cannot_answer_says_why(catalogue: Catalogue, words: str) -> None:
    assert not catalogue.alias_is_ready("inspection")
    assert not catalogue.is_ready()
    assert catalogue.not_ready_reason("inspection") == words
    with pytest.raises(ModelNotReady):
        catalogue.resolve_cascade("inspection", "")
    async with inspecting(0.1, 0.9, 0.0, catalogue=catalogue) as (_, client):
        answer = await ask(client)
        assert (answer.status_code, answer.json()) == (503, {"error": f"model 'inspection' is not ready: {words}"})
        assert (await client.get("/v2/models/inspection/ready")).status_code == 503


def test_a_cascade_is_ready_with_its_members() -> None:
    known = family_catalogue()
    assert known.is_ready()
    assert known.name_is_ready("inspection")
    assert known.not_ready_reason("inspection") == ""
    assert known.names()[:3] == ("defects", "parts", "inspection")
    assert Catalogue.model_validate_json(known.model_dump_json()) == known


def test_one_request_falls_on_the_same_side_of_both_canaries() -> None:
    known = family_catalogue()
    aliases = {
        alias: active.model_copy(update={"canary": Canary(build=f"{alias}-2.0.0_x86-cpu", share=0.5)})
        for alias, active in known.aliases.items()
    }
    trials = {
        f"{alias}-2.0.0_x86-cpu": known.builds[active.stable].model_copy(update={"name": f"{alias}-2.0.0_x86-cpu"})
        for alias, active in known.aliases.items()
    }
    both = known.model_copy(update={"aliases": aliases, "builds": {**known.builds, **trials}})
    chosen = [both.resolve_cascade("inspection", f"request-{number}") for number in range(200)]
    assert {(each.first.reason, each.then.reason) for each in chosen} == {("stable", "stable"), ("canary", "canary")}
