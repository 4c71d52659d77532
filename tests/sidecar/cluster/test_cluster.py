"""Cluster: the stages of a node, from its start to its end, and what it does in each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.protocol.messages import Buckets, Gossip, Merged, Part, Pull, Pulled, Stay
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Kind, State, Timing
from sidegate_ring.places import position, seeded
from sidegate_sidecar.cluster.cluster import STALL, Stage
from sidegate_sidecar.cluster.place.handover import Passage
from sidegate_sidecar.cluster.place.place import JOIN_WITHIN, RETURN_WITHIN, SETTLE_WITHIN
from sidegate_sidecar.cluster.routes.rings import SAMPLE, next_ring
from sidegate_sidecar.replication.outbox import BATCH, WINDOW
from tests.sidecar.clusters import Room, nobody, says

if TYPE_CHECKING:
    from tests.sidecar.clusters import Post

KEYS = [f"key{at}" for at in range(60)]
QUICK = "100/second"  # a token is back after 10 ms: not worth a backup
PATIENT = Timing(suspicion=1_000)  # nobody is declared dead in these tests


def owned_by(name: str, *ring: str) -> list[str]:
    owned = [key for key in KEYS if Ring(ring).owner(key) == name]
    assert owned
    return owned


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
    room = Room("ab")
    room.charge_all(KEYS, by="a")
    room.run(0.2)
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
    assert held_when_announced <= {len(mine)}
    assert set(routes) <= {("a", "b")}
    assert room.stages["c"] == [Stage.JOINING, Stage.SETTLING, Stage.MEMBER]
    assert all(room[name].ring.nodes == ("a", "b", "c") for name in "abc")
    said = [message for to in "ab" for message in room.told("c", to)]
    first = next(at for at, it in enumerate(said) if says(it, "c", owner=1))
    assert not any(isinstance(it, Pulled) for it in said[:first])


@pytest.mark.parametrize("when", ["while it is sent its part", "just before they hear of it"])
def test_what_others_decide_while_a_node_joins_gets_to_it_before_it_decides(when: str) -> None:
    room = Room("ab")
    room.charge_all(KEYS, by="a")
    room.run(0.2)
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


def test_a_join_ends_by_its_deadline_when_an_old_node_says_nothing() -> None:
    """A counter may be wrong, a check may not wait; that it was so is counted."""
    room = Room("ab", PATIENT)
    node = room.add("c")
    room.stopped.add("b")
    node.place.join(room.now)
    waited = room.run_until(lambda: node.stage is not Stage.JOINING)
    assert waited == pytest.approx(JOIN_WITHIN / SECOND, abs=0.1)
    assert node.stage is Stage.SETTLING
    assert node.place.passages[Stage.JOINING].overdue == 1
    waited = room.run_until(lambda: node.place.joined)
    assert waited == pytest.approx(SETTLE_WITHIN / SECOND, abs=0.1)
    assert node.route.nodes == ("a", "b", "c")


def test_nobody_waits_for_an_old_node_that_broke_off() -> None:
    room = Room("ab", PATIENT)
    node = room.add("c")
    room.stopped.add("b")
    node.place.join(room.now)
    room.run(0.5)
    assert node.stage is Stage.JOINING
    room.disconnect("b", "c")
    assert room.run_until(lambda: node.place.joined) < 1
    assert node.place.passages[Stage.JOINING].overdue == 0


def test_what_an_old_node_had_that_broke_off_is_had_from_its_backup() -> None:
    """The others had left its part to it, and think that the newcomer has everything."""
    room = Room("abc")
    room.charge_all(KEYS, by="a")
    room.run(0.3)
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


# To leave


def leave(room: Room, name: str, within: float = 10) -> float:
    """Have a node leave; how many seconds it took."""
    room[name].place.leave(room.now, int(within * SECOND))
    return room.run_until(lambda: room[name].stage is Stage.LEAF)


def test_a_node_that_leaves_hands_over_all_it_has_and_stays_as_a_leaf() -> None:
    room = Room("abc")
    room.charge_all(KEYS, by="a")
    room.run(0.2)
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
    for at in range(2 * WINDOW * BATCH):
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
    room = Room("abc", PATIENT)
    room.charge_all(KEYS, by="a")
    room.stopped.add("c")
    took = leave(room, "b", within=4)
    assert took == pytest.approx(4, abs=0.1)
    assert room["b"].place.is_overdue
    assert room["b"].place.passages[Stage.LEAVING].overdue == 1
    assert room["a"].ring.nodes == ("a", "c")


def test_all_nodes_but_one_can_leave_at_the_same_time() -> None:
    """And the one that stays knows what all of them knew."""
    room = Room("abcd")
    room.charge_all(KEYS, by="a")
    room.run(0.02)
    for name in "abc":
        room[name].place.leave(room.now, 10 * SECOND)
    room.run_until(lambda: all(room[name].stage is Stage.LEAF for name in "abc"))
    assert not any(room[name].place.is_overdue for name in "abc")
    assert [room.tokens("d", key) for key in KEYS] == [1] * len(KEYS)


def test_a_node_that_departs_is_off_the_ring_at_once_for_all() -> None:
    room = Room("abc")
    leave(room, "b")
    room["b"].place.depart(room.now)
    room.run(0.3)
    for name in "ac":
        assert room[name].membership.members["b"].state is State.LEFT
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


# To die


def test_when_a_node_is_dead_each_of_its_buckets_has_two_holders_again() -> None:
    room = Room("abcd")
    room.charge_all(KEYS, by="a")
    room.run(0.3)
    room.crash("b")
    room.run_until(lambda: room["a"].ring.nodes == ("a", "c", "d"))
    room.run(1)
    for key in KEYS:
        assert set(room["a"].ring.pair(key)) <= room.holders(key)
    assert len({room[name].ring.digest for name in "acd"}) == 1


def test_a_node_that_starts_again_under_its_old_name_has_its_buckets_again() -> None:
    """However quickly: it may not have been missed."""
    room = Room("abc")
    room.charge_all(KEYS, by="a")
    room.run(0.3)
    room.crash("b")
    room.add("b")
    room.join("b")
    room.run(0.5)
    for key in KEYS:
        assert set(Ring(["a", "b", "c"]).pair(key)) <= room.holders(key)
    assert all(room[name].ring.nodes == ("a", "b", "c") for name in "abc")


# To stand still


def stand_still(room: Room, name: str, seconds: float) -> None:
    room.stopped.add(name)
    room.run(seconds)
    room.stopped.clear()


def test_a_node_that_stood_still_hears_first_what_was_decided_in_its_place() -> None:
    room = Room("abc", PATIENT)
    mine = owned_by("b", "a", "b", "c")
    room.run(0.2)
    room.stopped.add("b")
    room.run(0.5)
    for key in mine:
        room.charge(Ring(["a", "b", "c"]).pair(key)[1], key)
    room.run(0.3)
    node = room["b"]
    before = list(room.stages["b"])
    node.notice(room.now)  # as before anything is decided
    assert node.stage is Stage.RETURNING
    assert "b" not in node.route
    assert node.ring.nodes == ("a", "b", "c")
    room.stopped.clear()
    room.run_until(lambda: node.stage is Stage.MEMBER, within=1)
    assert [room.tokens("b", key) for key in mine] == [1] * len(mine)
    assert room.stages["b"] == [*before, Stage.RETURNING, Stage.MEMBER]
    assert node.place.passages[Stage.RETURNING].count == 1
    assert node.place.passages[Stage.RETURNING].overdue == 0
    assert node.route.nodes == ("a", "b", "c")


def test_a_node_that_stands_still_once_more_asks_all_of_them_once_more() -> None:
    """One that had told it everything may have decided for it since."""
    room = Room("abc", PATIENT)
    room.run(0.2)
    room.lost = lambda it: isinstance(it[2], Pulled) and it[0] == "a"
    node = room["b"]
    stand_still(room, "b", 0.5)
    room.run_until(lambda: node.sync.waiting == {"a"}, within=1)
    room.stopped.add("b")
    room.run(0.5)
    node.notice(room.now)
    assert (node.stage, node.sync.waiting) == (Stage.RETURNING, {"a", "c"})
    room.lost = nobody
    room.stopped.clear()
    room.run_until(lambda: node.stage is Stage.MEMBER, within=3)


@pytest.mark.parametrize("stage", [Stage.SETTLING, Stage.FLUSHING])
def test_who_comes_or_leaves_and_stands_still_decides_when_it_was_told(stage: Stage) -> None:
    room = Room("ac" if stage is Stage.SETTLING else "abc", PATIENT)
    room.run(0.2)
    room.lost = lambda it: isinstance(it[2], Pulled | Stay) and it[1] == "b"
    if stage is Stage.SETTLING:
        node = room.add("b")
        node.place.join(room.now)
        room.lost = lambda it: (
            isinstance(it[2], Pulled) and it[0] == "a" and node.stage is Stage.SETTLING
        )
        room.run_until(lambda: node.sync.waiting == {"a"} and node.stage is stage, within=1)
    else:
        node = room["b"]
        node.place.leave(room.now, 30 * SECOND)
    room.run_until(lambda: node.stage is stage, within=1)
    mine = owned_by("b", "a", "b", "c")
    assert node.decides(mine[0]) == (stage is Stage.FLUSHING)
    room.stopped.add("b")
    room.run(0.3)
    node.notice(room.now)
    assert node.stage is stage
    assert node.sync.waiting == {"a", "c"}
    assert "b" not in node.route
    assert not node.decides(mine[0])
    room.lost = lambda it: isinstance(it[2], Stay)
    room.stopped.clear()
    room.run_until(lambda: "b" in node.route, within=3)
    assert node.decides(mine[0])


def test_the_last_owner_that_stays_after_a_standstill_decides_when_it_was_told() -> None:
    """Its time to find an heir was over when it woke."""
    room = Room("ab", PATIENT)
    room.run(0.2)
    node = room["b"]
    room.lost = lambda it: isinstance(it[2], Stay)
    node.place.leave(room.now, SECOND)
    room.stopped.add("b")
    room.run(3)
    node.notice(room.now)
    assert node.stage is Stage.RETURNING
    assert "b" not in node.route
    room.stopped.clear()
    room.run_until(lambda: node.stage is Stage.MEMBER, within=1)


def test_a_node_that_stood_still_decides_when_who_is_silent_is_taken_for_dead() -> None:
    """Until then nobody has told it what was decided for it: it answers by its share."""
    room = Room("abc")
    room.stopped = {"b", "c"}
    room.run(0.5)
    room.stopped = {"c"}
    node = room["b"]
    room.run_until(lambda: node.stage is Stage.RETURNING, within=0.2)
    room.run_until(lambda: node.stage is Stage.MEMBER)
    assert node.ring.nodes == ("a", "b")
    assert node.place.passages[Stage.RETURNING].overdue == 0


def test_a_node_that_stood_still_asks_again_when_the_answer_is_lost() -> None:
    """On a link that didn't break, as when one direction was cut for a moment."""
    room = Room("ab", PATIENT)
    room.stopped.add("a")
    room.run(0.5)
    room.stopped.clear()
    room.lost = lambda it: isinstance(it[2], Pulled)
    room.run(0.5)
    assert room["a"].stage is Stage.RETURNING
    room.lost = nobody
    assert room.run_until(lambda: room["a"].stage is Stage.MEMBER) < 2.5


def test_a_node_that_stood_still_decides_after_a_minute_at_the_latest() -> None:
    room = Room("abc", PATIENT)
    room.stopped = {"b", "c"}
    room.run(0.5)
    room.stopped = {"c"}
    room.run_until(lambda: room["b"].stage is Stage.RETURNING, within=0.2)
    took = room.run_until(lambda: room["b"].stage is Stage.MEMBER, within=90)
    assert took == pytest.approx(RETURN_WITHIN / SECOND, abs=0.1)
    assert room["b"].place.passages[Stage.RETURNING].overdue == 1


def test_a_node_that_wakes_without_its_links_decides_nothing_by_its_table() -> None:
    room = Room("abc")
    room.run(0.3)
    node = room["b"]
    mine = owned_by("b", "a", "b", "c")[0]
    assert node.decides(mine)
    room.stopped.add("b")
    room.run(1)
    for other in "ac":
        room.links.discard(frozenset(("b", other)))
    node.notice(room.now)
    assert node.stage is Stage.RETURNING
    assert not node.decides(mine)
    assert node.has_share
    room.stopped.clear()
    room.run(1.5)
    assert not node.decides(mine)
    for other in "ac":
        room.connect("b", other)
    room.run_until(lambda: node.decides(mine), within=1)


def test_a_tick_that_is_a_little_late_is_no_standstill() -> None:
    room = Room("ab")
    node = room["a"]
    late_at = node.late_at
    wait = node.tick(room.now)
    assert node.late_at == room.now + wait + STALL
    node.notice(node.late_at)
    assert node.stage is Stage.MEMBER
    node.notice(node.late_at + 1)
    assert node.stage in {Stage.RETURNING, Stage.MEMBER}
    assert room.stages["a"][-2:] == [Stage.MEMBER, Stage.RETURNING]
    assert node.late_at > late_at


def test_the_time_that_a_node_stood_still_is_not_taken_from_its_deadlines() -> None:
    """It couldn't hear what it was waiting for."""
    room = Room("ab", PATIENT)
    node = room.add("c")
    room.stopped.add("b")
    node.place.join(room.now)
    room.run(1)
    room.stopped = {"b", "c"}
    room.run(JOIN_WITHIN / SECOND)
    room.stopped = {"b"}
    waited = room.run_until(lambda: node.stage is not Stage.JOINING)
    assert waited == pytest.approx(JOIN_WITHIN / SECOND - 1, abs=0.2)


# To hear of others only


def test_who_hears_of_an_owner_by_others_only_is_no_backup_of_it_until_it_has_confirmed() -> None:
    room = Room("abc")
    room.run(0.5)
    node = room["a"]
    backed_up = next(key for key in KEYS if node.ring.pair(key) == ("c", "a"))
    assert node.decides(backed_up)
    room.links.discard(frozenset("ac"))
    node.doubt("c", room.now)
    room.deliver()
    assert node.vouchers.way_to("c", room.now, node.transport.is_up) == "b"
    assert not node.decides(backed_up)
    room.connect("a", "c")
    room.run_until(lambda: node.decides(backed_up), within=1)


def test_a_backup_decides_for_an_owner_that_nobody_hears_of() -> None:
    room = Room("abc")
    room.run(0.5)
    node = room["a"]
    backed_up = next(key for key in KEYS if node.ring.pair(key) == ("c", "a"))
    room.crash("c")
    node.doubt("c", room.now)
    room.deliver()
    assert node.vouchers.way_to("c", room.now, node.transport.is_up) == ""
    assert node.decides(backed_up)


def test_who_was_taken_for_dead_holds_no_copy_until_it_is_confirmed() -> None:
    """Whoever gave it up has dropped what it had to send."""
    room = Room("ab")
    room.run(0.5)
    node = room["a"]
    backed_up = next(key for key in KEYS if node.ring.pair(key) == ("b", "a"))
    me = node.membership.me
    former = ("a", me.address, me.incarnation + 1, int(State.DEAD), 1, "b", me.claim - 1)
    node.step("b", Gossip(int(Kind.NEWS), 0, "", "", [former]), room.now)
    assert node.decides(backed_up)
    dead = ("a", me.address, me.incarnation, int(State.DEAD), 1, "b", me.claim)
    node.step("b", Gossip(int(Kind.NEWS), 0, "", "", [dead]), room.now)
    assert not node.decides(backed_up)
    room.run_until(lambda: node.decides(backed_up), within=1)


# Leaves, and who is who


def test_a_leaf_is_never_on_the_ring_and_never_decides() -> None:
    room = Room("ab")
    leaf = room.add("c", leaf=True)
    room.join("c")
    room.charge_all(KEYS, by="a")
    room.run(0.5)
    assert room.stages["c"] == [Stage.LEAF]
    assert leaf.place.joined
    assert not leaf.decides("k")
    assert len(leaf.table) == 0
    for name in "abc":
        assert room[name].ring.nodes == room[name].route.nodes == ("a", "b")
        assert room[name].parts == 3
    for name in "ab":
        room.crash(name)
    room.run_until(lambda: leaf.ring.nodes == ())
    assert not leaf.decides("k")


def test_a_leaf_stays_one_when_it_is_told_to_leave() -> None:
    room = Room("a")
    leaf = room.add("b", leaf=True)
    room.join("b")
    leaf.place.leave(room.now, SECOND)
    assert room.stages["b"] == [Stage.LEAF]


@pytest.mark.parametrize(
    ("listens", "host", "address"),
    [
        ("0.0.0.0:4222", "10.1.2.3", "10.1.2.3:4222"),
        ("[::]:4222", "fd00::7", "[fd00::7]:4222"),
        ("0.0.0.0:4222", "", "0.0.0.0:4222"),  # where it came from isn't known
        ("pod-1.local:4222", "10.1.2.3", "pod-1.local:4222"),
    ],
)
def test_a_node_that_listens_everywhere_is_found_where_its_messages_come_from(
    listens: str, host: str, address: str
) -> None:
    """What it says of others is left as it is: they may be somewhere else."""
    room = Room("a")
    rumors = [("b", listens, 7, 0, 1, "", 0), ("c", "0.0.0.0:5", 7, 0, 1, "", 0)]
    message = Gossip(int(Kind.NEWS), 0, "", "", rumors)
    room["a"].step("b", message, room.now, host)
    members = room["a"].membership.members
    assert members["b"].address == address
    assert members["c"].address == "0.0.0.0:5"


def test_a_node_is_introduced_to_those_that_have_told_it_everything() -> None:
    room = Room("ab")
    assert room["a"].introduced == {"b"}
    assert room["b"].introduced == {"a"}
    room.disconnect("a", "b")
    assert room["a"].introduced == set()


def test_nodes_agree_when_their_rings_are_the_same() -> None:
    room = Room("abc")
    room.run(2)
    assert all(room[name].agrees for name in "abc")
    room["a"].membership.members["b"].digest = "another"
    assert not room["a"].agrees


def test_nonsense_from_another_node_is_an_error_and_changes_nothing() -> None:
    room = Room("ab")
    ring = room["a"].ring
    for message in (
        Gossip(int(Kind.NEWS), 0, "", "", [("c", "c:1", 7, 9, 1, "", 0)]),
        Buckets(1, [("1/fortnight", ["key"], [1])]),
    ):
        with pytest.raises(ValueError, match=r"state 9|fortnight"):
            room["a"].step("b", message, room.now)
    assert room["a"].ring is ring
    assert len(room["a"].table) == 0


# What is held


def test_held_counts_the_buckets_that_are_its_own_and_those_of_which_it_is_the_backup() -> None:
    room = Room("abc")
    room.charge_all(KEYS, by="a")
    room.run(0.3)
    ring = Ring(["a", "b", "c"])
    for name in "abc":
        owned = sum(ring.pair(key)[0] == name for key in KEYS)
        backed_up = sum(ring.pair(key)[1] == name for key in KEYS)
        assert room[name].held() == (owned, backed_up)


def test_of_many_buckets_held_is_an_estimate() -> None:
    room = Room("ab")
    count = 4 * SAMPLE
    for at in range(count):
        room["a"].table.take(f"many{at}", parse_limits("100/hour"), 1, room.now)
    owned, backed_up = room["a"].held()
    assert owned == pytest.approx(count * room["a"].ring.share("a"), rel=0.1)
    assert owned + backed_up == pytest.approx(count, abs=2)


def test_nothing_is_held_by_a_node_that_has_nothing() -> None:
    assert Room("a")["a"].held() == (0, 0)


# Rings


SEED = bytes(range(32))
names = st.lists(st.text(min_size=1, max_size=4), max_size=12, unique=True).map(sorted)


@given(st.lists(names, min_size=1, max_size=4))
def test_the_next_ring_is_the_ring_of_its_names(rings: list[list[str]]) -> None:
    """Whether it is made from the last one or from nothing, with its points and its seed."""
    ring = Ring(points=4, key_hash=seeded(SEED))
    for before, after in pairwise([[], *rings]):
        assert ring.nodes == tuple(before)
        ring = next_ring(ring, tuple(after))
        assert ring == Ring(after, points=4, key_hash=seeded(SEED))


def test_a_small_change_makes_the_next_ring_from_the_last() -> None:
    """Which is quicker: only the points of those who come or go are hashed."""
    hashed: list[str] = []

    def noting(text: str) -> int:
        hashed.append(text)
        return position(text)

    ring = Ring([f"n{at}" for at in range(12)], points=4, hash=noting)
    hashed.clear()
    next_ring(ring, (*ring.nodes[1:], "new"))
    assert {text.partition("#")[0] for text in hashed} == {"n0", "new"}
    hashed.clear()
    next_ring(ring, ring.nodes[:3])
    assert {text.partition("#")[0] for text in hashed} == {*ring.nodes[:3]}


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
    room = Room("abc")
    room.charge_all(KEYS, by="a")
    leave(room, "b")
    room.log.clear()
    room.add("d")
    room.join("d")
    room.run(3)
    assert room["b"].ring.nodes == ("a", "c", "d")
    assert not any(sender == "b" and isinstance(it, Buckets) for sender, _, it in room.log)
    assert room["b"].sync.idle
