"""Walk: who is sent which buckets when the ring changes, or when a newcomer asks for its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.messages import Part, Pulled
from sidegate_ring.hashring import Ring
from sidegate_sidecar.replication.rebalance import SLICE, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate_sidecar.replication.rebalance import Rows

NOW = 10**15
KEYS = [str(at) for at in range(200)]
HOURLY = "100/hour"


def ring_with(names: Iterable[str]) -> Ring:
    return Ring(list(names), points=8)


# Walks


def table_of(count: int) -> BucketTable:
    table = BucketTable()
    for at in range(count):
        table.take(str(at), parse_limits(HOURLY), 1, NOW)
    return table


def walk_of(
    me: str, names: str, count: int = 40, usable: Callable[[str], bool] = lambda _: True
) -> Walk:
    """Return the walk of a node whose ring all agree on, with keys "0", "1", …."""
    walk = Walk(me, Ring(), usable, table_of(count))
    walk.ring_changed(ring_with(names))
    finish(walk)
    walk.settle()
    return walk


def finish(walk: Walk) -> dict[str, list[str]]:
    """Walk until nothing is to be done: the keys by whom they are for."""
    found: dict[str, list[str]] = {}
    slices = 0
    while walk.to_do:
        slices += 1
        assert slices < 1_000
        add(found, walk.slice())
    assert walk.slice() == {}
    return {target: sorted(keys, key=int) for target, keys in found.items()}


def add(found: dict[str, list[str]], rows: Rows) -> None:
    for target, texts in rows.items():
        assert set(texts) == {HOURLY}
        found.setdefault(target, []).extend(texts[HOURLY])


def owned(names: str, owner: str, count: int = 40, *, by: str | None = None) -> list[str]:
    """Return the keys that a node owns on a ring, of those that another owns on a ring `by`."""
    ring, other = ring_with(names), ring_with(names if by is None else by)
    keys = [str(at) for at in range(count) if ring.owner(str(at)) == owner]
    return [key for key in keys if by is None or other.owner(key) == "a"]


def tell(walk: Walk, name: str) -> None:
    """Have a newcomer ask for all; send that, and do what Sync does when it has been merged."""
    walk.pulled_by(name, 1, Part.ALL)
    finish(walk)
    walk.pullers[name].told = True


def test_a_walk_looks_at_a_slice_at_a_time() -> None:
    walk = walk_of("a", "a", 3 * SLICE + 1)
    walk.ring_changed(ring_with("ab"))
    sizes: list[int] = []
    while walk.to_do:
        rows = walk.slice()
        sizes.append(sum(len(keys) for texts in rows.values() for keys in texts.values()))
    assert sizes == [SLICE, SLICE, SLICE, 1, 0]


def test_a_node_alone_looks_at_nothing() -> None:
    """There is nobody to send it to, and a million buckets to look at."""
    walk = Walk("a", Ring(), lambda _: True, table_of(2 * SLICE))
    walk.ring_changed(ring_with("a"))
    assert (walk.slice(), walk.to_do) == ({}, False)


def test_a_ring_without_me_is_no_reason_to_keep_what_i_hold() -> None:
    """Who has left sends what it owned to its heirs, if nobody else will."""
    walk = walk_of("a", "a")
    walk.ring_changed(ring_with("b"))
    assert finish(walk) == {"b": [str(at) for at in range(40)]}


def test_what_happens_during_a_walk_waits_for_the_next() -> None:
    """Which takes both changes as one."""
    walk = walk_of("a", "a", 2 * SLICE)
    walk.ring_changed(ring_with("ab"))
    found: dict[str, list[str]] = {}
    add(found, walk.slice())
    walk.ring_changed(ring_with("abc"))
    walk.ring_changed(ring_with("ac"))
    add(found, walk.slice())
    add(found, walk.slice())
    assert set(found) == {"b"}
    assert sorted(finish(walk)["c"], key=int) == [str(at) for at in range(2 * SLICE)]


def test_a_newcomer_is_sent_what_it_will_own_by_who_owns_it() -> None:
    walk = walk_of("a", "ab")
    walk.pulled_by("c", 1, Part.ALL)
    assert finish(walk) == {"c": owned("abc", "c", by="ab")}


def test_two_newcomers_are_each_sent_what_they_will_own() -> None:
    """In one walk if they ask in time, else in another one."""
    walk = walk_of("a", "ab", 2 * SLICE)
    walk.pulled_by("c", 1, Part.ALL)
    found: dict[str, list[str]] = {}
    add(found, walk.slice())
    walk.pulled_by("d", 1, Part.ALL)
    for target, keys in finish(walk).items():
        found.setdefault(target, []).extend(keys)
    for name in "cd":
        assert sorted(found[name], key=int) == owned(f"ab{name}", name, 2 * SLICE, by="ab")


def test_who_can_reach_no_owner_stands_in_for_it_with_its_copy() -> None:
    up = {"a", "b", "c"}
    walk = walk_of("a", "ab", usable=up.__contains__)
    up.remove("b")
    walk.pulled_by("c", 1, Part.ALL)
    assert finish(walk) == {"c": owned("abc", "c")}


def test_a_newcomer_that_was_told_all_is_not_sent_it_again_on_the_ring() -> None:
    """But what it is now the backup for it is."""
    walk = walk_of("a", "ab")
    tell(walk, "c")
    assert not walk.to_do
    walk.ring_changed(ring_with("abc"))
    ring = ring_with("abc")
    assert walk.pullers == {}
    assert finish(walk).get("c", []) == [
        k for k in map(str, range(40)) if ring.pair(k) == ("a", "c")
    ]


def test_one_that_we_saw_come_is_sent_all_that_it_lacks_once() -> None:
    """It says that it has nothing, which is so until the walk for it is over."""
    walk = walk_of("a", "ab")
    tell(walk, "c")
    walk.ring_changed(ring_with("abc"))
    walk.renew("c")
    sent = finish(walk)["c"]
    assert sent == [k for k in map(str, range(40)) if ring_with("abc").pair(k) == ("a", "c")]


def test_another_life_of_one_that_we_saw_come_is_sent_all() -> None:
    """It asks for what it owns, and that it has nothing to hold for others it says then."""
    walk = walk_of("a", "ab")
    tell(walk, "c")
    walk.ring_changed(ring_with("abc"))
    walk.pulled_by("c", 2, Part.ALL)
    assert set(owned("abc", "c", by="ab")) <= set(finish(walk)["c"])
    assert walk.answers(lambda _: True)
    walk.renew("c")
    assert {k for k in map(str, range(40)) if ring_with("abc").pair(k) == ("a", "c")} <= set(
        finish(walk)["c"]
    )


def test_who_came_is_told_its_changes_before_the_walk_is_over() -> None:
    """It owns its keys by then. What a walk finds is what it holds for others."""
    walk = walk_of("a", "ab")
    tell(walk, "c")
    walk.ring_changed(ring_with("abc"))
    walk.pulled_by("c", 2, Part.REST)
    assert walk.to_do
    assert walk.early_answers(lambda _: False) == []
    assert walk.early_answers(lambda _: True) == [("c", Pulled(2))]
    assert walk.early_answers(lambda _: True) == []


def test_one_that_never_asked_for_its_own_waits_for_the_walk() -> None:
    walk = walk_of("a", "ab")
    walk.ring_changed(ring_with("abc"))
    walk.pulled_by("c", 2, Part.REST)
    assert walk.early_answers(lambda _: True) == []
    assert finish(walk)["c"]
    assert walk.answers(lambda _: True) == [("c", Pulled(2))]


def test_one_that_has_nothing_though_it_was_told_all_is_sent_it_again() -> None:
    """It was told in a life before this one, and nobody saw it die."""
    walk = walk_of("a", "ab")
    tell(walk, "c")
    walk.ring_changed(ring_with("abc"))
    finish(walk)
    walk.renew("c")
    assert set(owned("abc", "c", by="ab")) <= set(finish(walk)["c"])
    walk.renew("c")
    assert not walk.to_do  # it is known to have nothing until all agree


@pytest.mark.parametrize("late", ["not told", "did not ask for it", "never asked"])
def test_a_newcomer_that_was_not_told_all_is_sent_it_on_the_ring(late: str) -> None:
    walk = walk_of("a", "ab")
    if late != "never asked":
        walk.pulled_by("c", 1, Part.ALL if late == "not told" else Part.NOTHING)
        finish(walk)
    if late == "did not ask for it":
        walk.pullers["c"].told = True
    walk.ring_changed(ring_with("abc"))
    assert set(owned("abc", "c", by="ab")) <= set(finish(walk)["c"])


def test_a_newcomer_lacks_what_those_owned_who_left_since_it_asked() -> None:
    """It wasn't to own that then; whether they leave before it comes or just after."""
    for rings in (("ab", "abd"), ("abcd", "abd")):
        walk = walk_of("a", "abc")
        tell(walk, "d")
        for names in rings:
            walk.ring_changed(ring_with(names))
        sent = set(finish(walk)["d"])
        needed = {key for key in owned("abd", "d") if ring_with("abc").owner(key) == "c"}
        held = {key for key in needed if "a" in ring_with("abc").pair(key)}
        assert held
        assert held <= sent


def test_the_rest_is_all_for_a_node_that_is_not_on_the_ring() -> None:
    """It was on it when it asked, but here it is dead by now: what it was to have is forgotten."""
    walk = walk_of("a", "ab")
    walk.pulled_by("c", 1, Part.REST)
    assert finish(walk) == {"c": owned("abc", "c", by="ab")}
    walk.pulled_by("b", 1, Part.REST)
    assert not walk.to_do


def test_all_may_be_asked_for_from_the_ring_too() -> None:
    """By a node that took its place without the part of one that broke off."""
    walk = walk_of("a", "ab")
    walk.pulled_by("b", 1, Part.ALL)
    assert finish(walk) == {"b": owned("ab", "b")}


def test_nothing_is_looked_for_for_a_node_that_is_gone() -> None:
    walk = walk_of("a", "ab")
    walk.pulled_by("c", 1, Part.ALL)
    walk.gone("c")
    assert not walk.to_do
    walk.pulled_by("c", 1, Part.ALL)
    walk.slice()
    walk.gone("c")
    assert walk.pullers == {}
    finish(walk)


# What all agree on


def owned_after(first: str, second: str, then: str) -> list[str]:
    """Return keys that "a" backs up on the first ring and on the last, but not in between."""
    pairs = [[ring_with(names).pair(key) for names in (first, second, then)] for key in KEYS]
    return [
        key
        for key, (one, two, three) in zip(KEYS, pairs, strict=True)
        if one == ("x", "a") and two == ("x", "j") and three == ("j", "a")
    ]


@pytest.mark.parametrize("agreed", [False, True])
def test_a_walk_looks_back_to_the_last_ring_that_all_agreed_on(agreed: bool) -> None:
    """A newcomer may have died with, or without, what it was to be sent before they agreed."""
    walk = walk_of("a", "axb", 200)
    walk.ring_changed(ring_with("axbj"))
    finish(walk)
    assert walk.may_settle
    if agreed:
        walk.settle()
        assert not walk.may_settle
    walk.ring_changed(ring_with("abj"))
    sent = finish(walk)["j"]
    lost = owned_after("axb", "axbj", "abj")
    assert lost
    assert set(lost) <= set(sent)
    # What "a" had to send the newcomer in the first walk: it has that if they have agreed since.
    pairs = ((ring_with("axb"), ring_with("abj"), key) for key in KEYS)
    taken = [key for old, new, key in pairs if (old.owner(key), new.owner(key)) == ("a", "j")]
    assert taken
    assert set(taken).isdisjoint(sent) == agreed


def test_a_ring_is_not_agreed_on_before_its_walk_is_over() -> None:
    walk = walk_of("a", "ab", 2 * SLICE)
    walk.ring_changed(ring_with("abc"))
    may_settle: list[bool] = []
    for go_on in (walk.slice, lambda: finish(walk), walk.settle):
        walk.settle()
        go_on()
        may_settle.append(walk.may_settle)
    assert may_settle == [False, True, False]


def test_who_has_left_and_nothing_else_has_happened_looks_at_nothing() -> None:
    """Its backups have it all. Where another has left as well, it walks."""
    walk = walk_of("a", "abc", 2 * SLICE)
    walk.ring_changed(ring_with("bc"))
    assert (walk.slice(), walk.to_do) == ({}, False)
    walk.ring_changed(ring_with("c"))
    held = {key for key in map(str, range(2 * SLICE)) if ring_with("abc").pair(key) == ("a", "b")}
    assert held <= set(finish(walk)["c"])
