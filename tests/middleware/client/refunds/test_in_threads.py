"""Giving back, and several keys at once, from threads over their one connection."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.errors import CheckError, CostError
from sidegate.protocol.messages import MAX_REFUNDS, Refund
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, PATIENCE, in_threads

YEAR = "50/year"


def test_who_is_alone_says_it_at_once(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        client.refund("k", client.check("k", YEAR, 30))
        sidecar.wait_for(lambda: sidecar.refunds == [("k", YEAR, 30)])
        assert client.check("k", YEAR, 50).allowed
        assert sidecar.accepted == 1


def test_who_leads_says_it_for_another(sidecar: SidecarDouble) -> None:
    """While it waits for its own answer."""
    with BlockingClient(sidecar.address, budget=AMPLE) as client, ThreadPoolExecutor(1) as pool:
        made = client.check("k", YEAR, 30)
        sidecar.hold(2)
        leader = pool.submit(client.check, "l", YEAR)
        sidecar.wait_for(lambda: sidecar.asked == 2)
        client.refund("k", made)
        sidecar.wait_for(lambda: sidecar.refunds == [("k", YEAR, 30)])
        sidecar.hold(0)
        assert leader.result(PATIENCE).allowed


def test_of_many_threads_nothing_is_lost_or_said_twice(sidecar: SidecarDouble) -> None:
    """However who leaves the lead, and who comes too late for it, meet."""

    def charge_and_give_back(number: int) -> None:
        for _ in range(20):
            client.refund(f"k{number}", client.check(f"k{number}", YEAR, 3))

    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        in_threads(16, charge_and_give_back)
        sidecar.wait_for(lambda: len(sidecar.refunds) == 16 * 20)
        looks = [client.check(f"k{number}", YEAR, 0).remaining for number in range(16)]
    assert looks == [50] * 16


def test_without_a_connection_it_is_never_said(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        made = client.check("k", YEAR)
        sidecar.stop()
        client.refund("k", made)  # into a connection that is broken
        client.refund("k", made)
        assert client.check("k", YEAR).source is Source.OPEN
        client.refund("k", made)
        sidecar.start()
        while client.check("k", YEAR).source is not Source.OWNER:
            pass
        assert sidecar.refunds == []
        client.refund("k", made)
        sidecar.wait_for(lambda: sidecar.refunds == [("k", YEAR, 1)])


def test_a_denial_is_not_remembered_of_what_was_given_back(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        made = client.check("k", YEAR, 50)
        assert not client.check("k", YEAR, 50).allowed
        client.refund("k", made)
        assert client.check("k", YEAR, 50).allowed


def test_as_many_wait_as_fit_into_a_frame(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address) as client:
        waiting = client._shared.multiplexer.waiting
        for _ in range(MAX_REFUNDS + 9):
            waiting.give_back(("k", YEAR, 1))
        assert len(waiting.take_refunds()) == MAX_REFUNDS


# Several at once


def test_all_are_asked_in_one_frame(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        made = client.check_all([("a", YEAR, 1), ("b", "5 per hour", 2), ("a", YEAR, 3)])
        assert [it and it.remaining for it in made] == [49, 3, 46]
    [frame] = sidecar.frames
    assert frame.checks == [("a", YEAR, 1), ("b", "5/hour", 2), ("a", YEAR, 3)]


def test_what_the_others_charged_is_given_back(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        made = client.check_all([("a", YEAR, 1), ("b", YEAR, 30), ("b", YEAR, 30)])
        assert [it and it.allowed for it in made] == [True, True, False]
        sidecar.wait_for(lambda: sidecar.refunds == [("a", YEAR, 1), ("b", YEAR, 30)])
        none, _, denied = client.check_all([("a", YEAR, 1), ("b", YEAR, 1), ("b", YEAR, 50)])
        assert denied is not None
        assert denied.source is Source.OWNER
        assert none is not None


def test_where_one_was_denied_a_moment_ago_nobody_is_asked(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        client.check("b", "1/hour")
        assert not client.check("b", "1/hour").allowed
        sidecar.forget()
        none, denied = client.check_all([("a", YEAR, 1), ("b", "1/hour", 1)])
        assert (none, denied and denied.source) == (None, Source.REMEMBERED)
        assert sidecar.frames == []


def test_what_cannot_be_decided_raises(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        sidecar.reason = "out of order"
        with pytest.raises(CheckError, match="out of order"):
            client.check_all([("a", YEAR, 1), ("b", YEAR, 1)])
        sidecar.reason = ""
        sidecar.forget()
        with pytest.raises(CostError):
            client.check_all([("a", YEAR, 1), ("b", YEAR, 51)])
        assert sidecar.frames == []


def test_without_a_sidecar_the_policy_decides_each(sidecar: SidecarDouble) -> None:
    sidecar.stop()
    with BlockingClient(sidecar.address, budget=AMPLE, on_unreachable="closed") as client:
        made = client.check_all([("a", YEAR, 1), ("b", YEAR, 1)])
        assert [(it.allowed, it.source) for it in made if it] == [(False, Source.CLOSED)] * 2
    sidecar.start()


def test_threads_that_compete_take_all_or_nothing(sidecar: SidecarDouble) -> None:
    """Whoever leads, each thread has all of its answers; in the end as much is spent as allowed."""

    def spend(_number: int) -> int:
        made = [client.check_all([("a", YEAR, 1), ("b", "30/year", 1)]) for _ in range(10)]
        assert all(it and it.source is Source.OWNER for each in made for it in each)
        return sum(all(it and it.allowed for it in each) for each in made)

    with BlockingClient(sidecar.address, budget=AMPLE, remember_denials=False) as client:
        allowed = sum(in_threads(12, spend))
        refused = 120 - allowed
        sidecar.wait_for(lambda: len(sidecar.refunds) >= refused)
        spent = 50 - (client.check("a", YEAR, 0).remaining or 0)
        assert (allowed, spent, len(sidecar.refunds)) == (30, 30, refused)
    assert sidecar.accepted == 1
    assert not any(isinstance(it, Refund) for it in sidecar.heard)
