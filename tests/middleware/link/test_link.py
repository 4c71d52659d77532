"""A link: who gets which answer and when, up to the last."""

import asyncio
from functools import partial
from typing import Any

import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.codec import MAX_FRAME_BYTES, encode
from sidegate.protocol.messages import (
    MAX_CHECKS,
    Answers,
    Check,
    Checks,
    Error,
    Inspect,
    Message,
    Ping,
    Pong,
    Proof,
    Reset,
)
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.linking import (
    UNANSWERED,
    Asking,
    answer,
    answer_all,
    answered,
    ask,
    linked,
    numbered,
    pair,
    some,
    suspected,
)
from tests.support.in_process.puppets import deaf, puppet


async def test_a_check_gets_its_answer() -> None:
    async with pair() as (link, other):
        asking = ask(link, 3)
        assert link.in_flight == 3
        frame = await other.hear(Checks)
        assert (frame.hops, frame.checks) == (0, some(3))
        await other.say(answer(frame))
        await eventually(asking.settled)
        assert asking.got == numbered(3)
        assert link.in_flight == 0


async def test_frames_may_be_answered_in_any_order() -> None:
    async with pair() as (link, other):
        askings = [ask(link, count) for count in (1, 2, 3)]
        frames = [await other.hear(Checks) for _ in askings]
        await other.say(*(answer(frame) for frame in reversed(frames)))
        await eventually(lambda: all(asking.settled() for asking in askings))
        assert [asking.got for asking in askings] == [numbered(1), numbered(2), numbered(3)]


async def test_a_frame_may_be_answered_in_parts() -> None:
    async with pair() as (link, other):
        asking = ask(link, 5)
        frame = await other.hear(Checks)
        await other.say(answer(frame, [3, 1]))
        await eventually(lambda: asking.got[3])
        assert (asking.settled(), link.in_flight) == (False, 3)
        await other.say(answer(frame, [0, 2, 4]))
        await eventually(asking.settled)
        assert asking.got == numbered(5)
        assert link.in_flight == 0


async def test_a_budget_goes_along_in_microseconds() -> None:
    """The other side is told how long it has, and how often the checks were forwarded."""
    async with pair() as (link, other):
        assert link.ask(some(1), 1, 0.25, Asking())
        frame = await other.hear(Checks)
    assert (frame.hops, frame.budget) == (1, 250_000)


@pytest.mark.parametrize("count", [MAX_CHECKS, MAX_CHECKS + 1, 3 * MAX_CHECKS + 7])
async def test_more_checks_than_fit_go_in_several_frames(count: int) -> None:
    async with pair() as (link, other):
        answering = asyncio.create_task(answer_all(other, []))
        asking = ask(link, count)
        await eventually(asking.settled)
        assert asking.got == numbered(count)
        assert link.in_flight == 0
        answering.cancel()


async def test_more_bytes_than_fit_go_in_several_frames() -> None:
    """Checks with keys so long that 4,096 are too many bytes go in frames that aren't too long.

    All keep the ids that other nodes know them by.
    """
    asked: list[Check] = [("k" * 500 + str(at), "1/day", 1) for at in range(4_000)]
    async with pair() as (link, other):
        asking = Asking(len(asked))
        assert link.ask(asked, 0, GENEROUS, asking, (7, None))
        frames: list[Checks] = []
        answering = asyncio.create_task(answer_all(other, frames))
        await eventually(asking.settled)
        assert asking.got == numbered(len(asked))
        assert len(frames) > 1
        assert {frame.serial for frame in frames} == {7}
        places = [place for frame in frames for place in frame.places or ()]
        assert sorted(places) == list(range(len(asked)))
        assert all(len(encode(frame)) <= MAX_FRAME_BYTES + 4 for frame in frames)
        answering.cancel()


async def test_a_check_that_fits_into_no_frame_gets_no_answer() -> None:
    """A check too long for any frame is given up at once; the one beside it is asked."""
    async with pair() as (link, other):
        asked: list[Check] = [("k0", "1/day", 1), ("k1", "x" * MAX_FRAME_BYTES, 1)]
        asking = Asking(2)
        assert link.ask(asked, 0, GENEROUS, asking)
        await answered(other, asking)
        assert asking.got == [[[1, 0]], [None]]
        assert (link.in_flight, link.state) == (0, LinkState.UP)


async def test_only_so_many_checks_are_in_flight() -> None:
    """Beyond its bound a link takes no more, all of a frame or none, until some are answered."""
    async with pair(max_in_flight=10) as (link, other):
        asking = ask(link, 6)
        assert not link.ask(some(5), 0, GENEROUS, Asking(5))
        other_asking = ask(link, 4)
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        assert link.in_flight == 10
        await answered(other, asking)
        assert link.in_flight == 4
        ask(link, 6)
        await answered(other, other_asking)
        assert link.in_flight == 6


async def test_no_checks_at_all_are_answered_too() -> None:
    async with pair() as (link, other):
        assert link.ask([], 0, GENEROUS, Asking(0))
        await other.say(answer(await other.hear(Checks)))
        await eventually(lambda: not link._flights)


# Bad answers


@pytest.mark.parametrize(("positions", "count"), [(None, 2), ([3], 1)])
async def test_answers_that_do_not_fit_end_the_connection(
    positions: list[int] | None, count: int
) -> None:
    """Too many answers, too few, or to what wasn't asked: askers get none of them."""
    async with pair() as (link, other):
        asking = ask(link, 3)
        frame = await other.hear(Checks)
        await other.say(Answers(frame.id, "owner", "puppet", positions, [[1]] * count))
        error = await other.hear(Error)
        assert (error.code, "don't fit" in error.text) == ("bad-message", True)
        await eventually(asking.settled)
        assert asking.got == [[None]] * 3
        assert link.in_flight == 0


async def test_a_part_answered_twice_ends_the_connection() -> None:
    async with pair() as (link, other):
        asking = ask(link, 3)
        frame = await other.hear(Checks)
        await other.say(answer(frame, [1]), answer(frame, [1]))
        assert (await other.hear(Error)).code == "bad-message"
        await eventually(asking.settled)
        assert asking.got == [[None], [[1, 1]], [None]]


async def test_answers_to_nothing_are_ignored() -> None:
    async with pair() as (link, other):
        await other.say(Answers(99, "owner", "puppet", None, [[1]]), Ping(7))
        assert await other.hear(Pong) == Pong(7)
        assert link.state is LinkState.UP


@pytest.mark.parametrize(
    "message", [Proof(b"again"), Checks(1, 0, 1, []), Inspect(1, 0, "k"), Reset(1, 0, "k")]
)
async def test_a_question_from_the_side_that_answers_ends_the_connection(message: Message) -> None:
    """Messages that have no place here are refused by their name, and the link comes back."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await other.say(message)
        error = await other.hear(Error)
        assert error.code == "bad-message"
        assert type(message).__name__.lower() in error.text
        await eventually(lambda: len(watching.ups) == 2)
        assert link.state is LinkState.UP


def ignore(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Do nothing: asyncio would log what the asker raised."""


async def test_an_asker_that_fails_does_not_keep_its_checks_in_flight() -> None:
    class Failing(Asking):
        def answered(self, answers: Answers) -> None:
            raise RuntimeError(answers.node)

    async with pair() as (link, other):
        failing = Failing()
        asyncio.get_running_loop().set_exception_handler(ignore)
        assert link.ask(some(1), 0, GENEROUS, failing)
        await answered(other, failing)
        assert link.in_flight == 0


async def test_closing_answers_what_is_in_flight() -> None:
    """A closed link has answered everything, takes nothing, and doesn't dial again."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await eventually(lambda: link.state is LinkState.UP)
        asking = ask(link, 2)
        await link.close()
        assert asking.got == [[None], [None]]
        assert (link.state, link.in_flight) == (LinkState.CLOSED, 0)
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        await eventually(lambda: not other.connections)
        await link.close()
        assert len(watching.ups) == 1


async def test_closing_before_the_first_connection_answers_what_waits() -> None:
    async with deaf() as other:
        for accepted in (0, 1):
            async with linked(other.address) as (link, _):
                asking = ask(link)
                await eventually(partial(other.has_accepted, accepted))
                await link.close()
                assert asking.got == UNANSWERED
        await eventually(lambda: not other.open)


async def test_closing_a_suspect_does_not_wait_for_it() -> None:
    async with pair() as (link, _):
        await suspected(link)
        async with asyncio.timeout(GENEROUS / 4):
            await link.close()
        assert link.state is LinkState.CLOSED


async def test_a_link_whose_task_is_cancelled_ends_at_once() -> None:
    """As at the end of asyncio.run: it has closed and told so before the loop turns again."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await eventually(lambda: link.state is LinkState.UP)
        asking = ask(link, 2)
        link._dialling.cancel()
        await asyncio.gather(link._dialling, return_exceptions=True)
        assert asking.got == [[None], [None]]
        assert (link.state, watching.ended) == (LinkState.CLOSED, 1)
        await eventually(lambda: not other.connections)


async def test_links_of_two_loops_know_nothing_of_each_other() -> None:
    async def elsewhere() -> list[list[object]]:
        async with pair() as (link, other):
            asking = ask(link, 2)
            await answered(other, asking)
            return asking.got

    both = await asyncio.gather(
        *(asyncio.to_thread(asyncio.run, elsewhere()) for _ in range(2)), elsewhere()
    )
    assert both == [numbered(2)] * 3
