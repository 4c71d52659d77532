"""A table of slots: what is held, who waits, and that neither is lost or leaked."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.errors import TooManySlots
from sidegate.slots.slot_table import (
    MAX_BYTES,
    MAX_WAITING_FOR_KEY,
    SlotTable,
    Wanted,
)

ME, LASTS = "node-a", 100


def wanted(
    slot: int, key: str = "k", at_most: int = 1, holder: str = ME, until: int = 50
) -> Wanted:
    return Wanted(slot, key, at_most, holder, LASTS, until)


def test_no_more_are_held_than_may_be() -> None:
    table = SlotTable()
    assert [table.take(wanted(slot, at_most=2), 0) for slot in range(4)] == [True, True] + 2 * [
        False
    ]
    assert (table.in_flight("k"), table.in_flight("other"), len(table)) == (2, 0, 2)


def test_the_same_slot_is_taken_once() -> None:
    """A question that is asked again has the same answer."""
    table = SlotTable()
    assert table.take(wanted(1), 0)
    assert table.take(wanted(1), 60)
    assert table.in_flight("k") == 1
    assert [held.slot for held in table.expired(159)] == []
    assert [held.slot for held in table.expired(160)] == [1]


def test_a_slot_is_freed_by_its_id_and_its_holder() -> None:
    """Freed twice, late, or by who doesn't hold it any more, it frees nobody's."""
    table = SlotTable()
    table.take(wanted(1, at_most=2), 0)
    table.take(wanted(2, at_most=2), 0)
    assert table.free(1, ME, 0) == (True, [])
    assert table.free(1, ME, 0) == (False, [])
    assert table.free(2, "node-b", 0) == (False, [])
    assert table.in_flight("k") == 1
    table.hold(2, "k", "node-b", 100)
    assert table.free(2, ME, 0) == (False, [])
    assert table.in_flight("k") == 1


def test_who_waits_is_served_in_order() -> None:
    table = SlotTable()
    table.take(wanted(1), 0)
    for slot in (2, 3, 4):
        assert table.wait(wanted(slot))
    assert not table.take(wanted(5), 0), "who comes later doesn't go before them"
    table.free(3, ME, 0)  # which has given up
    assert [it.slot for it in table.free(1, ME, 0)[1]] == [2]
    assert [it.slot for it in table.free(2, ME, 0)[1]] == [4]


def test_who_gives_up_lets_those_behind_it_go_on() -> None:
    """The first wanted fewer at a time than those behind it."""
    table = SlotTable()
    table.take(wanted(1, at_most=9), 0)
    table.wait(wanted(2, at_most=1))
    table.wait(wanted(3, at_most=2))
    assert [it.slot for it in table.free(2, ME, 0)[1]] == [3]


def test_who_waits_for_two_keys_by_one_id_waits_for_the_last() -> None:
    """No queue keeps an id that nobody knows to be there: it would be served for ever."""
    table = SlotTable()
    for held in (wanted(1, "a", 2), wanted(2, "a", 2), wanted(3, "b")):
        table.take(held, 0)
    before = table.bytes
    assert table.wait(wanted(5, "a", 2))
    assert table.wait(wanted(5, "b"))
    assert [(it.slot, it.key) for it in table.waiters()] == [(5, "b")]
    assert table.free(1, ME, 0) == (True, [])
    assert table.free(5, ME, 0) == (False, [])
    assert (table.waiting, table.bytes) == (0, before - 240)


def test_who_has_waited_for_too_long_is_told() -> None:
    table = SlotTable()
    table.take(wanted(1), 0)
    table.wait(wanted(2, until=50))
    assert table.overdue(49) == []
    assert [it.slot for it in table.overdue(50)] == [2]
    assert table.free(1, ME, 60) == (True, [])


def test_what_nobody_renews_is_free() -> None:
    table = SlotTable()
    table.take(wanted(1, at_most=2), 0)
    table.take(wanted(2, at_most=2), 0)
    table.renew(1, "k", ME, 150)
    assert [held.slot for held in table.expired(100)] == [2]
    assert [held.slot for held in table.expired(150)] == [1]


def test_nobody_renews_what_another_one_holds_by_now() -> None:
    table = SlotTable()
    table.hold(1, "k", "node-b", 100)
    table.renew(1, "k", ME, 500)
    assert [held.holder for held in table.expired(100)] == ["node-b"]


def test_more_may_be_told_than_may_be_held() -> None:
    """A new owner hears what is held, however many, and gives none until they are fewer."""
    table = SlotTable()
    for slot in range(3):
        assert table.hold(slot, "k", ME, 100)
    assert not table.take(wanted(9, at_most=2), 0)
    table.free(0, ME, 0)
    assert not table.take(wanted(9, at_most=2), 0)
    table.free(1, ME, 0)
    assert table.take(wanted(9, at_most=2), 0)


def test_those_who_wait_go_with_their_holder() -> None:
    table = SlotTable()
    table.take(wanted(1), 0)
    table.wait(wanted(2, holder="gone"))
    table.wait(wanted(3))
    table.forget_waiters("gone")
    assert [it.slot for it in table.free(1, ME, 0)[1]] == [3]


def test_no_more_slots_than_fit() -> None:
    table = SlotTable(max_slots=3)
    for slot in range(3):
        table.take(wanted(slot, f"k{slot}"), 0)
    with pytest.raises(TooManySlots, match="3 slots are held"):
        table.take(wanted(9, "k9"), 0)
    assert not table.hold(9, "k9", ME, 100)


def test_no_more_bytes_than_fit() -> None:
    """With the longest keys they are fewer."""
    table = SlotTable(max_bytes=10_000)
    held = [table.hold(slot, f"{slot}".ljust(512, "k"), ME, 100) for slot in range(100)]
    assert sum(held) == len(table) < 12
    assert table.bytes <= 10_000
    with pytest.raises(TooManySlots):
        table.take(wanted(100, "k" * 512), 0)


def test_no_more_wait_than_may() -> None:
    table = SlotTable()
    table.take(wanted(0), 0)
    assert all(table.wait(wanted(slot)) for slot in range(1, MAX_WAITING_FOR_KEY + 1))
    assert not table.wait(wanted(MAX_WAITING_FOR_KEY + 1))


def test_bytes_are_counted_as_what_they_take() -> None:
    """For slots of one key as for keys of one slot, within a third."""
    for keys in (1, 5_000):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        table = SlotTable()
        for slot in range(5_000):
            table.take(wanted(slot + 2**40, f"user:{slot % keys:020}", 10_000, f"node{slot:04}"), 0)
        took = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert 0.8 < took / table.bytes < 1.1, (keys, took, table.bytes)
    assert MAX_BYTES == 48 << 20


def test_bytes_of_keys_are_those_of_their_widest_characters() -> None:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    table = SlotTable()
    for slot in range(2_000):
        table.take(wanted(slot + 2**40, f"{slot:04}" + "\U0001f600" * 120, 9), 0)
    took = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.8 < took / table.bytes < 1.1, (took, table.bytes)


ACTS = st.tuples(
    st.sampled_from(["take", "wait", "free", "hold", "renew", "expire", "overdue", "leave"]),
    st.integers(0, 7),
    st.sampled_from(["k", "l"]),
    st.integers(1, 3),
    st.sampled_from([ME, "node-b"]),
)


def do(table: SlotTable, act: str, want: Wanted, now: int) -> None:
    slot, key, holder = want.slot, want.key, want.holder
    match act:
        case "take":
            before = table.in_flight(key)
            if table.take(want, now):
                assert table.in_flight(key) <= max(before, want.at_most)
        case "wait" if not table.is_held(slot):
            table.wait(want)
        case "free":
            table.free(slot, holder, now)
        case "hold":
            table.hold(slot, key, holder, now + LASTS)
        case "renew":
            table.renew(slot, key, holder, now + LASTS)
        case "expire":
            for held in table.expired(now):
                table.serve(held.key, now)
        case "leave":
            table.forget_waiters(holder)
        case _:
            table.overdue(now)


@given(st.lists(ACTS, max_size=60))
def test_whatever_happens_nothing_is_leaked(acts: list[tuple[str, int, str, int, str]]) -> None:
    """Who waits is held or waits, never both; in the end the table is as new."""
    table, now = SlotTable(), 0
    for act, slot, key, at_most, holder in acts:
        now += 7
        do(table, act, wanted(slot, key, at_most, holder, now + 40), now)
        assert not any(table.is_held(it.slot) for it in table.waiters())
        assert table.in_flight("k") + table.in_flight("l") == len(table)
    table.overdue(now + 1_000)
    table.expired(now + 1_000)
    assert (len(table), table.waiting, table.bytes, table.in_flight("k")) == (0, 0, 0, 0)
