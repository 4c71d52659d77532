"""A link: who gets which answer and when, what it is good for, and how it comes back."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sidegate.link.address import Address
from sidegate.link.health import State
from sidegate.protocol.handshake import Identity
from sidegate.protocol.messages import (
    MAX_CHECKS,
    MAX_FRAME_BYTES,
    Answers,
    Checks,
    Error,
    Inspect,
    Ping,
    Pong,
    Proof,
    Reset,
    encode,
)
from sidegate.trust.secrets import known
from tests.cluster.bare import Puppet, deaf, puppet
from tests.cluster.cluster import GENEROUS, eventually
from tests.middleware.linking import (
    SOON,
    UNANSWERED,
    Asking,
    answer,
    ask,
    linked,
    numbered,
    pair,
    some,
)

if TYPE_CHECKING:
    from sidegate.protocol.messages import Check, Hello, Message


async def answer_all(other: Puppet, frames: list[Checks]) -> None:
    """Answer every frame that comes, and keep them."""
    while True:
        frames.append(await other.hear(Checks))
        await other.say(answer(frames[-1]))


# Asking


async def test_a_check_gets_its_answer() -> None:
    """What the other side answers comes to who asked, and nothing stays in flight."""
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
    """Each answer finds its frame by its number."""
    async with pair() as (link, other):
        askings = [ask(link, count) for count in (1, 2, 3)]
        frames = [await other.hear(Checks) for _ in askings]
        await other.say(*(answer(frame) for frame in reversed(frames)))
        await eventually(lambda: all(asking.settled() for asking in askings))
        assert [asking.got for asking in askings] == [numbered(1), numbered(2), numbered(3)]


async def test_a_frame_may_be_answered_in_parts() -> None:
    """The parts of an answer come as they come, each check gets one."""
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
    """However many checks are asked at once, no frame is too long, and all are answered."""
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
        await other.say(answer(await other.hear(Checks)))
        await eventually(asking.settled)
        assert asking.got == [[[1, 0]], [None]]
        assert (link.in_flight, link.state) == (0, State.UP)


async def test_only_so_many_checks_are_in_flight() -> None:
    """Beyond its bound a link takes no more, all of a frame or none, until some are answered."""
    async with pair(max_in_flight=10) as (link, other):
        asking = ask(link, 6)
        assert not link.ask(some(5), 0, GENEROUS, Asking(5))
        other_asking = ask(link, 4)
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        assert link.in_flight == 10
        await other.say(answer(await other.hear(Checks)))
        await eventually(asking.settled)
        assert link.in_flight == 4
        ask(link, 6)
        await other.say(answer(await other.hear(Checks)))
        await eventually(other_asking.settled)
        assert link.in_flight == 6


async def test_no_checks_at_all_are_answered_too() -> None:
    """A frame without checks is asked and answered like any other."""
    async with pair() as (link, other):
        assert link.ask([], 0, GENEROUS, Asking(0))
        await other.say(answer(await other.hear(Checks)))
        await eventually(lambda: not link._flights)


# Connecting


async def test_checks_wait_for_the_first_connection() -> None:
    """What is asked before the link is up is sent when it is, within its budget."""
    async with puppet() as other, linked(other.address) as (link, watching):
        assert link.state is State.CONNECTING
        asking = ask(link, 2)
        assert link.in_flight == 2
        await other.say(answer(await other.hear(Checks)))
        await eventually(asking.settled)
        assert asking.got == numbered(2)
        assert [peer.name for peer in watching.ups] == ["puppet"]
        assert link.peer is watching.ups[0]


async def test_checks_do_not_wait_longer_than_their_budget_for_the_first_connection() -> None:
    """When the other side only accepts, checks get no answer, and the next ones at once."""
    async with deaf() as other, linked(other.address) as (link, _):
        asking = ask(link, 1, SOON)
        await eventually(asking.settled)
        assert asking.got == UNANSWERED
        assert link.state is State.DOWN
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        assert link.in_flight == 0


async def test_checks_get_no_answer_at_once_where_nobody_listens() -> None:
    """A refused connection gives up what waits for it long before its budget ends, and says why."""
    async with puppet() as other:
        address = other.address
    async with linked(address) as (link, watching):
        asking = ask(link)
        await eventually(asking.settled)
        assert asking.got == UNANSWERED
        assert link.state is State.DOWN
        assert "refused" in link.refusal.lower() or "connect call failed" in link.refusal.lower()
        assert (watching.ups, watching.downs) == ([], 0)


async def test_a_link_finds_who_comes_later() -> None:
    """A link dials until somebody answers, and then takes checks."""
    async with puppet() as other:
        address = other.address
    async with linked(address, max_delay=0.1) as (link, _):
        await eventually(lambda: link.state is State.DOWN)
        later = Puppet(other.me)
        await later.start(address.port)
        await eventually(lambda: link.state is State.UP)
        assert link.refusal == ""
        asking = ask(link)
        await later.say(answer(await later.hear(Checks)))
        await eventually(asking.settled)
        await later.stop()


async def test_a_broken_connection_answers_what_was_in_flight_at_once() -> None:
    """When the connection breaks nobody waits for a budget, and each check gets one answer."""
    async with pair() as (link, other):
        asking = ask(link, 4)
        frame = await other.hear(Checks)
        await other.say(answer(frame, [2]))
        await eventually(lambda: asking.got[2])
        other.connections[-1].abort()
        await eventually(asking.settled)
        assert asking.got == [[None], [None], [[1, 2]], [None]]
        assert link.in_flight == 0


async def test_a_link_that_broke_is_used_again() -> None:
    """A link comes back by itself, as often as it breaks, and its watcher hears of each change."""
    async with puppet() as other, linked(other.address) as (link, watching):
        for times in range(1, 6):
            await eventually(lambda: link.state is State.UP and other.connections)
            asking = ask(link)
            await other.say(answer(await other.hear(Checks)))
            await eventually(asking.settled)
            assert asking.got == numbered(1)
            other.connections[-1].abort()
            await eventually(partial(watching.has_gone_down, times))
        assert len(watching.ups) >= 5


async def test_a_unix_socket_is_dialled_like_any_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A link to a path uses the Unix socket there, and no TLS."""
    path = f"{tmp_path_factory.mktemp('s')}/s"

    def context() -> None:
        raise AssertionError

    async with AsyncExitStack() as stack:
        other = Puppet(Identity("node", "puppet", "sidegate"))
        server = await asyncio.get_running_loop().create_unix_server(other._accept, path)
        link, _ = await stack.enter_async_context(linked(Address(path=path), context=context))
        await eventually(lambda: link.state is State.UP)
        server.close()


# Refusals


async def test_a_refusal_is_kept_and_told_once() -> None:
    """Why a link isn't let in is in `refusal`, and told once, however often it dials."""
    accepted: list[Hello] = []
    async with puppet(secrets=known(b"hush")) as other:
        other.approve = accepted.append
        async with linked(other.address, max_delay=0.05) as (link, watching):
            await eventually(lambda: len(accepted) > 3)
            assert link.refusal_code == "secret"
            assert "the two sides don't have the same secret" in link.refusal
            assert watching.ups == []
            assert link.state is State.DOWN
    assert watching.refusals == [link.refusal]


async def test_a_side_that_does_not_know_the_secret_is_not_believed() -> None:
    """A link with a secret doesn't come up with a side that has another, though that lets it in."""
    async with (
        puppet() as other,
        linked(other.address, me=Identity("app", "me", "", known(b"hush"))) as (link, watching),
    ):
        await eventually(lambda: link.refusal)
        assert "the two sides don't have the same secret" in link.refusal
        assert watching.ups == []


async def test_what_the_other_side_says_when_it_closes_is_the_refusal() -> None:
    """An error from the other side ends the connection, and its words are kept for people."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await other.say(Error("timeout", "a frame unfinished for 5 s"))
        await eventually(lambda: watching.downs)
        assert link.refusal_code == "timeout"
        assert "a frame unfinished for 5 s" in link.refusal


async def test_a_context_that_cannot_be_made_is_a_refusal() -> None:
    """Missing certificates keep a link down and are named; it tries again."""
    tries: list[int] = []

    def context() -> None:
        tries.append(1)
        raise FileNotFoundError(2, "No such file", "cert.pem")

    async with puppet() as other, linked(other.address, context=context) as (link, _):
        await eventually(lambda: len(tries) > 1)
        assert "cert.pem" in link.refusal


# Budgets


async def test_a_budget_that_runs_out_gives_no_answer_and_makes_the_link_suspect() -> None:
    """After one budget without a word, the link takes no checks: nobody else waits."""
    async with pair() as (link, other):
        asking = ask(link, 3, SOON)
        await eventually(asking.settled)
        assert asking.got == [[None]] * 3
        assert (link.state, link.in_flight) == (State.SUSPECT, 0)
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        assert [type(it) for it in other.heard].count(Checks) == 1


async def test_a_suspect_is_probed_and_trusted_again_with_its_first_word() -> None:
    """A suspect gets pings; the answer to one makes the link usable again."""
    async with pair() as (link, other):
        ask(link, 1, SOON)
        await eventually(lambda: link.state is State.SUSPECT)
        first, second = await other.hear(Ping), await other.hear(Ping)
        assert link.state is State.SUSPECT
        await other.say(Pong(first.id), Pong(second.id))
        await eventually(lambda: link.state is State.UP)
        asking = ask(link)
        await other.say(answer(await other.hear(Checks)))
        await eventually(asking.settled)
        assert asking.got == numbered(1)


async def test_a_late_answer_is_no_answer_but_a_sign_of_life() -> None:
    """What comes after the budget is dropped, and makes the link usable again."""
    async with pair() as (link, other):
        asking = ask(link, 1, SOON)
        await eventually(lambda: link.state is State.SUSPECT)
        await other.say(answer(await other.hear(Checks)))
        await eventually(lambda: link.state is State.UP)
        assert asking.got == UNANSWERED
        assert link.in_flight == 0


async def test_a_part_in_time_is_kept_when_the_rest_is_late() -> None:
    """A frame answered in part before its budget ends gives up only the other part."""
    async with pair() as (link, other):
        asking = ask(link, 3, 0.5)
        frame = await other.hear(Checks)
        await other.say(answer(frame, [1]))
        await eventually(asking.settled)
        await other.say(answer(frame, [0, 2]))
        await eventually(lambda: link.state is State.UP)
        assert asking.got == [[None], [[1, 1]], [None]]


async def test_one_timer_serves_all_deadlines() -> None:
    """A thousand frames in flight need one timer."""
    async with pair() as (link, _):
        ask(link)
        timer = link._questions._timer
        askings = [ask(link, 1, GENEROUS + 1) for _ in range(1_000)]
        assert link._questions._timer is timer
        assert not any(asking.settled() for asking in askings)


async def test_a_shorter_budget_does_not_wait_for_a_longer_one() -> None:
    """Checks with different budgets on one link are each given up in time."""
    async with pair() as (link, _):
        long = ask(link, 1, GENEROUS)
        short = ask(link, 1, SOON)
        await eventually(short.settled, within=GENEROUS / 2)
        assert not long.settled()


@pytest.mark.parametrize("budget", [0.0, 1e-6, 0.002])
async def test_a_tiny_budget_does_not_keep_others_from_the_first_connection(budget: float) -> None:
    """An asker in a hurry who comes before the link is up takes nothing from a patient one."""
    async with puppet() as other, linked(other.address) as (link, _):
        hurried, patient = ask(link, 1, budget), ask(link)
        answering = asyncio.create_task(answer_all(other, []))
        await eventually(patient.settled)
        await eventually(hurried.settled)
        assert patient.got == numbered(1)
        answering.cancel()


@pytest.mark.parametrize("budget", [0.0, 1e-6, 0.002])
async def test_a_tiny_budget_does_not_make_the_link_suspect(budget: float) -> None:
    """An asker in a hurry gets no answer, which says nothing about the other side."""
    async with pair() as (link, other):
        hurried = ask(link, 1, budget)
        await eventually(hurried.settled)
        patient = ask(link, 1, GENEROUS)
        assert hurried.got == UNANSWERED
        await other.hear(Checks)
        await other.say(answer(await other.hear(Checks)))
        await eventually(patient.settled)
        assert patient.got == numbered(1)


async def test_tiny_budgets_alone_make_a_silent_side_suspect_too() -> None:
    """When all askers are in a hurry, a side that stays silent is found out all the same."""
    async with pair() as (link, other):
        while link.state is State.UP:
            hurried = ask(link, 1, 0.001)
            await eventually(hurried.settled)
        assert link.state is State.SUSPECT
        await other.say(Pong(0))
        await eventually(lambda: link.state is State.UP)


async def test_askers_in_a_hurry_do_not_put_off_the_budgets_of_others() -> None:
    """A stream of checks without any budget doesn't keep other budgets from running out."""
    async with pair() as (link, other):
        asking = ask(link, 1, SOON)
        while not asking.settled():
            link.ask(some(1), 0, 0.0, Asking())
            await other.say(Pong(0))
            await asyncio.sleep(0)
        assert asking.got == UNANSWERED


async def test_a_suspect_that_stays_silent_is_dialled_anew() -> None:
    """When a suspect doesn't answer its pings for long, the connection is given up."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await eventually(lambda: link.state is State.UP)
        ask(link, 1, SOON)
        await eventually(lambda: link.state is State.SUSPECT)
        link.health.suspect_since -= 60  # as if it had been silent for a minute
        await eventually(lambda: len(watching.ups) == 2)
        assert link.state is State.UP


# Bad answers


@pytest.mark.parametrize(
    ("positions", "count"),
    [
        (None, 2),
        (None, 4),
        (None, 0),
        ([0, 1], 1),
        ([0], 2),
        ([0, 0], 2),
        ([3], 1),
        ([-1], 1),
        ([0, 1, 2, 3], 4),
    ],
)
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
    """The second answer to one check isn't taken."""
    async with pair() as (link, other):
        asking = ask(link, 3)
        frame = await other.hear(Checks)
        await other.say(answer(frame, [1]), answer(frame, [1]))
        assert (await other.hear(Error)).code == "bad-message"
        await eventually(asking.settled)
        assert asking.got == [[None], [[1, 1]], [None]]


async def test_answers_to_nothing_are_ignored() -> None:
    """Answers to a frame that isn't in flight do no harm."""
    async with pair() as (link, other):
        await other.say(Answers(99, "owner", "puppet", None, [[1]]), Ping(7))
        assert await other.hear(Pong) == Pong(7)
        assert link.state is State.UP


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
        assert link.state is State.UP


def ignore(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Do nothing: asyncio would log what the asker raised."""


async def test_an_asker_that_fails_does_not_keep_its_checks_in_flight() -> None:
    """When an asker can't take its answer, the count of checks in flight is still right."""

    class Failing(Asking):
        def answered(self, answers: Answers) -> None:
            raise RuntimeError(answers.node)

    async with pair() as (link, other):
        failing = Failing()
        asyncio.get_running_loop().set_exception_handler(ignore)
        assert link.ask(some(1), 0, GENEROUS, failing)
        await other.say(answer(await other.hear(Checks)))
        await eventually(failing.settled)
        assert link.in_flight == 0


# Closing


async def test_closing_answers_what_is_in_flight() -> None:
    """A closed link has answered everything, takes nothing, and doesn't dial again."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await eventually(lambda: link.state is State.UP)
        asking = ask(link, 2)
        await link.close()
        assert asking.got == [[None], [None]]
        assert (link.state, link.in_flight) == (State.CLOSED, 0)
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        await eventually(lambda: not other.connections)
        await link.close()
        assert len(watching.ups) == 1


async def test_closing_before_the_first_connection_answers_what_waits() -> None:
    """A link can be closed while it still dials or shakes hands, and leaves nothing open."""
    async with deaf() as other:
        for accepted in (0, 1):
            async with linked(other.address) as (link, _):
                asking = ask(link)
                await eventually(partial(other.has_accepted, accepted))
                await link.close()
                assert asking.got == UNANSWERED
        await eventually(lambda: not other.open)


async def test_closing_a_suspect_does_not_wait_for_it() -> None:
    """A side that doesn't answer can't keep a link from being closed."""
    async with pair() as (link, _):
        ask(link, 1, SOON)
        await eventually(lambda: link.state is State.SUSPECT)
        async with asyncio.timeout(GENEROUS / 4):
            await link.close()
        assert link.state is State.CLOSED


async def test_a_link_whose_task_is_cancelled_ends_at_once() -> None:
    """As at the end of asyncio.run: it has closed and told so before the loop turns again."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await eventually(lambda: link.state is State.UP)
        asking = ask(link, 2)
        link._dialling.cancel()
        await asyncio.gather(link._dialling, return_exceptions=True)
        assert asking.got == [[None], [None]]
        assert (link.state, watching.ended) == (State.CLOSED, 1)
        await eventually(lambda: not other.connections)


async def test_links_of_two_loops_know_nothing_of_each_other() -> None:
    """A link in another thread's loop works at the same time as one in this."""

    async def elsewhere() -> list[list[object]]:
        async with pair() as (link, other):
            asking = ask(link, 2)
            await other.say(answer(await other.hear(Checks)))
            await eventually(asking.settled)
            return asking.got

    both = await asyncio.gather(
        *(asyncio.to_thread(asyncio.run, elsewhere()) for _ in range(2)), elsewhere()
    )
    assert both == [numbered(2)] * 3
