"""A node without slots to care for is idle: no tick is needed, however long it goes without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidegate.buckets.limits import SECOND
from sidegate.protocol.holds.slot_messages import FreedBy, SlotAsk, SlotsFreed, SlotsHeld
from sidegate_ring.hashring import Ring
from tests.sidecar.node.holds.trio import APP, DENIED, GRANTED, TTL, WAITS, SlotCluster

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3_600 * SECOND
Does: TypeAlias = "Callable[[SlotCluster], object]"


@pytest.fixture
def nodes() -> SlotCluster:
    """Three nodes, which are idle and go without ticks then."""
    made = SlotCluster("a", "b", "c", rests=True)
    assert made.awake() == ""
    return made


def ask(nodes: SlotCluster, name: str, slot: int, **more: Any) -> None:
    nodes[name].ask(slot, nodes.key("b"), **more)


def ask_at_the_owner(nodes: SlotCluster) -> None:
    ask(nodes, "b", 1)


def ask_elsewhere(nodes: SlotCluster) -> None:
    ask(nodes, "a", 1)


def ask_who_is_deaf(nodes: SlotCluster) -> None:
    nodes.deaf.add("b")
    nodes["a"].say(SlotAsk(1, 0, nodes.key("b"), 1, TTL))


def ask_and_wait(nodes: SlotCluster) -> None:
    ask(nodes, "a", 1)
    ask(nodes, "c", 2, wait=60_000)


def say_to_hold(nodes: SlotCluster) -> None:
    nodes["a"].say(SlotsHeld(0, "", [(1, nodes.key("b"), TTL)]))


def ring_without_c(nodes: SlotCluster) -> None:
    nodes.ring_of("a", "b")


def lose_a_link(nodes: SlotCluster) -> None:
    nodes["a"].node.node_left("b", nodes.now)


@pytest.mark.parametrize(
    ("does", "awake"),
    [
        (ask_at_the_owner, "b"),
        (ask_elsewhere, "ab"),
        (ask_and_wait, "abc"),
        (ask_who_is_deaf, "a"),
        (lose_a_link, "a"),
        (ring_without_c, "abc"),
    ],
)
def test_who_has_something_to_do_is_awake(nodes: SlotCluster, does: Does, awake: str) -> None:
    """Whoever holds, decides, asks, waits, or has just seen another ring or a link break."""
    does(nodes)
    assert nodes.awake() == awake


@pytest.mark.parametrize("does", [lose_a_link, ring_without_c])
def test_what_is_known_of_the_time_before_is_forgotten_first(
    nodes: SlotCluster, does: Does
) -> None:
    does(nodes)
    nodes.run(1.9)
    assert nodes.awake()
    nodes.run(0.2)
    assert nodes.awake() == ""


def test_who_has_nothing_any_more_is_idle_again(nodes: SlotCluster) -> None:
    ask_and_wait(nodes)
    nodes["a"].free(1, nodes.key("b"))
    assert nodes.awake() == "bc"
    nodes["c"].free(2, nodes.key("b"))
    assert nodes.awake() == ""


def test_links_that_come_and_apps_that_go_give_nothing_to_do(nodes: SlotCluster) -> None:
    nodes["a"].node.app_left(APP, nodes.now)
    nodes["a"].node.node_up("b", nodes.now)
    assert nodes.awake() == ""


def test_who_waits_for_a_former_owner_to_answer_is_awake() -> None:
    """However long that one is given."""
    nodes = SlotCluster("a", "b", "c", patience=10 * SECOND)
    key = nodes.key("b", "c")  # which will be the owner
    nodes.deaf.add("b")
    nodes.ring_of("a", "c")
    nodes["c"].say(SlotAsk(1, 0, key, 1, TTL))
    nodes["c"].say(SlotsFreed(0, "", FreedBy.RELEASED, [(1, key)]))
    nodes.run(5)
    assert nodes["c"].node.owner.is_idle
    assert nodes["c"].node.holder.is_idle
    assert not nodes["c"].node.is_idle
    nodes.run(6)
    assert nodes["c"].node.is_idle


def test_who_waits_behind_nobody_is_answered_all_the_same(nodes: SlotCluster) -> None:
    """The slot that it waited for has become one of another key, which nobody should do."""
    key, other = nodes.key("b"), "other"
    ask(nodes, "a", 1)
    ask(nodes, "c", 2, wait=1_000)
    assert nodes["c"].answers[-1].state is WAITS
    owner = nodes["b"].node
    owner.on_message("a", SlotsHeld(9, "a", [(1, other, TTL)], 1), nodes.now)
    owner.on_message("a", SlotsFreed(9, "a", FreedBy.RELEASED, [(1, other)]), nodes.now)
    assert (len(owner.owner.table), nodes.in_flight("b", key)) == (0, 0)
    assert not owner.is_idle
    del nodes.peers["a"]  # which would say that it holds it
    nodes.run(1.1)
    assert nodes["c"].answers[-1].state is DENIED


def test_who_has_more_to_hand_over_is_awake(nodes: SlotCluster) -> None:
    """A tick tells some; what is there no more by then is gone over as well."""
    b = nodes["b"].node
    rows = [(at, nodes.key("b"), TTL) for at in range(1_500)]
    for at in range(0, len(rows), 500):
        b.on_message("a", SlotsHeld(9, "a", rows[at : at + 500]), nodes.now)
    nodes.rings["b"] = Ring(["a", "b"])
    b.ring_changed(nodes.now)
    for at in range(0, len(rows), 500):
        freed = [row[:2] for row in rows[at : at + 500]]
        b.on_message("a", SlotsFreed(9, "a", FreedBy.RELEASED, freed), nodes.now)
    for is_idle in (False, True):
        nodes.now += 2 * SECOND
        b.tick(nodes.now)
        assert b.is_idle is is_idle


# --- after a rest


@pytest.mark.parametrize("does", [ask_elsewhere, say_to_hold])
def test_a_rest_is_no_pause_that_lets_slots_last_longer(nodes: SlotCluster, does: Does) -> None:
    """What is held after an hour without ticks is free 2 s after its holder's death."""
    nodes.now += HOUR
    does(nodes)
    nodes.kill("a")
    nodes.run(1.9)
    ask(nodes, "c", 2)
    assert nodes["c"].answers[-1].state is DENIED
    nodes.run(0.2)
    ask(nodes, "c", 3)
    assert nodes["c"].answers[-1].state is GRANTED


def test_a_pause_after_a_rest_is_still_one(nodes: SlotCluster) -> None:
    """Nobody could be heard meanwhile, so all is held for as much longer."""
    nodes.now += HOUR
    ask(nodes, "a", 1)
    nodes.run(1)
    nodes.deaf.add("a")
    nodes.now += 30 * SECOND
    nodes.run(1)
    assert nodes.in_flight("b", nodes.key("b")) == 1


# --- with ticks and without

NAMES = "abc"
KEYS = ("k0", "k1", "k2")
name = st.sampled_from(NAMES)
slot = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("run"), st.sampled_from([0.02, 0.1, 0.6, 2.2, 5.0])),
    st.tuples(st.just("ask"), name, slot, st.sampled_from([0, 300, 3_000]), st.integers(0, 1)),
    st.tuples(st.just("free"), name, slot),
    st.tuples(st.just("hold"), name, slot),
    st.tuples(st.just("app_left"), name),
    st.tuples(st.just("deaf"), name),
    st.tuples(st.just("hears"), name),
    st.tuples(st.just("link"), name, name),
    st.tuples(st.just("ring"), st.sampled_from(["a", "ab", "bc", "abc"])),
)


def own(name: str, number: int) -> tuple[int, str]:
    """Return a slot that only apps of this node ask for, and its key."""
    return number + 10 * NAMES.index(name), KEYS[number % 3]


def do(nodes: SlotCluster, what: str, *args: Any) -> None:
    match what:
        case "run":
            (seconds,) = args
            nodes.run(seconds)
        case "ask":
            who, number, wait, strict = args
            mine, key = own(who, number)
            nodes[who].say(SlotAsk(mine, 0, key, 1, 2_500, wait, strict))
        case "free":
            who, number = args
            nodes[who].free(*own(who, number))
        case "hold":
            who, number = args
            nodes[who].say(SlotsHeld(0, "", [(*own(who, number), 1_500)]))
        case "app_left":
            (who,) = args
            nodes[who].node.app_left(APP, nodes.now)
        case "deaf":
            (who,) = args
            nodes.deaf.add(who)
        case "hears":
            (who,) = args
            nodes.deaf.discard(who)
        case "link":
            one, other = args
            nodes[one].node.node_left(other, nodes.now)
            nodes[one].node.node_up(other, nodes.now)
        case _:
            (names,) = args
            nodes.ring_of(*names)
    nodes.deliver()


def seen(nodes: SlotCluster) -> list[object]:
    """Return all that anybody can see of these nodes."""
    first: list[object] = [nodes.said]
    return first + [
        (
            peer.answers,
            peer.doubted,
            (peer.node.counts.answers, peer.node.counts.freed),
            [peer.node.owner.table.in_flight(key) for key in KEYS],
            (peer.node.owner.table.waiting, peer.node.holder.asked, len(peer.node.holder)),
        )
        for peer in nodes.peers.values()
    ]


@settings(max_examples=100)
@given(steps=st.lists(STEPS, max_size=25))
def test_ticks_change_nothing_and_say_nothing_while_a_node_is_idle(
    steps: list[tuple[Any, ...]],
) -> None:
    """Whatever happens, nodes that rest do all that those do which are told the time always."""
    ticking, resting = SlotCluster(*NAMES), SlotCluster(*NAMES, rests=True)
    for step in steps:
        for nodes in (ticking, resting):
            do(nodes, *step)
        assert seen(resting) == seen(ticking)
    for nodes in (ticking, resting):
        nodes.deaf.clear()
        nodes.run(9)
    assert seen(resting) == seen(ticking)
    assert resting.awake() == ""
