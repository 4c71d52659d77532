"""The asyncio client: what a check gives, and what it gives when there is nobody to ask."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.errors import CheckError, CostError, KeyTooLong, LimitError
from sidegate.link.health import State
from sidegate.protocol.messages import Answers, Checks, Error, Merged, Ping, Pong, Roster
from sidegate_sidecar.process import Process
from tests.cluster.bare import Puppet, puppet
from tests.cluster.cluster import (
    GENEROUS,
    admitted,
    client,
    cluster,
    config,
    eventually,
    key_of,
    link_of,
    sources,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sidegate.buckets.decision import Decision
    from sidegate.client.client import Client
    from sidegate.client.session import Session
    from sidegate.protocol.messages import Answer

SOON = 0.05  # seconds: a budget that is to run out


@asynccontextmanager
async def pair(**options: Any) -> AsyncGenerator[tuple[Client, Puppet]]:
    """Connect a client to a puppet."""
    async with puppet() as other, client(other.address, **options) as asking:
        session_of(asking)
        await eventually(lambda: other.connections)
        yield asking, other


@asynccontextmanager
async def nobody(**options: Any) -> AsyncGenerator[Client]:
    """Make a client for an address where nobody listens, and that knows it."""
    async with puppet() as other:
        address = other.address
    async with client(address, **options) as asking:
        await asking.check("first", "5/day")
        yield asking


def session_of(asking: Client) -> Session:
    """Return what it has in this loop, which begins to dial."""
    return asking._here()


def link_state(asking: Client) -> State:
    return link_of(asking).state


async def say(other: Puppet, *answers: Answer, source: str = "owner", **fields: Any) -> Checks:
    """Answer the next frame of checks."""
    frame = await other.hear(Checks)
    await other.say(Answers(frame.id, source, "n7", None, list(answers), **fields))
    return frame


# Decisions


async def test_a_check_gives_the_decision_of_the_owner() -> None:
    """A decision says whether it was allowed, by whom, under which limits, and what is left."""
    async with cluster("n1") as (node,), client(node) as asking:
        first = await asking.check("k", "3/day; 100/week", 2)
        assert (first.allowed, first.cost, first.source, first.node) == (True, 2, "owner", "n1")
        assert first.limits is parse_limits("3/day; 100/week")
        assert [first.remaining_of(0), first.remaining_of(1)] == [1, 98]
        second = await asking.check("k", "3/day; 100/week", 2)
        assert (second.allowed, second.remaining) == (False, 1)
        assert second.retry_after > 0


async def test_limits_may_be_given_parsed_or_as_text() -> None:
    """Text and parsed limits are the same buckets, however the text is written."""
    async with cluster("n1") as (node,), client(node) as asking:
        await asking.check("k", "5/day")
        await asking.check("k", "5 per day")
        assert (await asking.check("k", parse_limits("5/d"))).remaining == 2


async def test_all_checks_of_one_turn_leave_in_one_frame() -> None:
    """Checks made before the loop turns go together, in the order in which they were made."""
    async with pair() as (asking, other):
        futures = [asking.check(f"k{at}", "5/day", at % 3) for at in range(100)]
        frame = await say(other, *([1, at] for at in range(100)))
        assert frame.checks == [(f"k{at}", "5/day", at % 3) for at in range(100)]
        assert [decision.debts for decision in await asyncio.gather(*futures)] == [
            [at] for at in range(100)
        ]


async def test_answers_may_come_in_parts_from_several_nodes() -> None:
    """Each part brings its own source and node to the checks that it answers."""
    async with pair() as (asking, other):
        futures = [asking.check(f"k{at}", "5/day") for at in range(4)]
        frame = await other.hear(Checks)
        await other.say(Answers(frame.id, "owner", "n1", [2, 0], [[1, 20], [0, 10]]))
        await asyncio.gather(futures[0], futures[2])
        assert not futures[1].done()
        await other.say(Answers(frame.id, "open", "n2", [1, 3], [[1], [1]]))
        decisions = await asyncio.gather(*futures)
        assert [(it.allowed, it.source, it.node, list(it.debts)) for it in decisions] == [
            (False, "owner", "n1", [10]),
            (True, "open", "n2", []),
            (True, "owner", "n1", [20]),
            (True, "open", "n2", []),
        ]


async def test_a_decision_by_one_node_alone_shows_the_share_that_it_applied() -> None:
    """With source `local` the limits are those of one of so many nodes."""
    async with pair() as (asking, other):
        future = asking.check("k", "9/day", 5)
        await say(other, [1, 0], source="local", parts=3)
        decision = await future
    assert (decision.source, str(decision.limits), decision.cost) == ("local", "3/day", 3)


# Mistakes of the caller


@pytest.mark.parametrize(
    ("key", "limits", "cost", "error", "text"),
    [
        ("k", "a hundred", 1, LimitError, '"a hundred"'),
        ("k", "", 1, LimitError, "nothing here"),
        ("k", "0/day", 1, LimitError, '"0/day"'),
        ("k", "5/day", -1, CostError, "cost -1"),
        ("k", "5/day", 6, CostError, "cost 6"),
        ("k", "5/day; 3/hour", 4, CostError, "0 to 3"),
        ("x" * 513, "5/day", 1, KeyTooLong, "513 bytes"),
        ("é" * 257, "5/day", 1, KeyTooLong, "514 bytes"),
        ("x" * 10_000, "5/day", 1, KeyTooLong, "10000 bytes"),
    ],
)
async def test_a_mistake_in_a_check_raises_at_once(
    key: str, limits: str, cost: int, error: type[Exception], text: str
) -> None:
    """What can't be checked raises in the call, names the value, and asks nobody."""
    async with pair() as (asking, other):
        good = asking.check("k", "5/day")
        with pytest.raises(error, match=text):
            asking.check(key, limits, cost)
        frame = await say(other, [1, 0])
        assert frame.checks == [("k", "5/day", 1)]
        assert (await good).allowed


@pytest.mark.parametrize("key", ["x" * 512, "é" * 256, "🂡" * 128, "", "\0", "a\nb"])
async def test_a_key_may_be_any_text_of_512_bytes(key: str) -> None:
    """Any text is a key, up to its length in UTF-8."""
    async with cluster("n1") as (node,), client(node) as asking:
        assert (await asking.check(key, "5/day")).remaining == 4
        assert (await asking.check(key, "5/day")).remaining == 3


@pytest.mark.parametrize(
    ("key", "cost"),
    [("\ud800", 1), ("x" * 200 + "\udcff", 1), ("k", 1.5), ("k", True), (b"k", 1)],
    ids=["surrogate", "long_surrogate", "fraction", "bool", "bytes"],
)
async def test_a_check_that_cannot_be_sent_harms_no_other(key: Any, cost: Any) -> None:
    """A key or cost that has no bytes on the wire fails alone, not with all of its turn."""
    async with cluster("n1") as (node,), client(node) as asking:
        before = asking.check("before", "5/day")
        with pytest.raises((ValueError, TypeError)):
            await asking.check(key, "5/day", cost)
        after = asking.check("after", "5/day")
        async with asyncio.timeout(GENEROUS / 2):
            assert sources([await before, await after]) == {"owner": 2}
        assert not node.node.counts.turned_away


# Nobody to ask


@pytest.mark.parametrize(
    ("policy", "allowed", "source"), [("open", True, "open"), ("closed", False, "closed")]
)
async def test_without_a_sidecar_the_policy_decides_at_once(
    policy: str, allowed: bool, source: str
) -> None:
    """When nobody listens checks are answered in the same turn, by the policy, and say so."""
    async with nobody(on_unreachable=policy) as asking:
        assert link_state(asking) is State.DOWN
        futures = [asking.check("k", "5/day; 7/week") for _ in range(100)]
        await asyncio.sleep(0)
        assert all(future.done() for future in futures)
        for decision in await asyncio.gather(*futures):
            assert (decision.allowed, decision.source, decision.node) == (allowed, source, "")
            assert (decision.remaining, decision.reset_after, decision.debts) == (None, None, [])


async def test_without_a_sidecar_a_local_policy_admits_the_share_of_one_node() -> None:
    """`local` limits by the limit divided by the nodes that the sidecar last told of."""
    async with pair(on_unreachable="local") as (asking, other):
        await other.say(Roster("digest", [(f"n{at}", f"127.0.0.1:{at + 1}") for at in range(4)]))
        await eventually(lambda: asking.nodes == 4)
        await other.stop()
        await eventually(lambda: link_state(asking) is State.DOWN)
        decisions = [await asking.check("k", "20/day") for _ in range(30)]
        await other.start()  # so that it can be stopped
    assert admitted(decisions) == 5
    assert sources(decisions) == {"local": 30}
    assert {str(decision.limits) for decision in decisions} == {"5/day"}


async def test_a_silent_sidecar_costs_one_budget() -> None:
    """When no answer comes within the budget the policy decides; the next checks don't wait."""
    async with pair(budget=SOON) as (asking, _):
        futures = [asking.check(f"k{at}", "5/day") for at in range(10)]
        assert sources(await asyncio.gather(*futures)) == {"open": 10}
        assert link_state(asking) is State.SUSPECT
        later = asking.check("k", "5/day")
        await asyncio.sleep(0)
        assert (await later).source == "open"
        assert later.done()


async def test_a_sidecar_that_speaks_again_is_asked_again() -> None:
    """The first word of a silent sidecar, be it a late answer, makes it the one to ask."""
    async with pair(budget=SOON) as (asking, other):
        assert (await asking.check("k", "5/day")).source == "open"
        await say(other, [1, 0])  # too late
        await eventually(lambda: link_state(asking) is State.UP)
        future = asking.check("k", "5/day")
        await say(other, [1, 5])
        assert (await future).source == "owner"


async def test_what_is_in_flight_when_the_sidecar_goes_is_answered_at_once() -> None:
    """A broken connection is answered by the policy, without waiting for the budget."""
    async with pair(on_unreachable="closed") as (asking, other):
        futures = [asking.check("k", "5/day") for _ in range(10)]
        await other.hear(Checks)
        other.connections[-1].abort()
        async with asyncio.timeout(GENEROUS / 2):
            decisions = await asyncio.gather(*futures)
    assert sources(decisions) == {"closed": 10}
    assert admitted(decisions) == 0


async def test_an_app_is_limited_again_when_its_sidecar_returns() -> None:
    """A sidecar that stops and returns is asked again without any call."""
    node = Process(config("n1"))
    await node.start()
    async with client(node) as asking:
        assert (await asking.check("k", "5/day")).source == "owner"
        await node.stop()
        await eventually(lambda: link_state(asking) is State.DOWN)
        assert (await asking.check("k", "5/day")).source == "open"
        async with Process(config("n1", link=node.link)):
            await eventually(lambda: link_state(asking) is State.UP)
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


async def test_a_client_that_connects_first_knows_whether_somebody_is_there() -> None:
    """`connect` is true when the sidecar answers within the budget, else false."""
    async with cluster("n1") as (node,), client(node) as asking:
        assert await asking.connect()
    async with nobody() as asking:
        assert not await asking.connect()


# Answers that are none


async def test_a_check_that_the_sidecar_cannot_decide_raises_its_reason() -> None:
    """A reason instead of a decision raises for that check, the others have theirs."""
    async with pair() as (asking, other):
        futures = [asking.check("k", "5/day") for _ in range(3)]
        await say(other, [1, 0], "the moon is too bright", [0, 7])
        assert (await futures[0]).allowed
        with pytest.raises(CheckError, match="the moon is too bright"):
            await futures[1]
        assert not (await futures[2]).allowed


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


# Callers that give up


async def test_a_caller_that_gives_up_harms_no_other() -> None:
    """A cancelled check is answered to nobody, and the others of its turn have their answers."""
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
    """A caller may wait less than the budget."""
    async with pair() as (asking, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON):
                await asking.check("k", "5/day")


# Denials that still hold


async def test_a_denial_is_remembered_while_it_holds() -> None:
    """A flood of refused checks asks the sidecar once; the answer says that it is remembered."""
    async with pair(remember_denials=True) as (asking, other):
        first = asking.check("k", "5/day")
        debt = 5 * 86_400 * 10**9
        await say(other, [0, debt])
        assert (await first).source == "owner"
        decisions = await asyncio.gather(*(asking.check("k", "5/day") for _ in range(100)))
        assert sources(decisions) == {"remembered": 100}
        assert admitted(decisions) == 0
        assert all(0 < decision.retry_after < first.result().retry_after for decision in decisions)
        assert not [it for it in other.heard if isinstance(it, Checks)]


async def test_a_denial_of_one_check_is_none_of_another() -> None:
    """Another key, other limits or another cost are asked about, and so is everything later."""
    async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
        await asking.check("k", "5/day", 4)
        assert not (await asking.check("k", "5/day", 2)).allowed
        others = [
            await asking.check("k", "5/day", 1),
            await asking.check("k", "6/day", 2),
            await asking.check("l", "5/day", 2),
            await asking.check("k", "5/day", 0),
        ]
        assert [(it.allowed, it.source) for it in others] == [(True, Source.OWNER)] * 4
        assert (await asking.check("k", "5/day", 2)).source == "remembered"


async def test_a_denial_is_forgotten_when_the_check_can_pass() -> None:
    """Once the wait is over the sidecar is asked, and the check passes."""
    async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
        await asking.check("k", "10/second burst 1")
        decisions: list[Decision] = []
        while not admitted(decisions):
            decisions.append(await asking.check("k", "10/second burst 1"))
            await asyncio.sleep(0)
    assert decisions[-1].source == "owner"
    assert "remembered" in sources(decisions)


async def test_a_denial_is_forgotten_at_once_when_its_key_is_reset() -> None:
    """Whoever resets a key, at whichever node: the next check of it is asked, others are not."""
    async with (
        cluster("n1", "n2") as (one, two),
        client(one, remember_denials=True) as asking,
    ):
        keys = [key_of(owner, one.cluster.ring) for owner in ("n1", "n2")]
        for key in (*keys, "kept"):
            await asking.check(key, "1/hour")
            assert not (await asking.check(key, "1/hour")).allowed
            assert (await asking.check(key, "1/hour")).source == "remembered"
        for node, key in zip((two, one), keys, strict=True):  # each asks the other
            await node.node.inspect(key, reset=True)
        await eventually(lambda: {key for key, *_ in session_of(asking).denials.table} == {"kept"})
        decisions = [await asking.check(key, "1/hour") for key in (*keys, "kept")]
    assert [(it.allowed, it.source) for it in decisions] == [
        (True, "owner"),
        (True, "owner"),
        (False, "remembered"),
    ]


async def test_what_only_nodes_say_ends_the_connection() -> None:
    """An app has no business with gossip: the sidecar is told so, and dialled again."""
    async with pair() as (asking, other):
        await other.say(Merged(1))
        assert "merged" in (await other.hear(Error)).text
        await eventually(lambda: other.connections)
        future = asking.check("k", "5/day")
        await say(other, [1, 5])
        assert (await future).source == "owner"


async def test_a_client_may_forget_denials() -> None:
    """With remember_denials=False each check is asked."""
    async with cluster("n1") as (node,), client(node, remember_denials=False) as asking:
        decisions = [await asking.check("k", "1/day") for _ in range(20)]
    assert sources(decisions) == {"owner": 20}


async def test_a_refusal_for_want_of_a_sidecar_is_not_remembered() -> None:
    """What nobody decided holds for nobody: the sidecar is asked as soon as it is there."""
    async with pair(on_unreachable="closed", remember_denials=True, budget=SOON) as (asking, other):
        assert (await asking.check("k", "5/day")).source == "closed"
        await other.say(Pong(0))
        await eventually(lambda: link_state(asking) is State.UP)
        other.heard.clear()
        session_of(asking).budget = GENEROUS
        future = asking.check("k", "5/day")
        await say(other, [1, 0])
        assert (await future).source == "owner"


# Closing, and loops


async def test_closing_answers_what_is_in_flight() -> None:
    """A client that closes answers its checks by the policy, those of this turn too."""
    async with pair(on_unreachable="closed") as (asking, other):
        sent = asking.check("k", "5/day")
        await other.hear(Checks)
        unsent = asking.check("k", "5/day")
        await asking.close()
        assert [(await sent).source, (await unsent).source] == ["closed", "closed"]
        await eventually(lambda: not other.connections)
        await asking.close()


async def test_a_client_that_was_never_used_closes() -> None:
    """Nothing is dialled before the first check."""
    async with puppet() as other:
        asking = client(other.address)
        await asking.close()
        async with client(other.address):
            pass
        assert other.connections == []


def test_a_client_that_was_closed_serves_the_next_loop(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A client made once may be used in one loop after another, if it is closed in between."""
    path = f"{tmp_path_factory.mktemp('s')}/s"
    asking = client(f"unix:{path}")

    async def use() -> list[int | None]:
        left: list[int | None] = []
        async with cluster("n1", socket=path):
            for _ in range(2):
                left.append((await asking.check("k", "5/day")).remaining)
                await asking.close()
        return left

    assert [asyncio.run(use()) for _ in range(2)] == [[4, 3], [4, 3]]


async def test_clients_of_two_loops_work_at_the_same_time() -> None:
    """Each loop has its client; together they admit what the limit says."""
    async with cluster("n1") as (node,):

        async def ask() -> int:
            async with client(node) as asking:
                return admitted(
                    await asyncio.gather(*(asking.check("k", "500/day") for _ in range(400)))
                )

        both = await asyncio.gather(
            *(asyncio.to_thread(asyncio.run, ask()) for _ in range(2)), ask()
        )
    assert sum(both) == 500
