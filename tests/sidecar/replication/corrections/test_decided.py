"""What was decided: known by its id, and forgotten when there is no room or it is long ago."""

import pytest

from sidegate_sidecar.replication.corrections.decided import (
    LASTS,
    MAX_DECIDED,
    Decided,
    InPlace,
    charges_of,
)

CHARGES = [1, 0, None]


@pytest.mark.parametrize("places", [None, [0, 1, 2], [7, 0, 4_095]])
def test_a_check_is_known_by_serial_and_place(places: list[int] | None) -> None:
    """An error decides nothing."""
    decided = Decided()
    decided.note(5, places, CHARGES)
    there = places or [0, 1, 2]
    assert [decided.own(5, place) for place in there] == CHARGES
    assert decided.knows(5)
    assert not decided.knows(6)
    for serial, place in ((6, there[0]), (5, 3), (5, -1)):
        assert decided.own(serial, place) is None


def test_only_what_is_allowed_is_charged() -> None:
    checks = [("a", "5/day", 1), ("b", "5/day", 2), ("c", "5/day", 3), ("d", "5/day", 4)]
    assert charges_of(checks, [[1, 10], [0, 20], "no such limit", [1, 5]]) == [1, 0, None, 4]


def test_a_frame_may_be_decided_in_pieces() -> None:
    decided = Decided()
    for place in (2, 0):
        decided.note(5, [place], [place + 3])
    assert decided.own(5, 0) == 3
    assert decided.own(5, 2) == 5
    assert decided.own(5, 1) is None


def test_what_another_node_has_decided_is_known_beside_what_this_one_has() -> None:
    decided = Decided()
    decided.note_in_place(5, 1, "b", 3)
    assert decided.knows(5)
    assert decided.in_place(5, 1) == InPlace("b", 3)
    assert decided.in_place(5, 0) is None
    assert decided.own(5, 1) is None


def test_the_last_of_them_are_known_however_many_there_are() -> None:
    """At least MAX_DECIDED checks, and no more than twice as many and a frame."""
    decided = Decided()
    for serial in range(1, 5 * MAX_DECIDED):
        decided.note(serial, None, CHARGES[:1])
    assert all(decided.knows(5 * MAX_DECIDED - at) for at in range(1, MAX_DECIDED + 1))
    assert not decided.knows(3 * MAX_DECIDED - 2)


def test_a_standstill_forgets_nothing() -> None:
    """However long it was, what was decided before it is still known when it has ended."""
    decided = Decided()
    decided.tick(0)
    decided.note(5, None, CHARGES)
    decided.note_in_place(6, 0, "b", 1)
    decided.tick(100 * LASTS)
    assert decided.knows(5)
    assert decided.knows(6)


def test_what_was_decided_long_ago_is_forgotten() -> None:
    decided = Decided()
    decided.note(5, None, CHARGES)
    for turn in range(4):
        decided.tick(turn * LASTS)
    assert not decided.knows(5)


def test_what_was_spent_beyond_a_bucket_is_taken_once_and_forgotten_in_time() -> None:
    decided = Decided()
    decided.note_beyond(("1/s", "k"), 5)
    decided.tick(0)
    decided.tick(LASTS)
    decided.note_beyond(("1/s", "k"), 3)
    assert decided.take_beyond(("1/s", "other"), 9) == 0
    assert [decided.take_beyond(("1/s", "k"), most) for most in (6, 6, 6)] == [6, 2, 0]
    decided.note_beyond(("1/s", "k"), 5)
    for turn in (2, 3):
        decided.tick(turn * LASTS)
    assert decided.take_beyond(("1/s", "k"), 5) == 0


def test_what_was_spent_beyond_many_buckets_is_bounded() -> None:
    decided = Decided()
    for at in range(3 * MAX_DECIDED):
        decided.note_beyond(("1/s", f"k{at}"), 1)
    known = sum(decided.take_beyond(("1/s", f"k{at}"), 1) for at in range(3 * MAX_DECIDED))
    assert MAX_DECIDED <= known <= 2 * MAX_DECIDED
