"""Leaving: a node hands over all it has, decides until its place is free, and stays as a leaf."""

import pytest

from sidegate.buckets.limits import SECOND
from sidegate.protocol.messages import Buckets, Merged, Part, Pull, Pulled
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Life
from sidegate_sidecar.cluster.cluster import STALL, Stage
from sidegate_sidecar.replication.outgoing.outbox import CHANGES, WINDOW
from tests.sidecar.cluster.owners import KEYS, PATIENT, QUICK, charged, enter, knows_all, owned_by
from tests.support.in_memory.clusters import Room, says


def leave(room: Room, name: str, within: float = 10) -> float:
    """Have a node leave; how many seconds it took."""
    room[name].place.leave(room.now, int(within * SECOND))
    return room.run_until(lambda: room[name].stage is Stage.LEAF)


def test_a_node_that_leaves_hands_over_all_it_has_and_stays_as_a_leaf() -> None:
    room = charged("abc")
    room.charge_all(KEYS, by="a")
    took = leave(room, "b")
    assert took < 0.5
    assert room.stages["b"][-3:] == [Stage.FLUSHING, Stage.LEAVING, Stage.LEAF]
    assert not room["b"].place.is_overdue
    assert room["b"].place.passages[Stage.LEAVING].count == 1
    assert room["b"].place.passages[Stage.LEAVING].overdue == 0
    room.run(0.5)
    for name in "abc":
        assert room[name].ring.nodes == room[name].route.nodes == ("a", "c")
        assert room[name].agrees
    assert all(room.holders(key, 2) >= {"a", "c"} for key in KEYS)
    room["b"].place.leave(room.now, SECOND)
    assert room["b"].stage is Stage.LEAF


def test_on_each_link_the_last_changes_come_before_the_word_that_the_place_is_free() -> None:
    """So whoever hears that decides with what the leaver knew; short debts included."""
    room = Room("abc")
    mine = owned_by("b", "a", "b", "c")
    room.run(0.2)
    room.log.clear()

    def at_the_end(stage: Stage) -> None:
        if stage is Stage.LEAVING:
            for key in mine:
                room.charge("b", key, QUICK)

    room["b"].place.on_stage = at_the_end
    room["b"].place.leave(room.now, 10 * SECOND)
    room.deliver()
    room.run_until(lambda: room["b"].stage is Stage.LEAF)
    for other in "ac":
        said = room.told("b", other)
        announced = next(at for at, it in enumerate(said) if says(it, "b", owner=0))
        keys = {
            key
            for it in said[:announced]
            if isinstance(it, Buckets)
            for _, some, _ in it.groups
            for key in some
        }
        heirs = {key for key in mine if Ring(["a", "c"]).owner(key) == other}
        assert heirs <= keys
        assert [it.part for it in said[announced:] if isinstance(it, Pull)] == [Part.NOTHING]


def test_a_node_decides_until_all_is_flushed_and_not_any_more_when_its_place_is_free() -> None:
    room = Room("ab")
    room.lost = lambda it: isinstance(it[2], Merged)
    for at in range(2 * WINDOW * CHANGES):
        room.charge("b", f"many{at}")
    room.run(0.2)
    room["b"].place.leave(room.now, 10 * SECOND)
    assert room.stages["b"][-1] is Stage.FLUSHING
    assert "b" in room["b"].route
    room.run_until(lambda: room["b"].stage is Stage.LEAVING)
    assert "b" not in room["b"].route


def test_a_node_that_leaves_holds_what_it_held_wherever_it_sends_that() -> None:
    """It sends all to those that it can reach; which keys it may decide is another matter."""
    room = Room("abc", PATIENT)
    room["a"].sync.copies.doubt()
    room.stopped.add("b")
    room.disconnect("a", "c")
    holds = [room["a"].decides(key) for key in KEYS]
    room["a"].place.leave(room.now, 10 * SECOND)
    room.run(0.3)
    assert room["a"].stage is Stage.FLUSHING
    assert room["a"].sync.ring.nodes == ("b",)
    assert [room["a"].decides(key) for key in KEYS] == holds
    assert any(holds)
    assert not room["a"].sync.copies.is_settled


def test_a_leave_ends_by_its_deadline_when_another_says_nothing() -> None:
    room = charged("abc", PATIENT, settle=0)
    room.stopped.add("c")
    took = leave(room, "b", within=4)
    assert took == pytest.approx(4, abs=0.1)
    assert room["b"].place.is_overdue
    assert room["b"].place.passages[Stage.LEAVING].overdue == 1
    assert room["a"].ring.nodes == ("a", "c")


def test_all_nodes_but_one_can_leave_at_the_same_time() -> None:
    """And the one that stays knows what all of them knew."""
    room = charged("abcd", settle=0.02)
    for name in "abc":
        room[name].place.leave(room.now, 10 * SECOND)
    room.run_until(lambda: all(room[name].stage is Stage.LEAF for name in "abc"))
    assert not any(room[name].place.is_overdue for name in "abc")
    assert knows_all(room, "d")


def test_a_node_that_departs_is_off_the_ring_at_once_for_all() -> None:
    room = Room("abc")
    leave(room, "b")
    room["b"].place.depart(room.now)
    room.run(0.3)
    for name in "ac":
        assert room[name].membership.members["b"].state is Life.LEFT
        assert room[name].ring.nodes == ("a", "c")
        assert room[name].parts == 2


def test_a_node_may_leave_before_it_has_joined() -> None:
    room = Room("ab", PATIENT)
    room.stopped.add("b")
    node = room.add("c")
    node.place.join(room.now)
    room.run(0.1)
    assert node.stage is Stage.JOINING
    assert leave(room, "c", within=2) <= 2.1
    assert room["a"].ring.nodes == ("a", "b")


@pytest.mark.parametrize("stage", [Stage.SETTLING, Stage.RETURNING])
def test_a_node_that_leaves_before_it_was_told_everything_decides_no_more(stage: Stage) -> None:
    """To leave is no reason to decide by what it doesn't know yet."""
    room = Room("ab", PATIENT)
    node = room["b"] if stage is Stage.RETURNING else room.add("c")
    room.lost = lambda it: isinstance(it[2], Pulled)
    if stage is Stage.RETURNING:
        room.now += 10 * STALL
        node.notice(room.now)
    else:
        node.place.join(room.now)
        room.run_until(lambda: node.stage is Stage.SETTLING)
    assert node.stage is stage
    node.place.leave(room.now, SECOND)
    assert node.name not in node.route
    room.run_until(lambda: node.stage is Stage.LEAF)
    assert node.name not in node.route


def test_a_node_that_has_left_sends_nothing_at_later_changes() -> None:
    """What it held is with its heirs; as a leaf it may run on for long."""
    room = charged("abc", settle=0)
    leave(room, "b")
    room.log.clear()
    enter(room, "d")
    room.run(3)
    assert room["b"].ring.nodes == ("a", "c", "d")
    assert not any(sender == "b" and isinstance(it, Buckets) for sender, _, it in room.log)
    assert room["b"].sync.idle
