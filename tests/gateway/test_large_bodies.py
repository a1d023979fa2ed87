"""The event loop goes on while large tensors are read and written."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from gateway.errors import DeadlineExceeded
from gateway.http_api.large_bodies import LARGE_BYTES, LargeBodies
from tests.fakes.http_gateway import RAW_BUILD, client_of, running_http_gateway

COUNT = 150_000
ATTEMPTS = 3  # other programs on the machine make pauses too


@asynccontextmanager
async def longest_pause() -> AsyncIterator[list[float]]:
    """Times between two turns of a task that does nothing."""
    pauses = [0.0]
    ended = asyncio.Event()

    async def tick() -> None:
        last = time.perf_counter()
        while not ended.is_set():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    try:
        yield pauses
    finally:
        ended.set()
        await ticking


@pytest.mark.parametrize("writes", [False, True], ids=["read", "written"])
async def test_others_are_served_while_a_large_tensor_is(writes: bool) -> None:
    values = np.random.default_rng(0).random(COUNT, dtype=np.float32)
    tensor: dict[str, object] = {"name": "X", "datatype": "FP32", "shape": [COUNT]}
    tensor |= {"parameters": {"binary_data_size": values.nbytes}} if writes else {"data": values.tolist()}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": not writes}}).encode()
    body = head + values.tobytes() if writes else head
    headers = {"Inference-Header-Content-Length": str(len(head))}
    shares = list[float]()
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        for _ in range(ATTEMPTS):
            async with longest_pause() as pauses:
                began_at = time.perf_counter()
                answer = await client.post(f"/v2/models/{RAW_BUILD}/infer", content=body, headers=headers)
                shares.append(max(pauses) / (time.perf_counter() - began_at))
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    if writes:
        np.testing.assert_array_equal(np.float32(answer.json()["outputs"][0]["data"]), values)
    else:
        assert answer.content.endswith(values.tobytes())
    # one that holds the interpreter pauses the loop for half of the time and more
    assert min(shares) < 0.2, shares


async def test_small_work_is_done_at_once_and_large_work_in_another_thread() -> None:
    large = LargeBodies(patience_seconds=5.0)
    here = threading.get_ident()
    assert await large.run(LARGE_BYTES - 1, threading.get_ident, "read") == here
    assert await large.run(LARGE_BYTES, threading.get_ident, "read") != here


async def test_one_large_piece_at_a_time_and_nobody_waits_for_ever() -> None:
    large = LargeBodies(patience_seconds=0.05)
    done = threading.Event()
    first = asyncio.create_task(large.run(LARGE_BYTES, done.wait, "read"))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceeded, match="during read"):
        await large.run(LARGE_BYTES, lambda: None, "read")
    done.set()
    assert await first
    assert await large.run(LARGE_BYTES, lambda: "next", "read") == "next"


async def test_a_caller_who_goes_away_does_not_let_a_second_piece_run_beside_the_first() -> None:
    large = LargeBodies(patience_seconds=0.05)
    began, done = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        done.wait(5.0)
        raise ValueError("nobody hears it")

    first = asyncio.create_task(large.run(LARGE_BYTES, work, "read"))
    assert await asyncio.to_thread(began.wait, 5.0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(DeadlineExceeded, match="during read"):
        await large.run(LARGE_BYTES, lambda: None, "read")
    done.set()
    assert await large.run(LARGE_BYTES, lambda: "next", "read") == "next"
