"""Turns: who waits is served one origin after the other."""

from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.links.admission.turns import Turns


def served(turns: Turns[int]) -> list[int]:
    order: list[int] = []
    while (item := turns.next()) is not None:
        order.append(item)
    return order


def test_who_came_last_is_first() -> None:
    turns: Turns[int] = Turns()
    for item in (1, 2, 3):
        turns.add(item, "here")
    assert served(turns) == [3, 2, 1]


def test_one_address_has_every_other_turn_at_most_while_others_wait() -> None:
    turns: Turns[int] = Turns()
    for item in range(10):
        turns.add(item, "many")
    turns.add(100, "one")
    assert turns.next() == 100
    turns.next()
    turns.add(101, "another")
    assert turns.next() == 101


def test_who_goes_is_not_served() -> None:
    turns: Turns[int] = Turns()
    turns.add(1, "a")
    turns.add(2, "b")
    turns.discard(2)
    turns.discard(2)
    assert (len(turns), served(turns), turns.next()) == (1, [1], None)


@given(st.lists(st.integers(0, 3), max_size=30))
def test_each_is_served_once_and_no_origin_twice_before_the_others(origins: list[int]) -> None:
    turns: Turns[int] = Turns()
    for item, at in enumerate(origins):
        turns.add(item, str(at))
    order = served(turns)
    assert sorted(order) == list(range(len(origins)))
    first = [origins[item] for item in order[: len(set(origins))]]
    assert len(set(first)) == len(first)
