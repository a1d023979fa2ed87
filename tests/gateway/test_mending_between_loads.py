"""A build that lost its instances is mended before another one's load has ended, against a stand-in for Triton."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.active_models import ActiveModel, ActiveModels
from contracts.model_card import CARD_PARAMETER
from gateway.catalogue import Catalogue
from gateway.errors import InstanceLost
from gateway.messages import InferRequest, InferResponse
from gateway.supervision.active_models_file import ActiveModelsFile
from gateway.supervision.probe import Prober
from gateway.supervision.supervisor import Supervisor
from tests.fakes.device_with_builds import CONFIG, A, B, Device, device_with_builds, look
from tests.fakes.fake_runner import FakeRunner
from tests.fakes.http_gateway import CARD

CARD_OF_A = CARD.model_copy(update={"model": "a", "version": "1.0.0"})


class DeadBackend:
    """The instances of every build are dead."""

    async def infer(self, request: InferRequest, timeout_seconds: float) -> InferResponse:
        raise InstanceLost(request.model, "its process died")

    async def answered(self, _model: str) -> int:
        return 0


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    """With a build that an earlier gateway has loaded, and one whose load does not end."""
    async with device_with_builds(tmp_path) as made:
        card = json.dumps(CARD_OF_A.model_dump_json())
        parameter = f'parameters {{ key: "{CARD_PARAMETER}" value {{ string_value: {card} }} }}'
        made.put(A, config=f"{CONFIG} {parameter}")
        await look(made.gateway(), A)
        made.triton.hold[B] = asyncio.Event()
        made.loaded()
        made.triton.unloads.clear()
        models = {"b": ActiveModel(stable=B), "a": ActiveModel(stable=A)}
        (tmp_path / "active.json").write_text(ActiveModels(models=models).model_dump_json())
        yield made
        made.triton.hold[B].set()


@pytest.mark.parametrize("probe_seconds", [0, 10], ids=["by-a-request", "by-a-probe"])
async def test_lost_instances_do_not_wait_for_the_load_of_another_build(
    device: Device, tmp_path: Path, probe_seconds: int
) -> None:
    said: list[str] = []

    async def publish(catalogue: Catalogue) -> None:
        known = catalogue.builds.get(A)
        if known is not None:
            said.append(known.reason)
        if known is not None and known.ready and not probe_seconds:
            supervisor.report_lost(InstanceLost(A, "its process died"))

    supervisor = Supervisor(
        FakeRunner(ours=False),
        device.control,
        device.gateway(),
        Prober(DeadBackend(), probe_seconds),
        ActiveModelsFile(tmp_path / "active.json"),
        publish,
    )
    running = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(10.0):
            while [load.model_name for load in device.triton.loads] != [A, B]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert any(reason.startswith("instances are being replaced: ") for reason in said)
