"""A node that stood still: it decides nothing before it was told what happened meanwhile."""

from collections.abc import Callable

import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.protocol.messages import Confirm, Gossip, Part, Pull, Pulled, Stay
from sidegate.protocol.standing_messages import OnSplit
from sidegate.reservations.held_row import HeldRow
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.messages import SwimKind
from sidegate_sidecar.cluster.cluster import REST_EVERY, STALL, TICK_EVERY, Stage
from sidegate_sidecar.cluster.place.backoff import CALM, FIRST, MAX_STEP
from sidegate_sidecar.cluster.place.place import JOIN_WITHIN, RETURN_WITHIN, ignore
from sidegate_sidecar.node.share import gives_share
from tests.sidecar.cluster.owners import PATIENT, owned_by, stand_still
from tests.support.in_memory.clusters import YEARLY, Room, nobody


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


def test_a_node_that_stands_still_once_more_asks_all_of_them_once_more_a_little_later() -> None:
    """One that had told it everything may have decided for it since."""
    room = Room("abc", PATIENT)
    room.run(0.2)
    room.lost = lambda it: isinstance(it[2], Pulled) and it[0] == "a"
    node = room["b"]
    stand_still(room, "b", 0.5)
    room.stopped.clear()
    room.run_until(lambda: node.sync.waiting == {"a"}, within=1)
    stand_still(room, "b", 0.5)
    assert (node.stage, node.sync.waiting) == (Stage.RETURNING, {"a"})
    assert node.place.backoff.due is not None
    room.lost = nobody
    room.stopped.clear()
    told = len(room.log)
    waited = room.run_until(lambda: node.place.backoff.due is None, within=1)
    assert FIRST / 2 <= waited * SECOND <= FIRST * 1.5 + TICK_EVERY
    asked = [it[1] for it in room.log[told:] if it[0] == "b" and isinstance(it[2], Pull)]
    assert asked == ["a", "c"]
    room.run_until(lambda: node.stage is Stage.MEMBER, within=3)


def test_a_node_that_stands_still_all_the_time_asks_more_and_more_seldom() -> None:
    """Else those on a machine that has too much to do would keep each other from ever being done.

    Nobody would ask for anything else, and each question is for all others.
    """
    room = Room("abc", PATIENT)
    room.run(0.2)
    told, node = len(room.log), room["b"]
    for _ in range(200):
        stand_still(room, "b", 0.3)
        room.stopped.clear()
        room.run(0.1)
    assert node.stage is Stage.RETURNING
    sent = [type(it[2]) for it in room.log[told:] if it[0] == "b"]
    assert 2 <= sent.count(Pull) <= 2 * 8
    assert 2 <= sent.count(Confirm) <= 2 * 8
    room.run_until(lambda: node.stage is Stage.MEMBER, within=MAX_STEP / SECOND)
    stand_still(room, "b", 0.3)
    assert node.place.backoff.due is not None
    room.stopped.clear()
    room.run_until(lambda: node.stage is Stage.MEMBER, within=MAX_STEP / SECOND)
    room.run((CALM + 3 * MAX_STEP) / SECOND)
    stand_still(room, "b", 0.3)
    assert node.sync.waiting == {"a", "c"}  # as if it were the first time


def test_who_is_shut_out_while_it_waits_to_ask_joins_anew_without_delay() -> None:
    room = Room("abc", PATIENT)
    room.run(0.2)
    node = room["b"]
    for _ in range(8):
        stand_still(room, "b", 0.3)
        room.stopped.clear()
        node.place.backoff.take(room.now + MAX_STEP)  # as if it had asked
    stand_still(room, "b", 0.3)
    room.stopped.clear()
    assert node.place.backoff.due is not None
    assert node.place.shut_out(room.now)
    node.place.join(room.now)
    room.run_until(lambda: node.stage is Stage.MEMBER, within=1)


def test_a_link_that_comes_up_asks_who_is_there_and_nobody_else() -> None:
    """Of n links that come up each would else ask n nodes."""
    room = Room("abcd", PATIENT)
    room.run(0.2)
    node = room["b"]
    room.lost = lambda it: isinstance(it[2], Pulled) and it[0] == "d"
    stand_still(room, "b", 0.5)
    room.stopped.clear()
    room.run_until(lambda: node.sync.waiting == {"d"}, within=1)
    room.disconnect("b", "c")
    told = len(room.log)
    room.connect("b", "c")
    assert node.sync.waiting == {"c", "d"}
    asked = [it[1] for it in room.log[told:] if it[0] == "b" and isinstance(it[2], Pull)]
    assert asked == ["c"]
    room.run_until(lambda: node.sync.waiting == {"d"}, within=1)


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
    stand_still(room, "b", 0.3)
    assert node.stage is stage
    assert node.sync.waiting == {"a", "c"}
    assert "b" not in node.route
    assert not node.decides(mine[0])
    room.lost = lambda it: isinstance(it[2], Stay)
    room.stopped.clear()
    room.run_until(lambda: "b" in node.route, within=3)
    assert node.decides(mine[0])


def test_who_stands_still_before_it_was_sent_all_asks_for_all_again() -> None:
    """Of what it missed a question for the rest would get it nothing."""
    room = Room("ac", PATIENT)
    room.run(0.2)
    node = room.add("b")
    room.lost = lambda it: isinstance(it[2], Pulled) and it[0] == "a"
    node.place.join(room.now)
    room.run_until(lambda: node.stage is Stage.SETTLING)
    room.stopped.add("b")
    room.run(0.3)
    asked = len(room.log)
    node.notice(room.now)
    pulls = [it[2].part for it in room.log[asked:] if isinstance(it[2], Pull)]
    assert pulls == [Part.ALL, Part.ALL]
    room.lost = nobody
    room.stopped.clear()
    room.run_until(lambda: node.stage is Stage.MEMBER, within=3)


def test_the_last_owner_that_stays_after_a_standstill_decides_when_it_was_told() -> None:
    """Its time to find an heir was over when it woke."""
    room = Room("ab", PATIENT)
    room.run(0.2)
    node = room["b"]
    room.lost = lambda it: isinstance(it[2], Stay)
    node.place.leave(room.now, SECOND)
    stand_still(room, "b", 3)
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
    room.lost = lambda it: isinstance(it[2], Pulled)
    stand_still(room, "a", 0.5)
    room.stopped.clear()
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
    assert gives_share(node, OnUnreachable.LOCAL)
    room.stopped.clear()
    room.lost = lambda it: "b" in it[:2]
    room.run(1.5)
    assert not node.decides(mine)
    room.lost = nobody
    for other in "ac":
        room.connect("b", other)
    room.run_until(lambda: node.decides(mine), within=1)


def test_a_tick_that_is_a_little_late_is_no_standstill() -> None:
    room = Room("ab")
    node = room["a"]
    late_at = node.late_at
    node.tick(room.now)
    assert node.late_at == room.now + TICK_EVERY + STALL
    node.notice(node.late_at)
    assert node.stage is Stage.MEMBER
    node.notice(node.late_at + 1)
    assert node.stage in {Stage.RETURNING, Stage.MEMBER}
    assert room.stages["a"][-2:] == [Stage.MEMBER, Stage.RETURNING]
    assert node.late_at > late_at


def test_a_node_at_rest_only_notes_that_it_runs_and_finds_a_standstill_as_ever() -> None:
    room = Room("ab")
    node = room["a"]
    room.run_until(lambda: node.is_quiet, within=5)
    node.rests_until = 0
    began = room.now
    assert node.tick(began) == TICK_EVERY
    rests_until = node.rests_until
    assert began + TICK_EVERY < rests_until <= began + REST_EVERY
    late = began + TICK_EVERY + STALL
    assert node.tick(late) == min(TICK_EVERY, rests_until - late)
    assert (node.ticked_at, node.late_at) == (began, late + TICK_EVERY + STALL)
    node.tick(node.late_at + 1)
    assert node.stage is Stage.RETURNING
    assert node.ticked_at == late + TICK_EVERY + STALL + 1


def test_what_is_due_between_two_ticks_of_a_node_at_rest_comes_on_time() -> None:
    room = Room("ab")
    node = room["a"]
    room.run_until(lambda: node.is_quiet, within=5)
    node.rests_until = room.now + TICK_EVERY // 2  # as where a ping is due then
    assert node.tick(room.now) == TICK_EVERY // 2


def changes(room: Room, key: str) -> None:
    room.charge("a", key)


def reservation_is_open(room: Room, key: str) -> None:
    row = HeldRow(key, "n:1", parse_limits("1000/day"), 5, 5, room.now + SECOND)
    room["a"].sync.rows.reservations.open(row)


def answer_waits_for_the_backup(room: Room, key: str) -> None:
    room.charge("a", key)
    room["a"].tick(room.now)
    room["a"].confirm([(0, (key, YEARLY, 1))], room.now + SECOND // 2, ignore, room.now)
    assert not room["a"].sync.has_changes


def others_are_to_be_asked(room: Room, key: str) -> None:
    assert key
    room["a"].sync.copies.doubt()


def buckets_are_to_be_reset(room: Room, key: str) -> None:
    room["a"].reset_all(key, 1, room.now)


def ping_is_under_way(room: Room, key: str) -> None:
    assert key
    room["a"].doubt("b", room.now)


@pytest.mark.parametrize(
    "happens",
    [
        changes,
        reservation_is_open,
        answer_waits_for_the_backup,
        others_are_to_be_asked,
        buckets_are_to_be_reset,
        ping_is_under_way,
    ],
)
def test_who_has_something_to_do_or_waits_for_somebody_is_not_at_rest(
    happens: Callable[[Room, str], None],
) -> None:
    room = Room("ab")
    node = room["a"]
    room.run_until(lambda: node.is_quiet, within=5)
    happens(room, owned_by("a", "a", "b")[0])
    assert not node.is_quiet
    node.tick(room.now)
    assert node.ticked_at == room.now
    room.run_until(lambda: node.is_quiet, within=5)


def test_who_counts_nodes_never_rests() -> None:
    """A split, and that it is over, is noticed within seconds."""
    room = Room("ab", on_split=OnSplit.QUORUM)
    room.run(5.0)
    assert room["a"].place.is_settled
    assert room["a"].sync.is_quiet
    assert (room["a"].is_quiet, room["a"].tick(room.now)) == (False, TICK_EVERY)


def test_a_leaf_ticks_seldom_and_is_late_by_as_much() -> None:
    room = Room("ab")
    node = room.add("c", leaf=True)
    room.join("c")
    room.run_until(lambda: node.tick(room.now) == REST_EVERY, within=5)  # with no ping to send
    assert node.late_at == room.now + REST_EVERY + STALL


def test_who_rests_pings_as_often_as_ever() -> None:
    room = Room("ab")
    room.add("c", leaf=True)
    room.join("c")
    room.run(3.0)
    room.log.clear()
    room.run(10.0)
    pings = [it[0] for it in room.log if isinstance(it[2], Gossip) and it[2].kind == SwimKind.PING]
    assert {it: pings.count(it) for it in "abc"} == {"a": 20, "b": 20, "c": 20}


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
