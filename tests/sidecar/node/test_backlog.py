"""Limits that were never used: they are read a few at a time, and everybody is answered."""

import asyncio
from itertools import count

import pytest

from sidegate.protocol.messages import Answers, Holdings, Inspect, Ping, Pong
from sidegate_sidecar.node.backlog import MAX_IN_ALL, MAX_WAITING, Backlog, PutOff
from sidegate_sidecar.node.node import Node
from sidegate_sidecar.process import Process
from tests.sidecar.node.beside_puppets import answer_each
from tests.support.in_process.cluster import cluster, config
from tests.support.in_process.puppets import APP, bare, checks

NUMBERS = count(1_000)


def new_limits(parts: int = 8) -> str:
    """Return limits that no test has used before."""
    return "; ".join(f"{next(NUMBERS)}/hour" for _ in range(parts))


def waiting(number: int, size: int = 1, to: object = "an app") -> PutOff:
    asked = checks(number, *[("k", "1/day", 1)] * size)
    return PutOff(asked, list(range(size)), to, 0)  # type: ignore[arg-type]


def test_only_so_much_is_read_in_a_turn() -> None:
    backlog = Backlog()
    read = [text for text in (new_limits() for _ in range(100)) if backlog.may_read(text)]
    assert 5 < len(read) < 20
    assert not backlog.may_read("1/day")
    backlog.new_turn()
    assert backlog.may_read("1/day")


def test_who_waits_takes_turns() -> None:
    backlog = Backlog()
    for number in (1, 2, 3):
        assert backlog.add(waiting(number))
    assert backlog.add(waiting(4, to="another"))
    order = [found.frame.id for _ in range(4) if (found := backlog.next())]
    assert order == [1, 4, 2, 3]
    assert backlog.next() is None


def test_what_one_asks_and_what_all_ask_is_bounded() -> None:
    backlog = Backlog()
    assert backlog.add(waiting(1, MAX_WAITING))
    assert not backlog.add(waiting(2))
    askers = range(MAX_IN_ALL // MAX_WAITING)
    taken = [backlog.add(waiting(3, MAX_WAITING, to=asker)) for asker in askers]
    assert taken.count(False) == 1
    assert backlog.next()
    assert backlog.add(waiting(4))


async def test_a_frame_of_new_limits_is_answered_whole_and_stops_nobody() -> None:
    """Each check has its answer by the owner, and others are answered in between."""
    asked = [(f"k{at}", new_limits(), 1) for at in range(400)]
    async with cluster("n1") as (node,), bare(node, APP) as app, bare(node, APP) as honest:
        await honest.send(checks(1, ("k", "5/day", 1)))
        await honest.next()
        await app.send(checks(1, *asked))
        answered: list[int] = []
        parts = turns = 0
        while len(answered) < 400:
            part = await app.next()
            assert isinstance(part, Answers)
            assert part.source == "owner"
            assert all(answer[0] == 1 for answer in part.answers)
            answered += range(400) if part.positions is None else part.positions
            parts += 1
            if len(answered) < 400:
                await honest.send(Ping(parts))
                turns += await honest.next() == Pong(parts)
    assert sorted(answered) == list(range(400))
    assert parts > 20
    assert turns == parts - 1


async def test_what_nobody_waits_for_any_more_is_an_error_and_not_charged() -> None:
    """After the frame's budget a check isn't decided, and its answer says what was too much."""
    asked = [(f"late{at}", new_limits(), 1) for at in range(400)]
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await app.send(checks(1, *asked, budget=1_000))
        told: dict[int, object] = {}
        while len(told) < 400:
            part = await app.next()
            assert isinstance(part, Answers)
            told.update(zip(part.positions or range(400), part.answers, strict=True))
        late = [at for at, answer in told.items() if isinstance(answer, str)]
        assert late
        assert "never used here" in str(told[late[0]])
        assert not any(node.node.buckets.held(f"late{at}", node.clock()) for at in late)


@pytest.mark.parametrize("text", ["nonsense", "5/fortnight", "x" * 1_000])
async def test_limits_that_are_wrong_are_as_much_work(text: str) -> None:
    """A frame of nonsense, which nobody remembers, is read in as many turns."""
    async with cluster("n1") as (node,), bare(node, APP) as app:
        answers = await answer_each(app, *[("k", text, 1)] * 400)
    assert all(isinstance(answer, str) for answer in answers)


async def test_inspections_wait_for_each_other_and_nobody_for_them() -> None:
    """However many are asked at a time, in a turn of the loop one begins."""
    begun: list[int] = []
    turn = 0

    async def count_turns() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    class Watched(Node):
        async def inspect(self, key: str, *, reset: bool = False, hops: int = 0) -> Holdings | None:
            begun.append(turn)
            return await super().inspect(key, reset=reset, hops=hops)

    node = Process(config("n1"))
    node.node.__class__ = Watched
    async with node, bare(node, APP) as asking:
        counting = asyncio.create_task(count_turns())
        await asking.send(*(Inspect(at, 0, "k") for at in range(200)))
        answers = [await asking.next() for _ in range(200)]
        counting.cancel()
    assert all(isinstance(answer, Holdings) for answer in answers)
    assert len(set(begun)) == 200
