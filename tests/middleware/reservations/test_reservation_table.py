"""Tables of reservations: bounds, and what two copies make of each other."""

from collections.abc import Callable

import pytest

from sidegate.buckets.limits import Limit, Limits, parse_limits
from sidegate.reservations.held_row import HeldRow, HoldState
from sidegate.reservations.held_rows import KEEP, MAX_BYTES, MAX_OPEN_OF_KEY, MAX_OVER, HeldRows
from sidegate.reservations.reservation_table import ReservationTable
from sidegate.reservations.row_bytes import LIMIT_BYTES

LIMITS = parse_limits("1000/day")
S = 10**9


class Buckets:
    """What one node has charged, as a number."""

    def __init__(self) -> None:
        self.tokens = 0

    def give_back(self, row: HeldRow, tokens: int, now: int) -> None:
        """Give back."""
        assert row.limits is LIMITS
        assert now >= 0
        self.tokens -= tokens

    def owe(self, row: HeldRow, tokens: int, now: int) -> None:
        """Charge."""
        assert row.limits is LIMITS
        assert now >= 0
        self.tokens += tokens


def a_row(name: str = "n:1", held: int = 100, ends_at: int = 60 * S, key: str = "k") -> HeldRow:
    """Return an open row."""
    return HeldRow(key, name, LIMITS, held, held, ends_at)


def a_table(*rows: HeldRow) -> tuple[ReservationTable, Buckets]:
    """Return a table in which these are open, and charged."""
    buckets = Buckets()
    table = ReservationTable(buckets)
    for row in rows:
        buckets.tokens += row.held
        table.open(row)
    return table, buckets


def settled(actual: int, held: int = 100) -> HeldRow:
    """Return a row that another node has settled."""
    row = a_row(held=held)
    row.state, row.actual, row.change = HoldState.SETTLED, actual, actual - held
    return row


def in_state(state: HoldState) -> HeldRow:
    """Return a row that another node has in that state."""
    row = a_row()
    row.state = state
    return row


def with_limits_of_its_own(at: int) -> HeldRow:
    """Return an open row whose limits no other one has."""
    row = a_row(f"n:{at}")
    row.limits = Limits(Limit(1_000 + at, days * 86_400) for days in range(1, 9))
    return row


class TestMerging:
    """What a node makes of a row of another one."""

    @pytest.mark.parametrize("owned", [True, False])
    @pytest.mark.parametrize(
        ("theirs", "charged"),
        [
            (lambda: settled(30), 30),
            (lambda: settled(0), 0),
            (lambda: settled(150), 100),  # the rest is told as of a check
            (lambda: in_state(HoldState.EXPIRED), 0),
            (lambda: in_state(HoldState.VOID), 100),
            (a_row, 100),
        ],
    )
    def test_an_open_one_changes_by_the_difference_and_once(
        self, theirs: Callable[[], HeldRow], charged: int, *, owned: bool
    ) -> None:
        table, buckets = a_table(a_row())
        for _ in range(3):
            table.merge(theirs(), S, owned=owned)
        assert buckets.tokens == charged

    def test_what_isnt_known_changes_nothing(self) -> None:
        for theirs in (settled(30), in_state(HoldState.EXPIRED), a_row()):
            table, buckets = a_table()
            table.merge(theirs, S, owned=True)
            assert buckets.tokens == 0

    def test_what_was_used_after_its_end_is_charged_by_the_owner(self) -> None:
        for owned in (True, False):
            table, buckets = a_table(a_row(ends_at=S))
            table.expire(2 * S, lambda _: False)
            assert buckets.tokens == 0
            table.merge(settled(30), 3 * S, owned=owned)
            assert buckets.tokens == (30 if owned else 0)

    def test_an_older_state_changes_nothing(self) -> None:
        table, buckets = a_table(a_row())
        [row] = table.rows.open.values()
        table.settle(row, 30, S)
        for theirs in (a_row(held=500), in_state(HoldState.EXPIRED), in_state(HoldState.VOID)):
            assert not table.merge(theirs, 2 * S, owned=True)
        assert buckets.tokens == 30

    def test_what_was_added_elsewhere_is_held_here(self) -> None:
        table, _ = a_table(a_row())
        table.merge(a_row(held=150), S, owned=False)
        [row] = table.rows.open.values()
        assert row.held == 150


class TestEnds:
    """What becomes of those that nobody commits."""

    def test_what_was_forgotten_and_reserved_again_is_given_back_once(self) -> None:
        """Both its ends may be due in the same tick."""
        table, buckets = a_table(a_row(ends_at=2 * S))
        table.rows.drop("k", "n:1")  # as one that is over is, to make place
        buckets.tokens = 100
        table.open(a_row(ends_at=3 * S))
        table.expire(4 * S, lambda _: True)
        assert (buckets.tokens, table.counts.expired) == (0, 1)


class TestResets:
    """A key that was reset has nothing that could be given back."""

    @pytest.mark.parametrize(("key", "begins"), [("k", False), ("", True)])
    def test_nothing_is_given_back(self, key: str, *, begins: bool) -> None:
        row = a_row()
        table, buckets = a_table(row)
        table.void(key, begins=begins)
        assert table.settle(row, 30, S).change == 0
        table.expire(100 * S, lambda _: True)
        assert buckets.tokens == 100

    def test_what_was_used_beyond_it_is_charged(self) -> None:
        row = a_row()
        table, buckets = a_table(row)
        table.void("k")
        assert table.settle(row, 130, S).change == 30
        assert buckets.tokens == 130

    def test_other_keys_are_as_they_were(self) -> None:
        row = a_row()
        table, buckets = a_table(row)
        table.void("other")
        table.void("kk", begins=True)
        table.settle(row, 30, S)
        assert buckets.tokens == 30


class TestBounds:
    """What the rows of a node may take."""

    def test_one_key_may_not_take_the_place_of_all(self) -> None:
        rows = HeldRows()
        assert all(rows.put(a_row(f"n:{at}")) for at in range(MAX_OPEN_OF_KEY))
        assert not rows.put(a_row("one more"))
        assert rows.put(a_row("another", key="other"))
        rows.drop("k", "n:0")
        assert rows.put(a_row("one more"))

    def test_without_room_it_is_charged_and_stays_so(self) -> None:
        rows = [a_row(f"n:{at}") for at in range(MAX_OPEN_OF_KEY)]
        table, buckets = a_table(*rows)
        assert not table.open(a_row("one more"))
        assert table.counts.untracked == 1
        before = buckets.tokens
        told = table.settle_unknown(a_row("one more"), 30, S)
        assert (told.change, told.is_known, buckets.tokens) == (0, False, before)

    def test_of_those_that_are_over_the_oldest_make_place(self) -> None:
        rows = HeldRows()
        for at in range(MAX_OVER + 10):
            row = in_state(HoldState.SETTLED)
            row.name = f"n:{at}"
            rows.put(row)
        assert len(rows) == MAX_OVER
        assert rows.get("k", "n:9") is None
        assert rows.get("k", "n:10") is not None

    @pytest.mark.parametrize("end", ["0" * 507, "\N{SNOWMAN}" * 123])
    def test_long_keys_are_fewer(self, end: str) -> None:
        rows = HeldRows()
        many = (a_row(key=f"{at:05}{end}") for at in range(40_000))
        held = 0
        while rows.put(next(many)):
            held += 1
        assert held * (512 + 600) <= MAX_BYTES < (held + 1) * (512 + 610)

    def test_limits_count_once_for_all_that_have_them(self) -> None:
        """Others for each reservation take six times as much as a row, and are bounded too."""
        rows = HeldRows()
        held = 0
        while rows.put(with_limits_of_its_own(held)):
            held += 1
        assert held < MAX_BYTES / (8 * LIMIT_BYTES)
        for at in range(held):
            row = with_limits_of_its_own(at)
            row.state = HoldState.SETTLED
            assert rows.put(row)
        assert rows.put(a_row("n:another"))
        assert len(rows) == held + 1

    def test_those_that_have_the_same_limits_share_one_copy(self) -> None:
        rows = HeldRows()
        for at in range(2):
            row = a_row(f"n:{at}")
            row.limits = Limits(LIMITS)  # read again: parse_limits has forgotten what it read
            rows.put(row)
        assert rows.open["k", "n:0"].limits is rows.open["k", "n:1"].limits

    def test_answers_are_kept_for_ten_minutes_and_then_forgotten(self) -> None:
        row = a_row(ends_at=S)
        table, _ = a_table(row)
        table.settle(row, 30, 0)
        table.expire(S + KEEP - 1, lambda _: True)
        assert len(table.rows) == 1
        table.expire(S + KEEP, lambda _: True)
        assert len(table.rows) == 0

    def test_who_comes_and_goes_leaves_nothing(self) -> None:
        rows = HeldRows()
        for at in range(20_000):
            rows.put(a_row(f"n:{at}"))
            rows.drop("k", f"n:{at}")
        assert len(rows) == 0
        assert len(rows._ends) < 2_000
