"""Leases in an event loop: what is said to the sidecar, and what checks come back from where."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sidegate.buckets.limits import parse_limits
from sidegate.protocol.holds.lease_messages import Borrow, Returned
from sidegate.protocol.messages import Checks, Forget, Refund
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.testing import isolated
from tests.middleware.client.leases.lending import (
    EMPTY,
    LIMITS,
    borrowed,
    busy,
    hot,
    lend,
    turn,
)
from tests.middleware.client.puppet_client import pair, say
from tests.support.in_process.cluster import GENEROUS, client, eventually, sources
from tests.support.in_process.puppets import puppet

if TYPE_CHECKING:
    pass


async def test_checks_of_a_hot_key_are_allowed_at_once_by_what_was_lent() -> None:
    async with pair(lease=True) as (asking, other):
        await hot(asking, other)
        asked = await lend(other, 20)
        assert asked == Borrow(asked.id, 0, round(GENEROUS * 1e6), "k", LIMITS, asked.wanted)
        await borrowed(asking, 20)
        futures = [asking.check("k", LIMITS) for _ in range(20)]
        assert all(future.done() for future in futures)
        made = [await future for future in futures]
        assert sources(made) == {"lease": 20}
        assert {(it.allowed, it.node, it.remaining) for it in made} == {(True, "n7", 1000)}
        await turn(asking, other)  # none are left


async def test_what_is_used_up_is_settled_in_front_of_the_next_wish() -> None:
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 4)
        await asyncio.gather(asking.check("k", LIMITS), asking.check("k", LIMITS))
        await lend(other, 4, number=2)
        await eventually(lambda: any(it.next for it in asking._here().leases.table.values()))
        await asyncio.gather(*(asking.check("k", LIMITS) for _ in range(4)))
        assert (await other.hear(Returned)).rows == [("k", LIMITS, 1, 0)]
        await other.hear(Borrow)


async def test_what_isn_t_spent_is_given_back_when_nobody_asks_and_on_close() -> None:
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 20)
        assert (await asking.check("k", LIMITS)).source == "lease"
        assert (await other.hear(Returned)).rows == [("k", LIMITS, 1, 19)]
        assert await other.hear(Outcomes) == Outcomes([], [("k", "lease", 1, 1, 1)])
        await hot(asking, other)
        await lend(other, 20, number=2)
        await borrowed(asking, 20)
        await asking.check("k", LIMITS, 5)
        await asking.close()
        assert (await other.hear(Returned)).rows == [("k", LIMITS, 2, 15)]
        assert await other.hear(Outcomes) == Outcomes([], [("k", "lease", 1, 1, 5)])


async def test_what_was_lent_of_a_key_that_is_reset_is_given_back() -> None:
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 20)
        await other.say(Forget("k"))
        assert (await other.hear(Returned)).rows == [("k", LIMITS, 1, 20)]
        await turn(asking, other)


async def test_a_refund_goes_into_the_lease_and_to_the_owner_once_that_is_over() -> None:
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 20)
        made = await asking.check("k", LIMITS, 3)
        asking.refund("k", made)
        await borrowed(asking, 20)
        assert (await other.hear(Returned)).rows == [("k", LIMITS, 1, 20)]
        asking.refund("k", made)
        assert (await other.hear(Refund)).checks == [("k", LIMITS, 3)]


async def test_in_a_pause_of_the_owner_checks_are_denied_at_once() -> None:
    async with pair(lease=True, remember_denials=True) as (asking, other):
        await hot(asking, other)
        await lend(other, 0, 0, pause=10_000, debts=EMPTY)
        await eventually(lambda: any(it.lent for it in asking._here().leases.table.values()))
        denial = asking.check("k", LIMITS)
        if denial.done():  # else this machine took 10 ms to get here
            made = await denial
            assert (made.allowed, made.source, made.node) == (False, "remembered", "n7")
            assert 0 < made.retry_after <= 0.01


async def test_several_checks_are_charged_all_or_none_also_by_leases() -> None:
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 20)
        made = asyncio.create_task(asking.check_all([("k", LIMITS, 2), ("other", "5/day", 1)]))
        await say(other, [0, 5 * 86_400 * 10**9])
        first, second = await made
        assert first is not None
        assert second is not None
        assert (first.source, second.allowed) == ("lease", False)
        await borrowed(asking, 20)


@pytest.mark.parametrize("limits", [parse_limits(LIMITS).unleased(), "50/second"])
async def test_what_may_not_be_leased_and_what_is_too_little_isn_t_borrowed(limits: Any) -> None:
    async with pair(lease=True) as (asking, other):
        for _ in range(5):
            await turn(asking, other, limits=limits)
        assert not [it for it in other.heard if isinstance(it, Borrow)]


async def test_who_forbids_leases_borrows_nothing() -> None:
    async with pair(lease=False) as (asking, other):
        for _ in range(5):
            await turn(asking, other)
        assert not asking._here().leases.table
        assert not [it for it in other.heard if isinstance(it, Borrow)]


async def test_what_stands_in_for_the_sidecar_decides_in_place_of_leases() -> None:
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 20)
        with isolated():
            assert (await asking.check("k", LIMITS)).source == "memory"


async def test_a_sidecar_of_an_older_release_is_never_asked_to_lend() -> None:
    async with puppet(level=3) as other, client(other.address, lease=True) as asking:
        for _ in range(5):
            await turn(asking, other)
        assert not [it for it in other.heard if isinstance(it, Borrow)]
        assert not asking._here().leases.table


async def test_a_wish_that_is_never_answered_isn_t_kept() -> None:
    async with pair(lease=True) as (asking, other):
        await hot(asking, other)
        leases, link = asking._here().leases, asking._here().link
        assert link is not None
        assert link._questions._inquiries
        await eventually(lambda: not leases.table and not link._questions._inquiries)


async def test_a_lease_outlives_the_connection_but_not_its_time() -> None:
    async with pair(lease=True, on_unreachable="closed") as (asking, other):
        await busy(asking, other, 20)
        await other.stop()
        made = [await asking.check("k", LIMITS)]
        await eventually(lambda: not asking._here().leases.table)
        made.append(await asking.check("k", LIMITS))
        assert [it.source for it in made] == ["lease", "closed"]


async def test_checks_that_are_all_made_at_once_are_asked_in_one_frame_where_nothing_is_left() -> (
    None
):
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 2)
        futures = [asking.check("k", LIMITS) for _ in range(5)]
        frame = await say(other, *[[1, 0]] * 3)
        assert len(frame.checks) == 3
        assert sources(await asyncio.gather(*futures)) == {"lease": 2, "owner": 3}
        assert not [it for it in other.heard if isinstance(it, Checks)]
