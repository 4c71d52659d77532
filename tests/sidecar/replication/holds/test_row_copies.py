"""Reservations between nodes: what is written is read, and nonsense is refused with words."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.errors import SidegateError
from sidegate.protocol.codec import WireError, decode, encode
from sidegate.protocol.holds.reservation_messages import MAX_ROWS, ReservationRows
from sidegate.reservations.held_row import HeldRow, HoldState
from sidegate_sidecar.cluster.place.stages import Stage
from sidegate_sidecar.replication.holds.row_box import MAX_WAITING, WINDOW, RowBox
from sidegate_sidecar.replication.holds.row_messages import merge_owed, read, written
from tests.support.in_memory.clusters import Room

S = 10**9
LIMITS = parse_limits("1000/day; 500/month window Europe/Berlin")
MANY = 2_500  # rows: more than may be on their way at a time
GOOD: tuple[Any, ...] = ("k", "n:1", "1000/day", (5, 5, 0, 0, 0), (S, 7), [S])


@given(
    st.sampled_from(HoldState),
    st.integers(0, 500),
    st.integers(0, 2**53),
    st.integers(-S, 3_600 * S),
)
def test_a_row_is_read_as_it_was_written(
    state: HoldState, held: int, actual: int, left: int
) -> None:
    table, now = BucketTable(), 5 * S
    _, told = table.take("k", LIMITS, held, now)
    row = HeldRow("k", "i:x", LIMITS, held, held, now + left, [0, told[-1]])
    row.state, row.actual, row.change, row.serial = state, actual, actual - held, 9
    message = decode(encode(ReservationRows(1, [written(row, table, now)]))[4:])
    assert isinstance(message, ReservationRows)
    [some] = message.rows
    assert read(some, now) == row
    other = BucketTable()
    merge_owed(row, some[-1], other, now)
    assert other.take("k", LIMITS, 0, now) == table.take("k", LIMITS, 0, now)


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        (0, "k" * 513),
        (2, "1000/eon"),
        (2, ""),
        (2, "1000/day@"),
        (2, "1000/day@x"),
        (5, [1, 2]),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_with_words(at: int, wrong: object) -> None:
    row: Any = (*GOOD[:at], wrong, *GOOD[at + 1 :])
    with pytest.raises((ValueError, SidegateError), match="expected"):
        read(row, 0)


def test_what_is_held_for_more_than_an_hour_by_a_late_clock_is_read() -> None:
    """Else the link would be closed, and the same row sent again over the next one."""
    row: Any = (*GOOD[:4], (3_601 * S, 7), GOOD[5])
    assert read(row, S).ends_at == 3_601 * S


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5) | st.none(), max_size=8))
def test_any_array_is_rows_or_a_wire_error(values: list[object]) -> None:
    body = msgspec.msgpack.encode([61, 1, [values]])
    with pytest.raises(WireError):
        decode(body)


def due(box: RowBox) -> bool:
    """Tell if something may be sent now."""
    return box.is_due


def test_a_box_sends_so_many_and_what_is_lost_again() -> None:
    box = RowBox()
    box.add(("k", f"n:{at}") for at in range(WINDOW * MAX_ROWS + 1))
    sent = [box.take(at, 0) for at in range(WINDOW)]
    assert [len(it) for it in sent] == [MAX_ROWS] * WINDOW
    assert not due(box)
    box.landed(0)
    assert due(box)
    box.give_back(2 * S, 2 * S)
    assert {*box.take(9, 2 * S), *box.take(10, 2 * S)} > {*sent[1]}


def test_a_box_that_is_too_full_waits_for_a_walk() -> None:
    box = RowBox()
    box.add(("k", f"n:{at}") for at in range(MAX_WAITING + 1))
    assert box.overflowed
    assert not due(box)
    box.add([("k", "n")])
    assert not due(box)


def test_who_backs_up_who_joins_and_who_takes_over_have_all_rows() -> None:
    """A node that has left owes nothing to anybody: the others have it by then."""
    room = Room("ab")
    table = room["a"].sync.rows.reservations
    for at in range(MANY):
        row = HeldRow(f"k{at}", "n:1", parse_limits("1000/day"), 5, 5, room.now + 600 * S)
        room["a"].table.take(row.key, row.limits, 5, room.now)
        table.open(row)
    room.run(1.0)
    assert len(room["b"].sync.rows.reservations.rows) == len(room["b"].table) == MANY
    newcomer = room.add("c")
    room.join("c")
    room.run_until(lambda: newcomer.stage is Stage.MEMBER)
    mine = {f"k{at}" for at in range(MANY) if newcomer.ring.owner(f"k{at}") == "c"}
    assert mine
    assert mine <= {row.key for row in newcomer.sync.rows.reservations.rows}
    room["a"].place.leave(room.now, 30 * S)
    room.run_until(lambda: room["a"].stage is Stage.LEAF)
    for name in "bc":
        assert len(room[name].sync.rows.reservations.rows) == MANY


def test_who_leaves_waits_until_all_rows_have_arrived() -> None:
    """Also where there is but one bucket: rows are waited for by themselves."""
    room = Room("ab")
    key = next(it for it in map(str, range(99)) if room["a"].ring.owner(it) == "a")
    table = room["a"].sync.rows.reservations
    room["a"].table.take(key, parse_limits("1000/day"), 5, room.now)
    for at in range(MANY):
        table.open(HeldRow(key, f"n:{at}", parse_limits("1000/day"), 5, 5, room.now + 600 * S))
    room["a"].place.leave(room.now, 30 * S)
    room.run_until(lambda: room["a"].stage is Stage.LEAF)
    assert len(room["b"].sync.rows.reservations.rows) == MANY
