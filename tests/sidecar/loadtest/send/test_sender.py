"""The sender: an open loop that loses nothing and tells of its own lateness."""

import asyncio
import time
from collections.abc import Iterable, Iterator

import pytest
from aiohttp import web

from sidegate_sidecar.loadtest.plan.schedule import Planned
from sidegate_sidecar.loadtest.send.outcome import Outcome
from sidegate_sidecar.loadtest.send.record import Records
from sidegate_sidecar.loadtest.send.sender import WARM_UP, Sender, Target
from tests.sidecar.loadtest.servers import Held, lying, says
from tests.support.in_process.cluster import eventually


async def send(
    url: str, planned: Iterable[Planned], *, most: int = 100, patience: float = 20.0
) -> Records:
    records = Records(1)
    target = Target([url], ["test-a-"], "x-api-key", {"accept": "text/plain"})
    sender = Sender(target, records, most, patience)
    async with sender.session() as session:
        await sender.run(planned, session)
    return records


def at_once(count: int, at: float = 0.0) -> list[Planned]:
    return [Planned(at, 0, number) for number in range(count)]


async def test_requests_carry_their_key_and_the_headers_that_were_given() -> None:
    """The key of a number is the same whenever it is used."""
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers["x-api-key"], request.headers["accept"]))
        return web.Response()

    async with lying(answer) as url:
        await send(url, [Planned(0, 0, 7), Planned(0.02, 0, 8), Planned(0.04, 0, 7)])
    assert seen == [(f"test-a-{number}", "text/plain") for number in (7, 8, 7)]


async def test_requests_start_though_others_are_not_answered() -> None:
    held = Held()
    async with lying(held.answer) as url:
        sending = asyncio.create_task(send(url, [Planned(at / 100, 0, 0) for at in range(30)]))
        await eventually(lambda: held.asked == 30)
        held.go.set()
        records = await sending
    assert records.counts[0] == {Outcome.ADMITTED: 30}
    assert records.max_in_flight == 30


async def test_what_is_due_beyond_the_bound_is_held_back_and_counted() -> None:
    """Five of eight at once, when five may be under way."""
    held = Held()
    async with lying(held.answer) as url:
        sending = asyncio.create_task(send(url, at_once(8), most=5))
        held.go.set()
        records = await sending
    assert records.counts[0] == {Outcome.ADMITTED: 5, Outcome.HELD_BACK: 3}
    assert len(records.streams[0]) == 8


async def test_a_timeout_is_counted_with_the_time_that_was_waited() -> None:
    """It is a request like all others, and the slowest of them."""
    held = Held()
    async with lying(held.answer) as url:
        records = await send(url, at_once(3), patience=0.1)
        held.go.set()
    assert records.counts[0] == {Outcome.TIMEOUT: 3}
    assert records.errors == {"no answer within 0.1 s": 3}
    assert min(records.streams[0].latencies(Outcome.TIMEOUT)) >= 0.1


async def test_a_broken_connection_is_counted() -> None:
    """Under the words of what went wrong."""

    async def answer(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.close()
        return web.Response()

    async with lying(answer) as url:
        records = await send(url, at_once(2))
    assert records.counts[0] == {Outcome.BROKEN: 2}
    assert sum(records.errors.values()) == 2


async def test_a_sender_that_stood_still_shows_it() -> None:
    """What was due meanwhile is sent late, and its latency counts from when it was due."""
    stood = False

    async def answer(_: web.Request) -> web.Response:
        nonlocal stood
        if not stood:
            stood = True
            time.sleep(0.4)  # noqa: ASYNC251  # this loop is the sender's too
        return web.Response()

    async with lying(answer) as url:
        records = await send(url, [Planned(at / 100, 0, 0) for at in range(30)])
    record = records.streams[0]
    late = [
        started - planned for started, planned in zip(record.started, record.planned, strict=True)
    ]
    assert max(late) > 0.2
    assert sum(latency > 0.05 for latency in record.latencies(Outcome.ADMITTED)) > 15
    assert record.started[0] == pytest.approx(record.planned[0], abs=0.3)


async def test_a_request_has_started_when_it_leaves_not_when_that_was_decided() -> None:
    """The loop had something else to do in between: that is lateness too."""

    def planned() -> Iterator[Planned]:
        asyncio.get_running_loop().call_soon(time.sleep, 0.3)
        yield Planned(0.0, 0, 0)

    async with lying(says(200)) as url:
        records = await send(url, planned())
    assert records.streams[0].started[0] >= 0.3


async def test_one_that_is_cancelled_waits_for_what_is_under_way() -> None:
    """It sends no more, and no answer is lost."""
    held, records = Held(), Records(1)
    async with lying(held.answer) as url:
        sender = Sender(Target([url], [""], "", {}), records, 100, 20.0)
        async with sender.session() as session:
            planned = [*at_once(4), *at_once(1, at=3600)]
            sending = asyncio.create_task(sender.run(planned, session))
            await eventually(lambda: records.in_flight == 4)
            sending.cancel()
            held.go.set()
            with pytest.raises(asyncio.CancelledError):
                await sending
    assert records.counts[0] == {Outcome.ADMITTED: 4}


async def test_warming_up_leaves_no_trace() -> None:
    """It asks, and nothing is recorded, not even that it failed."""
    records, asked = Records(1), 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return await says(500)(_)

    async with lying(answer) as url:
        sender = Sender(Target([url], [""], "", {}), records, 100, 20.0)
        async with sender.session() as session:
            await sender.warm_up(0, session)
    assert asked == WARM_UP
    assert records.total() == len(records.errors) == 0
