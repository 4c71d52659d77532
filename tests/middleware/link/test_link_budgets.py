"""A link: what becomes of checks whose budget runs out, and what the link is good for then."""

import asyncio

import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.messages import Checks, Ping, Pong
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.linking import (
    SOON,
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
from tests.support.in_process.puppets import puppet


async def test_a_budget_that_runs_out_gives_no_answer_and_makes_the_link_suspect() -> None:
    """After one budget without a word, the link takes no checks: nobody else waits."""
    async with pair() as (link, other):
        asking = ask(link, 3, SOON)
        await eventually(asking.settled)
        assert asking.got == [[None]] * 3
        assert (link.state, link.in_flight) == (LinkState.SUSPECT, 0)
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        assert [type(it) for it in other.heard].count(Checks) == 1


async def test_a_suspect_is_probed_and_trusted_again_with_its_first_word() -> None:
    async with pair() as (link, other):
        await suspected(link)
        first, second = await other.hear(Ping), await other.hear(Ping)
        assert link.state is LinkState.SUSPECT
        await other.say(Pong(first.id), Pong(second.id))
        await eventually(lambda: link.state is LinkState.UP)
        asking = ask(link)
        await answered(other, asking)
        assert asking.got == numbered(1)


async def test_a_late_answer_is_no_answer_but_a_sign_of_life() -> None:
    async with pair() as (link, other):
        asking = await suspected(link)
        await other.say(answer(await other.hear(Checks)))
        await eventually(lambda: link.state is LinkState.UP)
        assert asking.got == UNANSWERED
        assert link.in_flight == 0


async def test_a_part_in_time_is_kept_when_the_rest_is_late() -> None:
    async with pair() as (link, other):
        asking = ask(link, 3, 0.5)
        frame = await other.hear(Checks)
        await other.say(answer(frame, [1]))
        await eventually(asking.settled)
        await other.say(answer(frame, [0, 2]))
        await eventually(lambda: link.state is LinkState.UP)
        assert asking.got == [[None], [[1, 1]], [None]]


async def test_one_timer_serves_all_deadlines() -> None:
    async with pair() as (link, _):
        ask(link)
        timer = link._questions._timer
        askings = [ask(link, 1, GENEROUS + 1) for _ in range(1_000)]
        assert link._questions._timer is timer
        assert not any(asking.settled() for asking in askings)


async def test_a_shorter_budget_does_not_wait_for_a_longer_one() -> None:
    async with pair() as (link, _):
        long = ask(link, 1, GENEROUS)
        short = ask(link, 1, SOON)
        await eventually(short.settled, within=GENEROUS / 2)
        assert not long.settled()


@pytest.mark.parametrize("budget", [0.0, 1e-6, 0.002])
async def test_a_tiny_budget_does_not_keep_others_from_the_first_connection(budget: float) -> None:
    """An asker in a hurry who comes before the link is up takes nothing from a patient one."""
    async with puppet() as other, linked(other.address, patience=GENEROUS) as (link, _):
        hurried, patient = ask(link, 1, budget), ask(link)
        answering = asyncio.create_task(answer_all(other, []))
        await eventually(patient.settled)
        await eventually(hurried.settled)
        assert patient.got == numbered(1)
        answering.cancel()


@pytest.mark.parametrize("budget", [0.0, 1e-6, 0.002])
async def test_a_tiny_budget_does_not_make_the_link_suspect(budget: float) -> None:
    """An asker in a hurry gets no answer, which says nothing about the other side."""
    async with pair(patience=GENEROUS) as (link, other):
        hurried = ask(link, 1, budget)
        await eventually(hurried.settled)
        patient = ask(link, 1, GENEROUS)
        assert hurried.got == UNANSWERED
        await other.hear(Checks)
        await answered(other, patient)
        assert patient.got == numbered(1)


async def test_tiny_budgets_alone_make_a_silent_side_suspect_too() -> None:
    async with pair() as (link, other):
        while link.state is LinkState.UP:
            hurried = ask(link, 1, 0.001)
            await eventually(hurried.settled)
        assert link.state is LinkState.SUSPECT
        await other.say(Pong(0))
        await eventually(lambda: link.state is LinkState.UP)


async def test_askers_in_a_hurry_do_not_put_off_the_budgets_of_others() -> None:
    async with pair() as (link, other):
        asking = ask(link, 1, SOON)
        while not asking.settled():
            link.ask(some(1), 0, 0.0, Asking())
            await other.say(Pong(0))
            await asyncio.sleep(0)
        assert asking.got == UNANSWERED


async def test_a_suspect_that_stays_silent_is_dialled_anew() -> None:
    async with puppet() as other, linked(other.address) as (link, watching):
        await eventually(lambda: link.state is LinkState.UP)
        await suspected(link)
        link.health.suspect_since -= 60  # as if it had been silent for a minute
        await eventually(lambda: len(watching.ups) == 2)
        assert link.state is LinkState.UP
