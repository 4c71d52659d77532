"""Leases in threads: one table for a process, spent by all of its threads, told by who talks."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.client.blocking import BlockingClient
from sidegate.client.leases.in_threads import ThreadLeases
from sidegate.client.leases.leases import IDLE
from sidegate.client.leases.sampling import MIN_SAMPLES
from sidegate.protocol.holds.lease_messages import MAX_LEASE, Borrow, Lent, Returned
from sidegate.protocol.messages import Forget, Refund
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.testing import isolated
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, PATIENCE, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from sidegate.client.leases.in_threads import Word

LIMITS = "100000/hour"  # so slow that nothing to speak of comes back meanwhile


@pytest.fixture
def client(sidecar: SidecarDouble) -> Iterator[BlockingClient]:
    sidecar.lends = 50
    with BlockingClient(sidecar.address, budget=AMPLE) as asking:
        yield asking


def source(client: BlockingClient, key: str = "k", cost: int = 1) -> str:
    return str(client.check(key, LIMITS, cost).source)


def until_leased(client: BlockingClient, key: str = "k") -> None:
    deadline = time.monotonic() + PATIENCE
    while source(client, key) != "lease":
        assert time.monotonic() < deadline


def wishes(sidecar: SidecarDouble) -> int:
    return sum(isinstance(it, Borrow) for it in sidecar.heard)


def test_checks_of_a_hot_key_are_allowed_without_asking(
    sidecar: SidecarDouble, client: BlockingClient
) -> None:
    made = Counter(source(client) for _ in range(2_000))
    assert made["lease"] > 1_000
    assert made["lease"] + made["owner"] == 2_000
    assert sidecar.asked == made["owner"]
    assert sidecar.accepted == 1
    spent = sum(given for _, _, _, given in sidecar.returned)
    assert spent < 2_000


def test_no_thread_spends_what_another_one_has_spent(
    sidecar: SidecarDouble, client: BlockingClient
) -> None:
    """What all have spent, and what is left, is what the owner has charged."""
    made: list[str] = []

    def check(_number: int) -> None:
        made.extend(source(client) for _ in range(300))

    in_threads(8, check)
    client.close()
    sidecar.wait_for(lambda: bool(sidecar.returned) and not client._shared.leased)
    told = {number: unspent for _, _, number, unspent in sidecar.returned}
    assert len(told) == len(sidecar.returned)
    charged = client.check("k", LIMITS, 0)
    owed = charged.debts[0] // charged.limits.items[0].interval + 1
    lapsed = 50 * (sidecar._lent - len(told))
    assert 0 <= owed - 2_400 - sum(told.values()) <= lapsed
    assert "lease" in made


def test_what_is_left_is_given_back_on_close_and_told_of(
    sidecar: SidecarDouble, client: BlockingClient
) -> None:
    until_leased(client)
    client.close()
    sidecar.wait_for(lambda: bool(sidecar.returned))
    assert sidecar.returned[-1][3] > 0
    sidecar.wait_for(lambda: any(isinstance(it, Outcomes) for it in sidecar.heard))
    rows = [row for it in sidecar.heard if isinstance(it, Outcomes) for row in it.keys]
    assert all(row[:3] == ("k", "lease", 1) for row in rows)


def test_what_nobody_asks_about_any_more_is_given_back_and_its_thread_ends(
    sidecar: SidecarDouble, client: BlockingClient
) -> None:
    until_leased(client)
    sidecar.wait_for(lambda: sum(row[3] for row in sidecar.returned) > 0)
    sidecar.wait_for(lambda: all(it.name != "sidegate leases" for it in threading.enumerate()))
    assert not client._shared.leased


def test_of_a_key_that_was_reset_nothing_is_left(
    sidecar: SidecarDouble, client: BlockingClient
) -> None:
    until_leased(client)
    sidecar.say(Forget("k"))
    deadline = time.monotonic() + PATIENCE
    while client._shared.leased:
        source(client, "other")
        assert time.monotonic() < deadline
    source(client, "other")
    sidecar.wait_for(lambda: bool(sidecar.returned))


def test_a_refund_goes_back_into_the_lease(sidecar: SidecarDouble, client: BlockingClient) -> None:
    until_leased(client)
    made = client.check("k", LIMITS, 2)
    if made.source == "lease":
        before = client._shared.leases.table["k", LIMITS].tokens
        client.refund("k", made)
        assert client._shared.leases.table["k", LIMITS].tokens in {before + 2, before}
    assert not [it for it in sidecar.heard if isinstance(it, Refund)]


def test_several_checks_are_charged_all_or_none_also_by_leases(sidecar: SidecarDouble) -> None:
    sidecar.lends = 50
    with BlockingClient(sidecar.address, budget=AMPLE, remember_denials=False) as asking:
        asking.check("other", LIMITS, 50_000)  # not back while this test lasts
        is_given_back = False  # into its lease, unless that is over by then
        deadline = time.monotonic() + PATIENCE
        while not is_given_back:
            assert time.monotonic() < deadline
            until_leased(asking)
            sidecar.refunds.clear()
            first, second = asking.check_all([("k", LIMITS, 2), ("other", LIMITS, 100_000)])
            assert first is not None
            assert second is not None
            assert not second.allowed
            is_given_back = first.source == "lease" and not sidecar.refunds


def test_what_is_always_asked_together_is_leased_too(
    sidecar: SidecarDouble, client: BlockingClient
) -> None:
    deadline = time.monotonic() + PATIENCE
    made = Counter[str]()
    while not {"k", "l"} <= {*made}:
        assert time.monotonic() < deadline
        both = client.check_all([("k", LIMITS, 1), ("l", LIMITS, 1)])
        made.update(key for key, it in zip("kl", both, strict=True) if it and it.source == "lease")
    assert wishes(sidecar) >= 2


def test_who_forbids_leases_borrows_nothing(sidecar: SidecarDouble) -> None:
    sidecar.lends = 50
    with BlockingClient(sidecar.address, budget=AMPLE, lease=False) as asking:
        assert {source(asking) for _ in range(50)} == {"owner"}
    assert wishes(sidecar) == 0


def test_an_older_sidecar_is_never_asked() -> None:
    with (
        SidecarDouble("127.0.0.1:0", level=3) as older,
        BlockingClient(older.address, budget=AMPLE, secret="") as asking,
    ):
        older.lends = 50
        assert {source(asking) for _ in range(50)} == {"owner"}
        assert wishes(older) == 0
        assert older.errors == []


def test_a_clock_that_tests_of_an_app_move_by_sleeping_isn_t_moved_by_its_thread(
    client: BlockingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleepers: list[str] = []

    def sleep(_: float) -> None:
        sleepers.append(threading.current_thread().name)

    monkeypatch.setattr(time, "sleep", sleep)
    until_leased(client)
    keepers = [it for it in threading.enumerate() if it.name == "sidegate leases"]
    assert keepers
    for keeper in keepers:
        keeper.join(PATIENCE)  # until what is lent is idle
        assert not keeper.is_alive()
    assert "sidegate leases" not in sleepers


def test_an_owner_that_lends_nothing_isn_t_asked_again_for_a_lapse(
    sidecar: SidecarDouble, client: BlockingClient
) -> None:
    sidecar.lends = 0
    began = time.monotonic()
    assert {source(client) for _ in range(100)} == {"owner"}
    assert wishes(sidecar) <= 2 + (time.monotonic() - began) / 0.1


def test_what_stands_in_for_the_sidecar_decides(client: BlockingClient) -> None:
    until_leased(client)
    with isolated():
        assert source(client) == "memory"


def test_who_asks_now_and_then_borrows_no_more() -> None:
    """What is lent for a check a second would lapse each time: a limit would let less through."""
    words: list[Word] = []
    leases = ThreadLeases(AMPLE, lambda: words.extend(leases.words()), remembers=True)
    limits, now = parse_limits(LIMITS), time.monotonic_ns()
    for _ in range(MIN_SAMPLES):
        leases.saw(("k", LIMITS, 1), limits, now)
    (borrow,) = words
    assert isinstance(borrow, Borrow)
    leases.told(Lent(borrow.id, "owner", "n1", 2, MAX_LEASE, 7, 0, [0]))
    words.clear()
    for second in range(1, 4):
        assert leases.spend("k", limits, 1, now + second * SECOND) is None
    assert leases.words() == [Returned(0, [("k", LIMITS, 7, 2)])]
    assert not leases.table
    assert not words


def test_what_is_never_answered_is_forgotten_also_of_keys_that_nobody_asks_about() -> None:
    """As by a sidecar of an older release, which isn't told of wishes."""
    words: list[Word] = []
    leases = ThreadLeases(AMPLE, lambda: words.extend(leases.words()), remembers=True)
    limits, now = parse_limits(LIMITS), time.monotonic_ns()
    for burst in range(20):
        for _ in range(MIN_SAMPLES):
            leases.saw((f"k{burst}", LIMITS, 1), limits, now)
        for _ in range(6):
            now += IDLE // 2
            leases.spend("other", limits, 1, now)
    assert not leases.table
    assert len(leases._asked) <= 2


@pytest.mark.parametrize("stays_busy", [True, False])
def test_in_an_outage_nothing_piles_up_that_was_to_be_asked(stays_busy: bool) -> None:
    """Nobody talks to the sidecar then; what is asked once it is back is what is wanted then."""
    leases = ThreadLeases(AMPLE, lambda: None, remembers=True)
    limits, now = parse_limits(LIMITS), time.monotonic_ns()
    for burst in range(100):
        key = "k" if stays_busy else f"k{burst}"
        for _ in range(MIN_SAMPLES):
            leases.saw((key, LIMITS, 1), limits, now)
        for _ in range(12):
            now += IDLE // 2
            leases.spend(key if stays_busy else "other", limits, 1, now)
    assert len(leases._leases.wishes) <= 1
    assert len(leases._leases.returned) <= 1


def _child(client: BlockingClient, told: Connection) -> None:
    told.send(source(client))


def test_a_forked_process_has_none_of_them(client: BlockingClient) -> None:
    until_leased(client)
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_child, args=(client, there))
    child.start()
    assert here.poll(PATIENCE)
    assert here.recv() == "owner"
    child.join(PATIENCE)
