"""Lending: how much, for how long, and what becomes of it; test_intervals.py has the bound."""

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.lending import LAPSE, MAX_LEASES, LeaseTerms, Lending
from sidegate.buckets.limits import SECOND, parse_limits
from tests.middleware.buckets.lending.test_intervals import BEGAN

MS = SECOND // 1_000
KEY = "api:busy"
BUSY = "1000/second"
NOW = BEGAN


class Desk:
    """One table that lends of one key, and the time."""

    def __init__(self, limits: str = BUSY) -> None:
        self.table = BucketTable()
        self.lending = Lending(self.table)
        self.limits = parse_limits(limits)
        self.now = NOW
        self.last = 0

    def lend(self, wanted: int = 1_000, key: str = KEY) -> LeaseTerms:
        self.last += 1
        return self.lending.lend(self.last, key, self.limits, wanted, self.now)

    def take(self, cost: int) -> bool:
        return self.table.take(KEY, self.limits, cost, self.now)[0]

    def left(self) -> int:
        """How many tokens there are to take."""
        _, debts = self.table.take(KEY, self.limits, 0, self.now)
        limit = self.limits.items[0]
        return (limit.capacity - debts[0] * limit.scale) // limit.interval

    def settle(self, number: int, unspent: int) -> int:
        """Give a lease back, as a node does; return what came of it."""
        ended = self.lending.settle(number, KEY, self.limits, unspent, self.now)
        if ended is None:
            return 0
        self.table.refund(KEY, ended.limits, ended.tokens, self.now, ended.windows)
        return ended.tokens


def test_each_lease_has_half_of_what_is_left_of_5_percent() -> None:
    desk = Desk()
    assert [desk.lend().tokens for _ in range(6)] == [25, 12, 6, 3, 2, 0]
    assert desk.lending.lent == 48
    assert desk.lend().pause == 5 * MS


def test_no_more_is_lent_than_is_wanted_and_is_there() -> None:
    desk = Desk()
    assert desk.lend(7).tokens == 7
    assert desk.take(930)
    assert desk.left() == 13
    loan = desk.lend(20)
    assert loan.tokens == 13
    assert loan.pause == 2 * MS  # then there are two, and it is worth to ask again
    assert desk.lend(20) == (0, 0, 2 * MS, loan.debts)


@pytest.mark.parametrize("limits", ["5/minute", "79/second", "0/second", "1000/second burst 20"])
def test_of_small_bursts_nothing_is_lent(limits: str) -> None:
    """Half of 5 % would be less than two; who asks all the same asks once a second."""
    desk = Desk(limits)
    assert desk.lend() == (0, 0, SECOND, [])
    assert not len(desk.table)


def test_a_lease_is_charged_to_all_of_its_limits() -> None:
    desk = Desk("1000/second; 900/minute")
    loan = desk.lend()
    assert loan.tokens == 22  # half of 5 % of the smaller one
    assert loan.debts == [22 * MS, 22 * SECOND // 15 + 1]
    other = parse_limits("900/minute")  # the same bucket
    assert desk.lending.lend(99, KEY, other, 1_000, NOW).tokens == 11


def test_who_is_to_leave_something_to_others_is_lent_no_more_than_that() -> None:
    desk = Desk("1000/second keep 20%")
    assert desk.take(795)
    assert desk.lend().tokens == 5


def test_a_bucket_does_not_fill_up_behind_what_is_out() -> None:
    desk = Desk()
    loan = desk.lend(50)
    assert (loan.tokens, loan.lasts) == (25, 50 * MS)
    assert desk.left() == 1_000 - 25 - 50
    desk.now += 49 * MS
    assert desk.left() == 1_000 - 25 - 1
    desk.now += MS
    assert desk.left() == 1_000 - 25
    desk.now += 25 * MS
    assert desk.left() == 1_000


def test_a_refund_does_not_fill_it_up_either() -> None:
    desk = Desk()
    assert desk.take(10)
    desk.lend(50)
    left = desk.left()
    desk.table.refund(KEY, desk.limits, 10, desk.now)
    assert desk.left() == left


@pytest.mark.parametrize(
    ("limits", "wanted", "lasts"),
    [
        (BUSY, 50, 50),  # a twentieth of the time in which it fills up
        ("100000/minute burst 20000", 10_000, 10),  # such an app has spent 500 in 5
        ("100000/minute burst 20000", 1_000, 100),
        ("1000/second burst 100", 50, 5),
        ("1000/day window", 50, 100),
    ],
)
def test_a_lease_lasts_twice_as_long_as_is_needed(limits: str, wanted: int, lasts: int) -> None:
    """So that little is kept back of a bucket that is full, and is about to be emptied."""
    assert Desk(limits).lend(wanted).lasts == lasts * MS


def test_it_lasts_longer_of_a_bucket_that_is_not_about_to_fill_up() -> None:
    desk = Desk()
    assert desk.take(500)
    assert desk.lend(1_000).lasts == 50 * MS
    assert desk.left() == 1_000 - 500 - 25


def test_a_lease_of_a_quota_ends_with_its_window() -> None:
    desk = Desk("1000/hour window")
    desk.now += SECOND - 30 * MS
    assert desk.lend().lasts == 30 * MS


def test_of_a_quota_what_is_given_back_is_there_again_and_nothing_else_was_lost() -> None:
    desk = Desk("1000/hour window")
    assert desk.lend().tokens == 25
    assert desk.left() == 975
    assert desk.settle(1, 20) == 20
    assert desk.left() == 995


def test_what_is_given_back_is_there_again_once() -> None:
    desk = Desk()
    assert desk.take(500)
    assert desk.lend().tokens == 25
    assert desk.settle(1, 20) == 20
    assert desk.left() == 495
    assert desk.settle(1, 20) == 0
    assert desk.left() == 495
    assert not desk.table.lent


def test_no_more_is_given_back_than_was_lent() -> None:
    desk = Desk()
    assert desk.take(500)
    assert desk.lend().tokens == 25
    assert desk.settle(1, 10**6) == 25


def test_what_is_given_back_late_is_not() -> None:
    desk = Desk()
    assert desk.take(500)
    loan = desk.lend()
    desk.now += loan.lasts
    assert desk.settle(1, 20) == 0
    assert (desk.lending.lapsed, desk.lending.returned, len(desk.lending)) == (25, 0, 0)
    assert not desk.table.lent


def test_a_lease_is_given_back_by_its_key_and_limits_only() -> None:
    desk = Desk()
    desk.lend()
    lending = desk.lending
    assert lending.settle(1, "api:other", desk.limits, 5, NOW) is None
    assert lending.settle(1, KEY, parse_limits("900/second"), 5, NOW) is None
    assert len(lending) == 1
    assert desk.settle(1, 0) == 0
    assert len(lending) == 0


@pytest.mark.parametrize("what", ["merged", "reset", "made full", "put by", "forgotten"])
def test_of_a_bucket_of_which_more_has_become_nothing_comes_back(what: str) -> None:
    """And it lends nothing until all that is out is over."""
    desk = Desk()
    assert desk.take(500)
    loan = desk.lend()
    [limit] = desk.limits.items
    match what:
        case "merged":
            desk.table.merge(KEY, limit, 1, NOW)
        case "reset":
            desk.table.reset(KEY)
        case "made full":
            desk.table.fill(limit.text, [KEY], NOW)
        case "put by":
            desk.table.put_by_all(limit, [KEY], [1], NOW)
        case _:
            desk.table.sweep(NOW + 2 * SECOND, 10)
    assert desk.lend().tokens == 0
    assert desk.settle(1, 20) == 0
    assert desk.lend().tokens == 25
    assert loan.tokens == 25


def test_what_takes_the_place_of_a_limit_does_not_fill_up_either() -> None:
    """A slower limit becomes a fast one, of which a burst comes back in a moment."""
    desk = Desk("\x1f1000/minute")
    assert desk.lend(30).tokens == 25
    desk.limits = parse_limits("\x1f400/second burst 40")
    assert desk.left() <= 0  # in the 100 ms until the lease is over all would come back
    desk.now += 100 * MS
    assert desk.left() == 39  # 2.5 % may have been spent just now


def test_so_many_leases_are_out_at_a_time() -> None:
    desk = Desk()
    for at in range(MAX_LEASES):
        assert desk.lend(2, f"api:{at}").tokens == 2
    assert desk.lend(2) == (0, 0, 5 * MS, [0])
    desk.now += LAPSE
    assert desk.lend(2).tokens == 2
    assert len(desk.lending) == 1


def test_those_that_were_given_back_are_remembered_until_they_would_have_lapsed() -> None:
    """Only so many of them: who borrows and gives back for ever fills nothing."""
    desk = Desk("1000000/minute")
    for _ in range(4 * MAX_LEASES):
        assert desk.lend(2).tokens == 2
        desk.settle(desk.last, 2)
    assert desk.lend(2).tokens == 0
    desk.now += LAPSE
    assert desk.lend(2).tokens == 2


def test_what_was_charged_in_a_window_that_is_over_stays_so() -> None:
    """It is over as soon as another node says so, up to a second early."""
    desk = Desk("1000/hour window")
    desk.lend()
    window = desk.table.windows.of_limit(desk.limits.items[0])
    assert window is not None
    assert window.enter(window.number + 1, NOW)
    assert desk.take(100)
    assert desk.settle(1, 20) == 20
    assert desk.left() == 900
