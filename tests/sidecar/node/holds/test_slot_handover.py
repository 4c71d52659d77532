"""Handing slots over: a new owner knows what is held though the holders can't say so."""

import pytest

from sidegate.buckets.limits import SECOND
from sidegate.protocol.holds.slot_messages import SlotAsk, SlotsHeld, StandIn
from sidegate_ring.hashring import Ring
from sidegate_sidecar.node.holds.slot_handover import LOOKED_AT
from tests.sidecar.node.holds.trio import DENIED, GRANTED, TTL, SlotCluster


@pytest.fixture
def nodes() -> SlotCluster:
    return SlotCluster("a", "b", "c")


def test_what_is_held_by_one_that_is_kept_from_running_stays_held(nodes: SlotCluster) -> None:
    key = nodes.key("b", "c")
    assert nodes["a"].ask(1, key).state is GRANTED
    nodes.deaf.add("a")
    nodes.cut |= {("a", "b"), ("a", "c")}  # what it would say doesn't arrive
    nodes.ring_of("a", "c")
    nodes.kill("b")
    assert nodes["c"].ask(2, key).state is DENIED
    nodes.run(1.9)
    assert nodes["c"].ask(3, key).state is DENIED
    nodes.run(0.2)  # it is as good as dead
    assert nodes["c"].ask(4, key).state is GRANTED


def test_what_is_free_by_then_is_free(nodes: SlotCluster) -> None:
    key = nodes.key("b", "c")
    nodes["a"].ask(1, key)
    nodes["a"].free(1, key)
    nodes.ring_of("a", "c")
    nodes.kill("b")
    assert nodes["c"].ask(2, key).state is GRANTED


def test_a_slot_granted_to_one_that_knows_the_old_ring_only_is_told_too(
    nodes: SlotCluster,
) -> None:
    key = nodes.key("b", "c")
    new = Ring(("a", "c"))
    for name in ("b", "c"):
        nodes.rings[name] = new
        nodes[name].node.ring_changed(nodes.now)
    nodes.cut.add(("a", "c"))
    assert nodes["a"].ask(1, key).state is GRANTED  # by b, which was its owner just now
    nodes.deaf.add("a")
    nodes.kill("b")
    assert nodes["c"].ask(2, key).state is DENIED


def test_a_slot_granted_by_way_of_who_stands_in_for_the_new_owner_is_told_to_that_one(
    nodes: SlotCluster,
) -> None:
    key = nodes.key("b", "c")
    for name in ("b", "c"):
        nodes.rings[name] = Ring(("a", "c"))
        nodes[name].node.ring_changed(nodes.now)
    ask = SlotAsk(1, 2, key, 1, TTL, holder="a", stand_in=StandIn.FORMER)
    nodes["b"].node.on_message("a", ask, nodes.now)
    nodes.deliver()
    assert nodes.in_flight("c", key) == 1


def test_many_are_told_in_ticks(nodes: SlotCluster) -> None:
    """Those freed meanwhile aren't."""
    key = nodes.key("b", "c")
    count = 2 * LOOKED_AT + 1
    for slot in range(count):
        nodes["a"].node.on_message(1, SlotAsk(slot, 0, key, count, TTL), nodes.now)
    nodes.deliver()
    nodes.deaf.add("a")
    for name in ("b", "c"):
        nodes.rings[name] = Ring(("a", "c"))
    nodes["b"].node.ring_changed(nodes.now)
    nodes.deliver()
    told = [it for it in nodes.said if isinstance(it, SlotsHeld) and it.holder == "a"]
    assert len(told[-1].rows) == LOOKED_AT
    handover = nodes["b"].node.handover
    is_over = [handover.is_over]
    nodes["b"].node.owner.free([(count - 1, key)], "a", nodes.now)
    nodes.run(0.06)
    assert [*is_over, handover.is_over] == [False, True]
    assert nodes.in_flight("c", key) == count - 1


def test_a_holder_isnt_told_what_it_holds(nodes: SlotCluster) -> None:
    """It knows, and may have freed it in the same moment."""
    key = nodes.key("b", "c")
    nodes["c"].ask(1, key)
    nodes.said.clear()
    nodes.rings["b"] = Ring(("a", "c"))
    nodes["b"].node.ring_changed(nodes.now)
    nodes.deliver()
    assert not [it for it in nodes.said if isinstance(it, SlotsHeld)]


def test_what_was_anothers_before_isnt_told(nodes: SlotCluster) -> None:
    """Who stood in for a silent owner has told it already."""
    key = nodes.key("b", "c")
    ask = SlotAsk(1, 1, key, 1, TTL, holder="a", stand_in=StandIn.SILENT)
    nodes["c"].node.on_message("a", ask, nodes.now)
    nodes.now += SECOND // 50
    nodes.said.clear()
    nodes.rings["c"] = Ring(("a", "b"))
    nodes["c"].node.ring_changed(nodes.now)
    nodes.deliver()
    assert not [it for it in nodes.said if isinstance(it, SlotsHeld)]


def key_of_three(nodes: SlotCluster) -> str:
    """Return a key that c owns when b is off the ring, and d when c is, too."""
    keys = (f"k{at}" for at in range(10_000))
    return next(key for key in keys if [*nodes.rings["a"].walk(key)][:3] == ["b", "c", "d"])


def two_changes(nodes: SlotCluster) -> None:
    """Have all but a know two new rings, one right after the other."""
    for names in ("acd", "ad"):
        for name in "bcd":
            nodes.rings[name] = Ring((*names,))
            nodes[name].node.ring_changed(nodes.now)
    nodes.deliver()


def test_a_slot_granted_by_the_ring_before_the_last_one_is_told_too() -> None:
    nodes = SlotCluster(*"abcd")
    key = key_of_three(nodes)
    two_changes(nodes)
    nodes.cut.add(("a", "d"))
    assert nodes["a"].ask(1, key).state is GRANTED
    assert nodes.in_flight("d", key) == 1


def test_what_was_left_to_tell_when_the_ring_changes_again_is_told() -> None:
    nodes = SlotCluster(*"abcd")
    key, count = key_of_three(nodes), LOOKED_AT + 1
    for slot in range(count):
        nodes["a"].node.on_message(1, SlotAsk(slot, 0, key, count, TTL), nodes.now)
    nodes.deliver()
    nodes.deaf.add("a")
    two_changes(nodes)
    nodes.run(0.04)
    assert nodes.in_flight("d", key) == count
