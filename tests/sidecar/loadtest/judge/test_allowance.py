"""How much of a stream its limits let through: at most, at least, and with kills."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Source
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate_sidecar.loadtest.judge.allowance import allowance
from sidegate_sidecar.loadtest.judge.crashes import Crash
from sidegate_sidecar.loadtest.judge.loss import max_within
from sidegate_sidecar.loadtest.send.outcome import Outcome
from sidegate_sidecar.loadtest.send.record import Record, Records
from tests.sidecar.loadtest.records import ADMITTED, DENIED, note

LIMITS = parse_limits("10/second")


def admitted_at(*moments: float, key: int = 0) -> Record:
    records = Records(1)
    for moment in moments:
        note(records, moment, key=key)
    return records.streams[0]


TEN, ELEVEN = [0.0] * 10, [0.0] * 11


@pytest.mark.parametrize(
    ("moments", "limits", "most", "excess"),
    [
        (TEN, "10/second", 10, 0),
        (ELEVEN, "10/second", 10, 1),
        ([*TEN, *[1.0] * 11], "10/second", 20, 1),
        ([0.0, 10.0], "10/second; 12/minute", 14, 0),
    ],
    ids=["the burst", "one beyond it", "time refills", "the strictest of several limits"],
)
def test_a_limit_lets_through_its_burst_and_what_time_refills(
    moments: list[float], limits: str, most: int, excess: int
) -> None:
    found = allowance(admitted_at(*moments), parse_limits(limits))
    assert (found.most, found.excess, found.keys_beyond) == (most, excess, int(excess > 0))


@pytest.mark.parametrize(("begun", "denied"), [(1_000.0, 10), (1_005.0, 0), (1_004.9, 10)])
def test_windows_of_a_quota_do_not_begin_with_the_run(begun: float, denied: int) -> None:
    """They are those of the clock on the wall: 10 seconds from a full ten on."""
    record = admitted_at(*[1.0] * 10, *[5.0] * 10)
    found = allowance(record, parse_limits("10/10 seconds window"), begun=begun)
    assert (found.exact, found.denied) == (20 - denied, denied)
    assert found.excess == 0


def test_the_wait_for_an_answer_counts_as_time() -> None:
    """The limiter may have decided at its end."""
    records = Records(1)
    for _ in range(15):
        note(records, 0.0, took=0.5)
    assert allowance(records.streams[0], LIMITS).excess == 0


def test_no_key_lends_its_tokens_to_another() -> None:
    """Eleven by one key are too many, though the other has left all of its own."""
    records = Records(1)
    for key in (0, *[1] * 11):
        note(records, 0.0, key=key)
    found = allowance(records.streams[0], LIMITS)
    assert (found.most, found.admitted, found.excess) == (20, 12, 1)


def test_what_a_policy_let_through_is_not_held_against_the_limit() -> None:
    """Open, local and closed answers are in no bound."""
    records = Records(1)
    for source in (Source.OPEN, Source.LOCAL):
        for _ in range(20):
            note(records, 0.0, source=source)
    note(records, 0.0, DENIED, source=Source.CLOSED)
    found = allowance(records.streams[0], LIMITS)
    assert (found.admitted, found.exact, found.most, found.excess) == (0, 0, 0, 0)


def test_an_exact_limiter_is_the_measure_for_too_few() -> None:
    """Of 30 at once it admits 10 and denies 20; a tenth is forgiven, and what nobody knows."""
    records = Records(1)
    for number in range(30):
        note(records, 0.0, ADMITTED if number < 3 else DENIED)
    assert (exact := allowance(records.streams[0], LIMITS)).least == 9
    assert (exact.exact, exact.denied) == (10, 20)
    note(records, 0.0, Outcome.TIMEOUT, source=None)
    assert allowance(records.streams[0], LIMITS).least == 8


def test_one_starved_key_shows_among_many() -> None:
    """Of 20 keys one gets nothing: of all together that is only a twentieth."""
    records = Records(1)
    for key in range(20):
        for number in range(12):
            note(records, 0.0, ADMITTED if key and number < 10 else DENIED, key=key)
    found = allowance(records.streams[0], LIMITS)
    assert found.admitted >= found.least
    assert (found.missing, found.keys_below) == (9, 1)


def test_each_key_is_forgiven_a_tenth_or_one_and_what_nobody_knows_of_it() -> None:
    """Not what nobody knows of other keys."""
    records = Records(1)
    for key, (admitted, unknown) in enumerate([(9, 0), (8, 0), (7, 2), (8, 0)]):
        for number in range(12):
            note(records, 0.0, ADMITTED if number < admitted else DENIED, key=key)
        for _ in range(unknown):
            note(records, 0.0, Outcome.TIMEOUT, source=None, key=key)
    note(records, 0.0, DENIED, key=4)  # its only request: one is forgiven
    found = allowance(records.streams[0], LIMITS)
    assert (found.missing, found.keys_below) == (2, 2)


def test_keys_that_come_once_show_in_their_sum() -> None:
    """Each is forgiven its only request, all together only a tenth of them."""
    records = Records(1)
    for key in range(20):
        note(records, 0.0, DENIED, key=key)
    found = allowance(records.streams[0], LIMITS)
    assert (found.keys_below, found.least) == (0, 18)


def test_a_kill_may_cost_what_was_admitted_just_before() -> None:
    """Ten at once, a kill, ten more: only the burst that was spent in the last 0.15 s counts."""
    record = admitted_at(*[5.0] * 10, *[5.2] * 10)
    without = allowance(record, LIMITS)
    within, early, late, later = (
        allowance(record, LIMITS, [Crash("n1", killed, 9.0)]) for killed in (5.1, 4.2, 5.5, 5.7)
    )
    assert without.excess == later.excess == 8
    assert within.excess == early.excess == 0  # noted just before the kill, which takes a while
    assert late.excess == 0  # by a clock that is a little ahead of ours
    assert (within.kills, later.kills) == (10, 0)


def test_a_kill_costs_a_key_at_its_limit_what_a_moment_admits() -> None:
    """Ten a second: two of them in 0.15 s, at any moment, and so for each kill."""
    record = admitted_at(*(number / 10 for number in range(100)))
    one, two = Crash("n1", 3.0, 4.0), Crash("n2", 7.0, 8.0)
    assert allowance(record, LIMITS, [one]).kills == 2
    assert allowance(record, LIMITS, [one, two]).kills == 4


def test_a_late_owners_backup_may_admit_what_it_has_not_heard_of() -> None:
    """Ten by the owner, two more by its backup: those two, of that key; after a kill the kill's."""
    records = Records(1)
    for number in range(12):
        note(records, 5.0, source=Source.OWNER if number < 10 else Source.BACKUP)
    note(records, 5.0, DENIED, source=Source.BACKUP)
    note(records, 5.0, key=1)
    record = records.streams[0]
    late, killed = allowance(record, LIMITS), allowance(record, LIMITS, [Crash("n1", 4.9, 9.0)])
    assert (late.backups, late.kills, late.most, late.excess) == (2, 0, 22, 0)
    assert (killed.backups, killed.excess) == (0, 0)


@pytest.mark.parametrize(
    ("spans", "most"),
    [
        ([], 0),
        ([(2.0, 2.01)], 1),
        ([(2.0, 2.01), (2.1, 2.11), (2.3, 2.31)], 2),
        ([(2.0, 2.31), (2.3, 2.31)], 2),  # the first may have been decided late
        ([(0.7, 0.8)], 0),  # before all that may be lost
        ([(3.1, 3.2)], 0),  # after the node was surely dead
    ],
)
def test_the_worst_moment_of_death_counts(spans: list[tuple[float, float]], most: int) -> None:
    """Somewhere from 1 to 3."""
    assert max_within(spans, 1.0, 3.0) == most


@given(
    st.sampled_from(["10/second", "3/second burst 1", "20/second; 50/minute", "1/minute burst 7"]),
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 2)), max_size=200),
    st.floats(0, 0.2),
    st.integers(),
)
def test_an_exact_limiter_is_always_found_exact(
    text: str, requests: list[tuple[float, int]], slowest: float, seed: int
) -> None:
    """Wherever between sending and answer it decides: never too many, too few only by delays."""
    limits, random, buckets = parse_limits(text), Random(seed), BucketTable()
    sent = sorted(requests)
    times = [(at + random.random() * slowest, at, key) for at, key in sent]
    allowed = {
        (at, key, number): buckets.take(str(key), limits, 1, int(decided * SECOND))[0]
        for number, (decided, at, key) in enumerate(sorted(times))
    }
    records = Records(1)
    for (at, key, _), admitted in sorted(allowed.items()):
        note(records, at, ADMITTED if admitted else DENIED, key=key, took=slowest)
    found = allowance(records.streams[0], limits)
    assert found.excess == 0
    if not slowest:
        assert found.admitted == found.exact
