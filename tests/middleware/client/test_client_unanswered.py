"""The asyncio client without a good answer: no sidecar, a silent one, nonsense, callers gone."""

import asyncio

import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.messages import Answers, Checks, Error, Ping, Pong, Roster
from sidegate_sidecar.process import Process
from tests.middleware.client.puppet_client import SOON, link_state, nobody, pair, say
from tests.support.in_process.cluster import (
    GENEROUS,
    admitted,
    client,
    config,
    eventually,
    link_of,
    sources,
)


@pytest.mark.parametrize(
    ("policy", "allowed", "source"), [("open", True, "open"), ("closed", False, "closed")]
)
async def test_without_a_sidecar_the_policy_decides_at_once(
    policy: str, allowed: bool, source: str
) -> None:
    async with nobody(on_unreachable=policy) as asking:
        assert link_state(asking) is LinkState.DOWN
        futures = [asking.check("k", "5/day; 7/week") for _ in range(100)]
        await asyncio.sleep(0)
        assert all(future.done() for future in futures)
        for decision in await asyncio.gather(*futures):
            assert (decision.allowed, decision.source, decision.node) == (allowed, source, "")
            assert (decision.remaining, decision.reset_after, decision.debts) == (None, None, [])


async def test_without_a_sidecar_a_local_policy_admits_the_share_of_one_node() -> None:
    async with pair(on_unreachable="local") as (asking, other):
        await other.say(Roster("digest", [(f"n{at}", f"127.0.0.1:{at + 1}") for at in range(4)]))
        await eventually(lambda: asking.nodes == 4)
        await other.stop()
        await eventually(lambda: link_state(asking) is LinkState.DOWN)
        decisions = [await asking.check("k", "20/day") for _ in range(30)]
        await other.start()  # so that it can be stopped
    assert admitted(decisions) == 5
    assert sources(decisions) == {"local": 30}
    assert {str(decision.limits) for decision in decisions} == {"5/day"}


async def test_a_silent_sidecar_costs_one_budget_and_the_next_checks_do_not_wait() -> None:
    async with pair(budget=SOON) as (asking, _):
        futures = [asking.check(f"k{at}", "5/day") for at in range(10)]
        assert sources(await asyncio.gather(*futures)) == {"open": 10}
        assert link_state(asking) is LinkState.SUSPECT
        later = asking.check("k", "5/day")
        await asyncio.sleep(0)
        assert (await later).source == "open"
        assert later.done()


async def test_a_sidecar_that_speaks_again_is_asked_again() -> None:
    async with pair(budget=SOON) as (asking, other):
        assert (await asking.check("k", "5/day")).source == "open"
        await say(other, [1, 0])  # too late
        await eventually(lambda: link_state(asking) is LinkState.UP)
        future = asking.check("k", "5/day")
        await say(other, [1, 5])
        assert (await future).source == "owner"


async def test_what_is_in_flight_when_the_sidecar_goes_is_answered_at_once() -> None:
    async with pair(on_unreachable="closed") as (asking, other):
        futures = [asking.check("k", "5/day") for _ in range(10)]
        await other.hear(Checks)
        other.connections[-1].abort()
        async with asyncio.timeout(GENEROUS / 2):
            decisions = await asyncio.gather(*futures)
    assert sources(decisions) == {"closed": 10}
    assert admitted(decisions) == 0


async def test_an_app_is_limited_again_when_its_sidecar_returns() -> None:
    node = Process(config("n1"))
    await node.start()
    async with client(node) as asking:
        assert (await asking.check("k", "5/day")).source == "owner"
        await node.stop()
        await eventually(lambda: link_state(asking) is LinkState.DOWN)
        assert (await asking.check("k", "5/day")).source == "open"
        async with Process(config("n1", link=node.link)):
            await eventually(lambda: link_state(asking) is LinkState.UP)
            decisions = await asyncio.gather(*(asking.check("k", "5/day") for _ in range(9)))
    assert sources(decisions) == {"owner": 9}
    assert admitted(decisions) == 5


async def test_too_many_checks_in_flight_are_answered_by_the_share() -> None:
    """What goes beyond the bound is answered at once; what is in flight gets its answers."""
    async with pair() as (asking, other):
        link_of(asking)._questions._max_in_flight = 10
        kept = [asking.check("k", "5/day") for _ in range(10)]
        frame = await other.hear(Checks)
        assert sources(await asyncio.gather(asking.check("k", "5/day"))) == {"local": 1}
        await other.say(Answers(frame.id, "owner", "n7", None, [[1, 0]] * 10))
        assert sources(await asyncio.gather(*kept)) == {"owner": 10}


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("oracle", [1, 0]),
        ("oracle", [0, 0]),
        ("owner", [0, 0, 0]),
        ("owner", [1, 0, 0]),
        ("backup", [1, 0, 0]),
    ],
)
async def test_an_answer_that_makes_no_sense_is_no_answer(source: str, answer: list[int]) -> None:
    """An unknown source or debts of other limits are told to the sidecar; the policy decides."""
    async with pair() as (asking, other):
        future = asking.check("k", "5/day")
        await say(other, answer, source=source)
        assert (await other.hear(Error)).code == "bad-message"
        decision = await future
    assert (decision.source, decision.remaining) == ("open", None)


async def test_a_caller_that_gives_up_harms_no_other() -> None:
    async with pair() as (asking, other):
        futures = [asking.check("k", "5/day") for _ in range(3)]
        futures[1].cancel()
        await say(other, [1, 0], [0, 5], [0, 7])
        assert [(await futures[0]).allowed, (await futures[2]).allowed] == [True, False]
        assert futures[1].cancelled()
        await other.say(Ping(1))
        assert await other.hear(Pong) == Pong(1)


async def test_callers_that_all_give_up_leave_nothing_behind() -> None:
    """Checks cancelled in flight count as in flight until their answer or the budget's end."""
    async with pair(budget=SOON) as (asking, other):
        for future in [asking.check("k", "5/day") for _ in range(50)]:
            future.cancel()
        await other.hear(Checks)
        link = link_of(asking)
        await eventually(lambda: link.in_flight == 0)


async def test_a_check_with_a_timeout_of_its_own_is_cancelled_by_it() -> None:
    async with pair() as (asking, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON):
                await asking.check("k", "5/day")
