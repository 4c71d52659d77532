"""A ledger, and the owner who settles it: each check counts once, however it is told."""

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.messages import Charged, Settled
from sidegate_ring.hashring import Ring
from sidegate_sidecar.replication.copies import Copies
from sidegate_sidecar.replication.corrections.decided import Decided
from sidegate_sidecar.replication.corrections.resets import KnownReset, KnownResets
from sidegate_sidecar.replication.corrections.settling import LATE, Settling
from sidegate_sidecar.replication.corrections.stand_in_ledgers import (
    CHARGES_A_MESSAGE,
    MAX_CHARGES,
    MAX_DENIED,
    StandInLedger,
    StandInLedgers,
)

START = 10**15
LIMIT = "10/year"
LIMITS = parse_limits(LIMIT)
TOKEN = LIMITS.items[0].interval
NO_INTS: list[int] = []
NO_CHARGES: list[tuple[int, int, int]] = []


class Sides:
    """A stand-in with its ledger, and the owner of the key."""

    def __init__(self) -> None:
        self.copies = Copies("a")  # the owner's
        self.table, self.owners = BucketTable(), BucketTable()
        self.ledger, self.decided, self.resets = StandInLedger(), Decided(), KnownResets()
        self.settling = Settling(self.owners, self.decided, self.resets, self.copies)

    def meet(self) -> None:
        """Have the owner meet a node that may have decided something elsewhere."""
        self.copies.ring_changed(Ring(["a", "b", "c"], points=1), {"c"})

    def stand_in(self, serial: int, cost: int = 1) -> bool:
        """Have the stand-in decide a check."""
        allowed, _ = self.table.take("k", LIMITS, cost, START)
        self.ledger.add("k", LIMITS, (serial, 0, cost if allowed else 0), START)
        return allowed

    def own(self, serial: int, cost: int = 1) -> bool:
        """Have the owner decide a check that was forwarded."""
        allowed, _ = self.owners.take("k", LIMITS, cost, START)
        self.decided.note(serial, None, [cost if allowed else 0])
        return allowed

    def copy(self) -> None:
        """Have the owner's bucket merged by the stand-in."""
        for rows in self.owners.export(START):
            for key, limit, debt in rows:
                self.table.merge(key, limit, debt, START)

    def settle(self, message: Charged, sender: str = "b") -> Settled:
        """Return the owner's answer."""
        return Settled(message.id, self.settling.settle_all(sender, message.rows, START))

    def tell(self, number: int = 1) -> None:
        """Have the owner settle what there is, and the stand-in hear of it."""
        message = self.ledger.take(number, self.table, START)
        self.ledger.settle(self.settle(message), self.table, START)

    @property
    def tokens(self) -> tuple[int, int]:
        """Return what the owner and the stand-in hold."""
        return _tokens(self.owners), _tokens(self.table)


def _tokens(table: BucketTable) -> int:
    return sum(debt for limit, debt in table.held("k", START) if str(limit) == LIMIT) // TOKEN


def test_what_is_decided_while_a_message_is_under_way_does_not_get_into_it() -> None:
    """Its debt is that of before: the owner would add no more, and take all for settled."""
    sides = Sides()
    sides.stand_in(1)
    late = sides.ledger.take(1, sides.table, START)
    sides.stand_in(2)
    sides.ledger.give_back(START)
    sides.settle(late)
    sides.tell(2)
    assert sides.tokens == (2, 2)


def test_the_owner_adds_what_it_did_not_know() -> None:
    """Not the larger of two debts: what both have charged meanwhile is the sum."""
    sides = Sides()
    sides.own(1, cost=2)
    sides.stand_in(2)
    sides.stand_in(3)
    assert [*sides.ledger.unsettled] == [(LIMIT, "k")]
    sides.tell()
    assert sides.tokens == (4, 4)
    assert not sides.ledger
    assert not [*sides.ledger.unsettled]
    assert sides.settling.over_admitted == 0


@pytest.mark.parametrize("copied", [True, False])
def test_a_check_that_both_have_decided_counts_once(copied: bool) -> None:
    """Whether or not the owner's charge had come to the stand-in before it charged again."""
    sides = Sides()
    sides.own(1)
    if copied:
        sides.copy()
    sides.stand_in(1)
    sides.tell()
    assert sides.tokens == (1, 1)


def test_the_answer_that_was_heard_counts() -> None:
    """A check that the owner allowed and the stand-in denied, with the owner's copy, is free."""
    sides = Sides()
    sides.own(1, cost=10)
    sides.copy()
    assert not sides.stand_in(1, cost=10)
    sides.tell()
    assert sides.tokens == (0, 0)


@pytest.mark.parametrize("denied", [True, False])
def test_what_a_stand_in_decides_too_late_for_its_asker_is_void(*, denied: bool) -> None:
    """The asker had given it up, and has heard the owner by way of a third."""
    sides = Sides()
    sides.own(1, cost=10 if denied else 1)
    sides.decided.note_heard(1)
    if denied:
        sides.copy()
    assert sides.stand_in(1) is not denied
    sides.tell()
    assert sides.tokens == ((10, 10) if denied else (1, 1))


@pytest.mark.parametrize("owned", [True, False])
def test_a_message_that_is_told_again_counts_once(owned: bool) -> None:
    """Also if the first answer is lost, or comes when the second message is on its way."""
    sides = Sides()
    if owned:
        sides.own(1)
        sides.copy()
    sides.stand_in(1)
    first = sides.settle(sides.ledger.take(1, sides.table, START))
    sides.ledger.give_back(START)
    sides.stand_in(2)
    again = sides.ledger.take(2, sides.table, START)
    sides.ledger.settle(first, sides.table, START)
    assert sides.ledger
    sides.ledger.settle(sides.settle(again), sides.table, START)
    assert sides.tokens == (2, 2)
    assert not sides.ledger


def test_of_two_that_stood_in_for_one_check_the_first_that_tells_counts() -> None:
    sides = Sides()
    message = Charged(1, [("k", LIMIT, [TOKEN], [(1, 0, 1)])])
    assert sides.settle(message, "c").rows == [(LIMIT, "k", 0, TOKEN)]
    sides.stand_in(1)
    sides.tell()
    assert sides.tokens == (1, 1)
    assert sides.decided.in_place(1, 0) == ("c", 1)


def test_what_is_paid_by_now_is_not_charged_any_more() -> None:
    """A stand-in charged ten tokens over a time in which they came back: none is owed."""
    sides = Sides()
    sides.settle(Charged(1, [("k", LIMIT, [0], [(at, 0, 1) for at in range(10)])]))
    assert sides.tokens[0] == 0


def test_what_was_admitted_beyond_the_limit_is_counted() -> None:
    sides = Sides()
    sides.own(1, cost=8)
    sides.stand_in(2, cost=7)
    sides.tell()
    assert sides.tokens == (10, 10)
    assert sides.settling.over_admitted == pytest.approx(5)


@pytest.mark.parametrize("denied_first", [True, False])
def test_what_is_given_back_first_makes_up_for_what_was_beyond_the_limit(
    *, denied_first: bool
) -> None:
    """A check is free that its asker heard denied, and 11 of 10 are spent: nothing is left.

    In whichever order the owner is told.
    """
    sides = Sides()
    sides.own(1)
    sides.own(2, cost=9)
    denied = Charged(1, [("k", LIMIT, [10 * TOKEN], [(1, 0, 0)])])
    allowed = Charged(2, [("k", LIMIT, [10 * TOKEN], [(3, 0, 2)])])
    for message in (denied, allowed) if denied_first else (allowed, denied):
        sides.settle(message)
    assert sides.tokens[0] == 10
    sides.settle(Charged(3, [("k", LIMIT, [10 * TOKEN], [(2, 0, 0)])]))
    assert sides.tokens[0] == 2


@pytest.mark.parametrize(("meets", "tokens"), [(True, 7), (False, 2)])
def test_an_owner_that_meets_others_takes_the_copy_on_which_was_charged(
    *, meets: bool, tokens: int
) -> None:
    """Else 5 that come from these later would be all that is owed, of 7."""
    sides = Sides()
    if meets:
        sides.meet()
    sides.table.merge("k", LIMITS.items[0], 5 * TOKEN, START)
    sides.stand_in(1, cost=2)
    sides.tell()
    assert sides.tokens == (tokens, 7)
    sides.owners.merge("k", LIMITS.items[0], 5 * TOKEN, START)
    assert sides.tokens == (max(tokens, 5), 7)


def test_such_a_copy_is_without_what_counts_twice() -> None:
    sides = Sides()
    sides.meet()
    sides.table.merge("k", LIMITS.items[0], TOKEN, START)
    sides.own(1)
    sides.decided.note_in_place(1, 0, "c", 1)
    sides.stand_in(1)
    sides.stand_in(2)
    sides.tell()
    assert sides.tokens == (2, 2)


def test_such_a_copy_is_without_what_is_told_later() -> None:
    """In another row of the message, or in another message."""
    sides = Sides()
    sides.meet()
    sides.table.merge("k", LIMITS.items[0], TOKEN, START)
    sides.stand_in(1)
    for serial in range(2, 2 + CHARGES_A_MESSAGE):
        both = parse_limits(f"{LIMIT}; 5/day")
        allowed, _ = sides.table.take("k", both, 1, START)
        sides.ledger.add("k", both, (serial, 0, int(allowed)), START)
    sides.stand_in(2 + CHARGES_A_MESSAGE)
    assert _tokens(sides.table) == 8
    for number in (1, 2):
        assert sides.ledger.is_due
        sides.tell(number)
    assert not sides.ledger
    assert _tokens(sides.owners) == _tokens(sides.table) == 8


def test_such_a_copy_that_is_merely_late_is_not_taken() -> None:
    """Else what is told again and again would never be paid."""
    sides = Sides()
    sides.meet()
    sides.table.merge("k", LIMITS.items[0], LATE, START)
    sides.stand_in(1)
    sides.tell()
    assert [debt for _, debt in sides.owners.held("k", START)] == [TOKEN]


def test_no_copy_of_a_quota_is_taken() -> None:
    """It may be of another window, and what is owed in this one would last for all of it."""
    sides, quota = Sides(), parse_limits("10/day window")
    sides.meet()
    sides.table.take("k", quota, 5, START)
    sides.table.take("k", quota, 1, START)
    sides.ledger.add("k", quota, (1, 0, 1), START)
    sides.tell()
    assert [debt for _, debt in sides.owners.held("k", START)] == [quota.items[0].interval]


def test_what_is_charged_while_a_message_is_on_its_way_is_kept() -> None:
    sides = Sides()
    sides.own(1)
    sides.copy()
    sides.stand_in(1)
    message = sides.ledger.take(1, sides.table, START)
    sides.stand_in(2)
    due = [sides.ledger.is_due]
    sides.ledger.settle(sides.settle(message), sides.table, START)
    assert sides.tokens == (1, 2)
    assert [*due, sides.ledger.is_due] == [False, True]
    sides.tell(2)
    assert sides.tokens == (2, 2)


def test_messages_are_small() -> None:
    ledger, table = StandInLedger(), BucketTable()
    for serial in range(3 * CHARGES_A_MESSAGE):
        ledger.add(f"k{serial % 7}", LIMITS, (serial, 0, 1), START)
    message = ledger.take(1, table, START)
    assert sum(len(charges) for *_, charges in message.rows) == CHARGES_A_MESSAGE
    ledger.settle(Settled(1, []), table, START)
    assert ledger.count == 2 * CHARGES_A_MESSAGE


def test_all_ledgers_together_are_bounded() -> None:
    """Beyond it an owner is sent buckets instead; those that are denied fill half at the most."""
    ledgers = StandInLedgers(BucketTable(), lambda _name: True)
    for serial in range(MAX_CHARGES):
        assert ledgers.add("ab"[serial % 2], "k", LIMITS, (serial, 0, 0), START)
    for serial in range(MAX_CHARGES - MAX_DENIED):
        assert ledgers.add("a", f"k{serial % 7}", LIMITS, (serial, 0, 1), START)
    assert not ledgers.add("b", "k", LIMITS, (0, 0, 1), START)
    assert ledgers.overflow("a") == {(LIMIT, f"k{at}") for at in range(7)}
    assert "a" not in ledgers
    assert not ledgers.add("a", "k", LIMITS, (0, 0, 1), START)
    ledgers.caught_up("a")
    assert ledgers.add("a", "k", LIMITS, (0, 0, 1), START)


def test_a_key_that_was_reset_is_not_told_of() -> None:
    """Neither what waits nor what is on its way; and an answer to that brings nothing back."""
    sides = Sides()
    sides.stand_in(1)
    message = sides.ledger.take(1, sides.table, START)
    sides.stand_in(2)
    sides.table.reset("k")
    sides.ledger.forget({"k"})
    assert not sides.ledger
    assert sides.ledger.count == 0
    sides.ledger.settle(sides.settle(message), sides.table, START)
    assert sides.tokens[1] == 0


def test_a_key_whose_reset_the_sender_missed_is_not_charged() -> None:
    sides = Sides()
    sides.resets.add(9, KnownReset("k", 2 * START))
    sides.stand_in(1)
    sides.tell()
    assert sides.tokens[0] == 0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("k", LIMIT, NO_INTS, NO_CHARGES), "0 debts of '10/year': expected one for each limit"),
        (("k", LIMIT, [1], [(1, 0, 11)]), "a charge above the burst of '10/year'"),
        (("k", "10/yaer", [1], NO_CHARGES), "yaer"),
        (("k" * 513, LIMIT, [1], NO_CHARGES), "513 bytes"),
    ],
)
def test_a_row_that_makes_no_sense_is_an_error(
    row: tuple[str, str, list[int], list[tuple[int, int, int]]], words: str
) -> None:
    sides = Sides()
    with pytest.raises(ValueError, match=words):
        sides.settle(Charged(1, [row]))
    assert sides.tokens[0] == 0


@pytest.mark.parametrize("by_file", [False, True], ids=["by who asks", "by a rule of a file"])
def test_what_was_charged_before_a_limit_changed_is_settled_too(by_file: bool) -> None:
    """Of 10/year 4 were let through, then 2 of 20/year: 10 of these are owed everywhere."""
    sides, old, new, key = Sides(), LIMITS, parse_limits("20/year"), "login:ann"
    if by_file:
        sides.table.ruled = sides.owners.ruled = frozenset({"login:"})
    else:
        old, new = old.carrying(), new.carrying()
    for serial, (limits, cost) in enumerate([(old, 4), (new, 2)], 1):
        assert sides.table.take(key, limits, cost, START)[0]
        sides.ledger.add(key, limits, (serial, 0, cost), START)
    sides.tell()
    for table in (sides.table, sides.owners):
        assert table.take(key, new, 0, START)[1] == [10 * new.items[0].interval]
        assert table.take(key, old, 0, START)[1] == [5 * old.items[0].interval]
