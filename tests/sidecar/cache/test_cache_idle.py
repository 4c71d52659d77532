"""A cache with nothing under way is idle: no tick is needed, however long it goes without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidegate.protocol.cache_messages import (
    CacheClear,
    CacheDelete,
    CacheRelease,
    CacheSet,
    CacheState,
)
from tests.support.in_memory.caches import HOUR, LEASE, Caches

if TYPE_CHECKING:
    from collections.abc import Callable

Does: TypeAlias = "Callable[[Caches], object]"


@pytest.fixture
def nodes() -> Caches:
    """Three nodes, which are idle and go without ticks then."""
    made = Caches("a", "b", "c", rest=True)
    made.tick()
    assert made.awake() == ""
    return made


def ask_who_is_silent(nodes: Caches) -> None:
    nodes.silent.add("b")
    nodes.get("a", 1, nodes.key_of("b"))


def lease(nodes: Caches) -> int:
    """Have an app of a get the lease of a key of b's; return the token."""
    key = nodes.key_of("b")
    return nodes.rows("a", 1, nodes.get("a", 1, key, lease=LEASE))[0][2]


def lease_at_the_owner(nodes: Caches) -> None:
    nodes.get("a", 1, nodes.key_of("a"), lease=LEASE)


def ring_without_c(nodes: Caches) -> None:
    nodes.place("a", "b")


def change_at_who_is_silent(nodes: Caches) -> None:
    nodes.silent.add("b")
    nodes.set("a", 1, nodes.key_of("b"), b"v")


def delete(nodes: Caches) -> None:
    nodes.say("a", 1, CacheDelete(1, 0, "users", [nodes.key_of("a")]))


def hand_over_to_who_is_silent(nodes: Caches) -> None:
    nodes.set("a", 1, nodes.key_of("a"), b"v")
    nodes.silent.add("b")
    nodes.place("b")
    nodes.tick()


@pytest.mark.parametrize(
    ("does", "awake", "seconds"),
    [
        (lease_at_the_owner, "a", 60),
        (ask_who_is_silent, "a", 0.1),
        (lease, "ab", 60),
        (change_at_who_is_silent, "a", 0.05),
        (delete, "a", 60),
        (ring_without_c, "abc", 0),
        (hand_over_to_who_is_silent, "ab", 1),
    ],
)
def test_who_has_something_to_do_is_awake(
    nodes: Caches, does: Does, awake: str, seconds: float
) -> None:
    """Whoever asks, lends, holds, changes, hands over, or remembers what was removed; then not."""
    does(nodes)
    assert nodes.awake() == awake
    nodes.wait(seconds * 0.9)
    assert set(awake) >= set(nodes.awake()) >= {awake[0]}
    nodes.wait(seconds * 0.2 + 0.01)
    assert nodes.awake() in {"", *nodes.silent}


@pytest.mark.parametrize("seconds", [0.5, 50])
def test_a_lease_that_is_used_or_given_back_keeps_nobody_awake(
    nodes: Caches, seconds: float
) -> None:
    key = nodes.key_of("b")
    token = lease(nodes)
    nodes.wait(seconds)
    assert nodes.awake() == "ab"
    nodes.say("a", 1, CacheRelease(0, "users", key, token))
    assert nodes.awake() == ""
    assert nodes.set("a", 1, key, b"v", token=lease(nodes))
    assert nodes.awake() == ""


def test_links_that_break_give_nothing_to_do(nodes: Caches) -> None:
    nodes.get("a", 1, nodes.key_of("a"), near=HOUR)
    for source in (1, "b"):
        nodes.nodes["a"].left(source, nodes.now)
    assert nodes.awake() == ""


def test_values_end_without_a_tick(nodes: Caches) -> None:
    """They are looked at when somebody asks."""
    key = nodes.key_of("b")
    nodes.set("a", 1, key, b"v", ttl=1_000_000, stale=1_000_000)
    for seconds, state in [(0.5, CacheState.HIT), (1, CacheState.STALE), (1, CacheState.MISS)]:
        assert nodes.awake() == ""
        nodes.wait(seconds)
        assert nodes.states("a", 1, nodes.get("a", 1, key)) == [state]


# --- with ticks and without

NAMES = "abc"
KEYS = ("k0", "k1", "k2")
name = st.sampled_from(NAMES)
key = st.sampled_from(KEYS)
app = st.integers(1, 2)
SOON = 300_000  # us
STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.03, 0.4, 1.1, 61.0])),
    st.tuples(st.just("get"), name, app, key, st.sampled_from([0, SOON, LEASE])),
    st.tuples(st.just("set"), name, app, key, st.integers(0, 2)),
    st.tuples(st.just("release"), name, app, key),
    st.tuples(st.just("delete"), name, app, key),
    st.tuples(st.just("clear"), name, app),
    st.tuples(st.just("left"), name, app),
    st.tuples(st.just("silent"), name),  # or not any more
    st.tuples(st.just("ring"), st.sampled_from(["a", "ab", "bc", "abc"])),
)


def tokens(nodes: Caches, who: str, number: int) -> list[int]:
    """Return the tokens that an app was given, the last one first."""
    told = nodes.told.get((who, number), [])
    rows = [row for it in told for row in getattr(it, "rows", [])]
    return [row[3] for row in reversed(rows) if row[3]]


def token_at(nodes: Caches, who: str, number: int, place: int) -> int:
    """Return none, the last one that an app was given, or the one before."""
    return ([0, *tokens(nodes, who, number)] * 3)[place]


def last_token(nodes: Caches, who: str, number: int) -> int:
    return max(tokens(nodes, who, number), default=0)


def do(nodes: Caches, what: str, *args: Any) -> None:
    match what:
        case "wait":
            (seconds,) = args
            nodes.wait(seconds)
        case "get":
            who, number, text, wait = args
            nodes.get(who, number, text, lease=wait, near=SOON)
        case "set":
            who, number, text, place = args
            token = token_at(nodes, who, number, place)
            nodes.say(who, number, CacheSet(1, 0, "users", text, token, SOON, HOUR, b"v"))
        case "release":
            who, number, text = args
            nodes.say(who, number, CacheRelease(0, "users", text, last_token(nodes, who, number)))
        case "delete":
            who, number, text = args
            nodes.say(who, number, CacheDelete(2, 0, "users", [text]))
        case "clear":
            who, number = args
            nodes.say(who, number, CacheClear(3, 0, "users"))
        case "left":
            who, number = args
            nodes.nodes[who].left(number, nodes.now)
        case "silent":
            (who,) = args
            nodes.silent ^= {who}
        case _:
            (names,) = args
            nodes.place(*names)
    nodes.carry()


def seen(nodes: Caches) -> list[object]:
    """Return all that anybody can see of these nodes."""
    first: list[object] = [nodes.told]
    return first + [
        (
            nodes.around[who].doubted,
            node.owner.counts,
            (len(node.owner.store), len(node.owner.fills), node.owner.fills.waiting),
            (len(node.owner.removed), len(node.lookups), node.lookups.held, len(node.changes)),
            (node.handover.is_over, node.handover.has_work),
        )
        for who, node in nodes.nodes.items()
    ]


@settings(max_examples=60)
@given(steps=st.lists(STEPS, max_size=25))
def test_ticks_change_nothing_and_say_nothing_while_a_cache_is_idle(
    steps: list[tuple[Any, ...]],
) -> None:
    """Whatever happens, nodes that rest do all that those do which are told the time always."""
    ticking, resting = Caches(*NAMES), Caches(*NAMES, rest=True)
    for step in steps:
        for nodes in (ticking, resting):
            do(nodes, *step)
        assert seen(resting) == seen(ticking)
    for nodes in (ticking, resting):
        nodes.silent.clear()
        nodes.wait(65)
    assert seen(resting) == seen(ticking)
    assert resting.awake() == ""
