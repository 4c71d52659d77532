"""Joining: a newcomer has its buckets before it is on the ring, and decides after that."""

import pytest

from sidegate.buckets.limits import SECOND
from sidegate.protocol.messages import Buckets, Confirm, Confirmed, Pulled
from sidegate_ring.hashring import Ring
from sidegate_sidecar.cluster.cluster import Cluster, Stage
from sidegate_sidecar.cluster.place.handover import Passage
from sidegate_sidecar.cluster.place.place import JOIN_WITHIN, SETTLE_WITHIN
from tests.sidecar.cluster.owners import KEYS, PATIENT, charged, owned_by
from tests.support.in_memory.clusters import Post, Room, nobody, says

# Alone, and at once


def test_a_node_that_has_not_looked_for_the_others_decides_nothing() -> None:
    """There may be some, and they may have its buckets."""
    room = Room()
    node = room.add("a")
    room.run(1)
    assert node.stage is Stage.STARTING
    assert (node.route.nodes, node.ring.nodes) == ((), ())
    assert not node.place.joined
    assert not node.decides("k")


def test_a_node_alone_takes_its_place_at_once() -> None:
    room = Room()
    node = room.add("a")
    node.place.join(room.now)
    assert room.stages["a"] == [Stage.JOINING, Stage.SETTLING, Stage.MEMBER]
    assert (node.route.nodes, node.ring.nodes) == (("a",), ("a",))
    assert node.place.joined
    assert node.decides("k")
    assert node.agrees
    assert node.parts == 1
    assert node.place.passages[Stage.JOINING] == Passage(1, 0, 0)


def test_to_join_again_is_nothing() -> None:
    room = Room("a")
    before = list(room.stages["a"])
    room["a"].place.join(room.now)
    assert room.stages["a"] == before


def test_two_that_start_at_the_same_time_make_one_ring() -> None:
    """Neither waits for the other, since neither has anything."""
    room = Room()
    for name in "ab":
        room.add(name)
    for name in "ab":
        room[name].place.join(room.now)
    room.run(0.3)
    for name in "ab":
        assert room[name].stage is Stage.MEMBER
        assert room[name].route.nodes == room[name].ring.nodes == ("a", "b")
        assert room[name].parts == 2
    room.run_until(lambda: room["a"].agrees and room["b"].agrees, within=2)


def test_two_that_meet_after_they_have_joined_make_one_ring_and_merge() -> None:
    """As after a split: each had a ring of its own."""
    room = Room()
    for name in "ab":
        room.add(name, knows="nobody")
        room.join(name)
        for key in KEYS:
            room.charge(name, key)
    room.connect("a", "b")
    room.run(0.5)
    assert room["a"].ring == room["b"].ring == Ring(["a", "b"])
    assert all(room.holders(key) == {"a", "b"} for key in KEYS)


# To join


def test_a_newcomer_has_its_buckets_before_it_is_on_the_ring_and_decides_after_that() -> None:
    """From the ring's first look at it until the last changes are here, the others decide."""
    room = charged("ab")
    node = room.add("c")
    mine = owned_by("c", "a", "b", "c")
    node.place.join(room.now)
    assert room.stages["c"] == [Stage.JOINING]
    assert node.route.nodes == ("a", "b")
    held_when_announced: set[int] = set()
    routes: list[tuple[str, ...]] = []
    room.log.clear()
    for _ in range(200):
        if "c" in room["a"].ring or "c" in room["b"].ring:
            held_when_announced.add(sum(room.tokens("c", key) for key in mine))
        if node.stage is Stage.SETTLING:
            routes.append(node.route.nodes)
        room.run(0.01)
        if node.place.joined:
            break
    assert node.place.joined
    assert node.sync.copies.is_settled
    assert held_when_announced <= {len(mine)}
    assert set(routes) <= {("a", "b")}
    assert room.stages["c"] == [Stage.JOINING, Stage.SETTLING, Stage.MEMBER]
    assert all(room[name].ring.nodes == ("a", "b", "c") for name in "abc")
    said = [message for to in "ab" for message in room.told("c", to)]
    first = next(at for at, it in enumerate(said) if says(it, "c", owner=1))
    assert not any(isinstance(it, Pulled) for it in said[:first])


@pytest.mark.parametrize("when", ["while it is sent its part", "just before they hear of it"])
def test_what_others_decide_while_a_node_joins_gets_to_it_before_it_decides(when: str) -> None:
    room = charged("ab")
    node = room.add("c")
    mine = owned_by("c", "a", "b", "c")
    left = list(mine)

    def at_that_time(post: Post) -> bool:
        announced = post[0] == "c" and says(post[2], "c", owner=1)
        if announced or (isinstance(post[2], Buckets) and when.startswith("while")):
            while left:
                key = left.pop()
                room.charge(Ring(["a", "b"]).owner(key), key)
        return False

    room.lost = at_that_time
    node.place.join(room.now)
    room.run_until(lambda: node.place.joined, within=1)
    assert [room.tokens("c", key) for key in mine] == [2] * len(mine)


def test_a_newcomer_decides_before_it_has_its_copies_and_has_joined_when_it_has_them() -> None:
    """Who takes the next node away at that word takes no last copy."""
    room = charged("ab")
    node = room.add("c")
    room.lost = lambda it: it[1] == "c" and isinstance(it[2], Confirmed)
    node.place.join(room.now)
    room.run_until(lambda: node.stage is Stage.MEMBER, within=1)
    room.run(0.2)
    room.lost = lambda it: isinstance(it[2], Confirm)  # else it is sent everything once more
    assert node.route.pair(owned_by("c", "a", "b", "c")[0])[0] == "c"
    assert not node.place.joined
    waited = room.run_until(lambda: node.place.joined)
    assert waited == pytest.approx(SETTLE_WITHIN / SECOND - 0.2, abs=0.1)  # and no longer


def joining_while_b_is_silent() -> tuple[Room, Cluster]:
    room = Room("ab", PATIENT)
    node = room.add("c")
    room.stopped.add("b")
    node.place.join(room.now)
    return room, node


def test_a_join_ends_by_its_deadline_when_an_old_node_says_nothing() -> None:
    """A counter may be wrong, a check may not wait; that it was so is counted."""
    room, node = joining_while_b_is_silent()
    waited = room.run_until(lambda: node.stage is not Stage.JOINING)
    assert waited == pytest.approx(JOIN_WITHIN / SECOND, abs=0.1)
    assert node.stage is Stage.SETTLING
    assert node.place.passages[Stage.JOINING].overdue == 1
    waited = room.run_until(lambda: node.place.joined)
    assert waited == pytest.approx(SETTLE_WITHIN / SECOND, abs=0.1)
    assert node.route.nodes == ("a", "b", "c")


def test_nobody_waits_for_an_old_node_that_broke_off() -> None:
    room, node = joining_while_b_is_silent()
    room.run(0.5)
    assert node.stage is Stage.JOINING
    room.disconnect("b", "c")
    assert room.run_until(lambda: node.place.joined) < 1
    assert node.place.passages[Stage.JOINING].overdue == 0


def test_what_an_old_node_had_that_broke_off_is_had_from_its_backup() -> None:
    """The others had left its part to it, and think that the newcomer has everything."""
    room = charged("abc")
    node = room.add("d")
    mine = owned_by("d", "a", "b", "c", "d")
    assert any(Ring(["a", "b", "c"]).owner(key) == "b" for key in mine)
    room.lost = lambda it: it[:2] == ("b", "d") and isinstance(it[2], Buckets | Pulled)
    node.place.join(room.now)
    room.run(0.5)
    assert node.sync.waiting == {"b"}
    room.lost = nobody
    room.crash("b")
    room.run_until(lambda: node.place.joined)
    assert [room.tokens("d", key) for key in mine] == [1] * len(mine)
