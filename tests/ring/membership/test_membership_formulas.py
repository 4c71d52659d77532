"""Membership's small parts: the formulas, one suspect's time, and the queue of rumors."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring.membership.broadcast import MAX_RUMORS, Rumors
from sidegate_ring.membership.messages import Rumor
from sidegate_ring.membership.parameters import (
    Timing,
    confirmations_wanted,
    least_suspicion,
    slowed,
    suspicion_lasts,
    transmissions,
)
from sidegate_ring.membership.suspicion import Suspicion

T = Timing(suspicion_most=3.0)


@pytest.mark.parametrize(
    ("nodes", "seconds"), [(0, 2.0), (1, 2.0), (2, 2.0), (10, 2.0), (100, 4.0), (1_000, 6.0)]
)
def test_a_suspicion_grows_with_the_logarithm_of_the_cluster(nodes: int, seconds: float) -> None:
    assert least_suspicion(T, nodes) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("nodes", "wanted"), [(1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (6, 3), (500, 3)]
)
def test_as_many_confirm_as_are_asked_or_as_there_are(nodes: int, wanted: int) -> None:
    assert confirmations_wanted(T, nodes) == wanted


@pytest.mark.parametrize(
    ("confirmed", "wanted", "seconds"),
    [
        (0, 3, 6.0),
        (1, 3, 4.0),  # log 2 / log 4: half of the way
        (2, 3, 2.830),
        (3, 3, 2.0),
        (9, 3, 2.0),  # more than are wanted
        (0, 1, 6.0),
        (1, 1, 2.0),
        (0, 0, 2.0),  # nobody is there to confirm
    ],
)
def test_each_confirmation_takes_away_less(confirmed: int, wanted: int, seconds: float) -> None:
    assert suspicion_lasts(2.0, 6.0, confirmed, wanted) == pytest.approx(seconds, abs=0.001)


@pytest.mark.parametrize(
    ("nodes", "times"),
    [(1, 4), (2, 4), (9, 4), (10, 8), (99, 8), (100, 12), (500, 12), (999, 12), (1_000, 16)],
)
def test_a_rumor_is_sent_more_often_in_a_larger_cluster(nodes: int, times: int) -> None:
    assert transmissions(T, nodes) == times


@pytest.mark.parametrize(("health", "seconds"), [(0, 0.5), (1, 1.0), (7, 4.0)])
def test_a_node_that_is_ill_takes_its_time(health: int, seconds: float) -> None:
    assert slowed(0.5, health) == seconds


@pytest.mark.parametrize("name", ["probe_every", "indirect_probes", "tombstone", "rumors"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_time_that_makes_no_sense_is_named(name: str, value: float) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name}={value!r}: expected a number above 0"):
        replace(T, **wrong)


def test_a_suspicion_ends_sooner_with_each_new_accuser() -> None:
    suspicion = Suspicion("a", T, nodes=10, now=100.0)
    assert suspicion.ends_at == 106.0
    assert suspicion.confirm("b")
    assert suspicion.ends_at == 104.0
    assert suspicion.confirm("c")
    assert suspicion.confirm("d")
    assert suspicion.ends_at == 102.0


def test_the_same_accuser_or_none_or_one_too_many_is_no_confirmation() -> None:
    suspicion = Suspicion("a", T, nodes=4, now=100.0)
    assert not suspicion.confirm("a")
    assert not suspicion.confirm("")
    assert suspicion.ends_at == 106.0
    assert suspicion.confirm("b")
    assert not suspicion.confirm("b")
    assert suspicion.confirm("c")
    assert not suspicion.confirm("d")


def test_a_suspicion_that_is_extended_keeps_what_confirmed_it() -> None:
    suspicion = Suspicion("a", T, nodes=10, now=100.0)
    suspicion.extend(3.0)
    assert suspicion.ends_at == 109.0
    suspicion.confirm("b")
    assert suspicion.ends_at == 107.0


# The queue of rumors


def of(name: str, incarnation: int = 1) -> Rumor:
    return Rumor(name, f"{name}:1", incarnation, 0, 1)


def names_of(rumors: list[Rumor]) -> list[str]:
    return [rumor.name for rumor in rumors]


def queue(*names: str) -> Rumors:
    rumors = Rumors()
    for name in names:
        rumors.add(of(name))
    return rumors


def test_the_least_told_goes_first_then_the_newest() -> None:
    rumors = queue("a", "b", "c")
    assert names_of(rumors.take(2, times=9)) == ["c", "b"]
    rumors.add(of("d"))
    assert names_of(rumors.take(3, times=9)) == ["d", "a", "b"]


def test_a_rumor_is_dropped_when_it_was_told_often_enough() -> None:
    rumors = queue("a")
    assert [len(rumors.take(5, times=3)) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert not rumors


def test_a_newer_rumor_takes_the_place_of_the_older() -> None:
    rumors = queue("a", "b")
    rumors.take(9, times=9)
    rumors.add(of("a", 2))
    assert rumors.take(9, times=9) == [of("a", 2), of("b")]
    assert len(rumors) == 2


def test_what_the_message_says_already_is_left_out_and_not_counted() -> None:
    rumors = queue("a", "b")
    assert names_of(rumors.take(9, times=1, without=["a"])) == ["b"]
    assert names_of(rumors.take(9, times=1)) == ["a"]


def test_nothing_is_told_of_who_was_dropped() -> None:
    rumors = queue("a", "b")
    rumors.drop("a")
    rumors.drop("unknown")
    assert names_of(rumors.take(9, times=9)) == ["b"]


def test_of_too_many_rumors_the_most_told_goes() -> None:
    rumors = queue(*(f"n{i}" for i in range(MAX_RUMORS)))
    told = rumors.take(1, times=9)[0].name
    rumors.add(of("one more"))
    assert len(rumors) == MAX_RUMORS
    assert told not in names_of(rumors.take(MAX_RUMORS, times=9))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from("abcdef")),
            st.tuples(st.just("drop"), st.sampled_from("abcdef")),
            st.tuples(st.just("take"), st.integers(0, 4)),
        )
    )
)
def test_no_rumor_is_told_more_often_than_asked_or_twice_in_a_message(
    steps: list[tuple[str, str] | tuple[str, int]],
) -> None:
    rumors = Rumors()
    told: dict[str, int] = {}  # since the rumor was added
    for what, value in steps:
        if isinstance(value, int):
            taken = names_of(rumors.take(value, times=3))
            assert len(taken) == len(set(taken)) <= value
            for name in taken:
                told[name] += 1
        elif what == "add":
            rumors.add(of(value))
            told[value] = 0
        else:
            rumors.drop(value)
            told.pop(value, None)
        assert len(rumors) == sum(times < 3 for times in told.values())
