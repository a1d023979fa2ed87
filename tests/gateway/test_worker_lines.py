"""A worker's process follows its supervisor's lines."""

import asyncio
import json
from typing import Any

from gateway.workers.process_main import follow


async def test_questions_are_answered_while_a_catalogue_takes_its_time_and_catalogues_keep_their_order() -> None:
    reader, may_end, done = asyncio.StreamReader(), asyncio.Event(), list[int]()
    asked, accepted = asyncio.Event(), asyncio.Event()

    async def obey(message: dict[str, Any]) -> None:
        if message["kind"] == "catalogue" and message["id"] == 1:
            await may_end.wait()
        done.append(message["id"])
        if message["kind"] == "status":
            asked.set()
        if message["id"] == 2:
            accepted.set()

    for number, kind in enumerate(["catalogue", "catalogue", "status"], start=1):
        reader.feed_data(json.dumps({"kind": kind, "id": number}).encode() + b"\n")
    following = asyncio.create_task(follow(reader, obey))
    await asyncio.wait_for(asked.wait(), 10)
    assert done == [3]
    may_end.set()
    await asyncio.wait_for(accepted.wait(), 10)
    reader.feed_eof()
    await following
    assert done == [3, 1, 2]


async def test_the_end_of_the_line_does_not_wait_for_catalogues() -> None:
    reader, begun, obeyed = asyncio.StreamReader(), asyncio.Event(), list[int]()

    async def obey(message: dict[str, Any]) -> None:
        obeyed.append(message["id"])
        begun.set()
        await asyncio.Event().wait()

    for number in (1, 2):
        reader.feed_data(json.dumps({"kind": "catalogue", "id": number}).encode() + b"\n")
    following = asyncio.create_task(follow(reader, obey))
    await asyncio.wait_for(begun.wait(), 10)
    reader.feed_eof()
    await asyncio.wait_for(following, 10)
    assert obeyed == [1]
