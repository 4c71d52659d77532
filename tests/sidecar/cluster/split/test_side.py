"""Sides of a split: who goes on, who doesn't, for how long, and what each is told."""

import logging

import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate.buckets.limits import SECOND
from sidegate.protocol.standing_messages import OnSplit, Voters
from sidegate_ring.membership.membership import Life
from sidegate_sidecar.cluster.cluster import Cluster
from sidegate_sidecar.cluster.split.part import SidePart
from sidegate_sidecar.node.share import gives_share
from tests.support.in_memory.clusters import Post, Room

NOTICED_WITHIN = 3.0


def counting(names: str, on_split: OnSplit = OnSplit.QUORUM) -> Room:
    """Return nodes that agree on who counts."""
    room = Room(names, on_split=on_split)
    room.run_until(lambda: all(agrees(node, names) for node in room.nodes.values()))
    return room


def agrees(node: Cluster, names: str) -> bool:
    return node.side.sets.agreed.names == tuple(names) and not node.side.sets.proposed


def split(room: Room, *sides: str) -> None:
    """Lose what goes from one of these sides to another, and run until all have noticed."""
    at = {name: side for side in sides for name in side}
    room.lost = lambda post: at[post[0]] != at[post[1]]
    room.run(NOTICED_WITHIN)


def deciding(room: Room) -> str:
    return "".join(name for name, node in room.nodes.items() if node.side.decides)


def test_the_larger_side_goes_on_and_the_smaller_decides_nothing() -> None:
    room = counting("abc")
    split(room, "a", "bc")
    assert deciding(room) == "bc"
    keys = [f"k{at}" for at in range(50)]
    assert not any(room["a"].decides(key) for key in keys)
    assert room["a"].route.pair("k") == ("", "")
    room.run_until(lambda: any(room["b"].decides(key) for key in keys))
    room.lost = lambda _: False
    room.run_until(lambda: deciding(room) == "abc", within=10)


def test_of_two_halves_that_with_the_smallest_name_goes_on() -> None:
    room = counting("abcd")
    split(room, "ad", "bc")
    assert deciding(room) == "ad"


def test_of_three_sides_none_may_be_large_enough() -> None:
    room = counting("abcde")
    split(room, "ab", "cd", "e")
    assert deciding(room) == ""


def test_the_smaller_side_answers_by_its_policy() -> None:
    """By its share only if that is the policy; the share is that of all who may decide alone."""
    room = counting("abc")
    policies = list(OnUnreachable)
    assert [gives_share(room["a"], it) for it in policies] == [True, False, True]
    split(room, "a", "bc")
    assert [gives_share(room["a"], it) for it in policies] == [False, False, True]
    room.run(20)
    assert room["a"].parts == 3


def test_who_is_lost_counts_for_10_seconds() -> None:
    """So of five, two may be killed, and when that is agreed one of the other three."""
    room = counting("abcde")
    for name in "de":
        room.crash(name)
    room.run(9)
    assert room["a"].side.lost == ("d", "e")
    room.run_until(lambda: agrees(room["a"], "abc"), within=8)
    room.crash("c")
    room.run(NOTICED_WITHIN)
    assert deciding(room) == "ab"


def test_two_of_three_that_are_killed_are_missed_until_they_are_forgotten() -> None:
    room = counting("abc")
    for name in "ab":
        room.crash(name)
    room.run(60)
    assert deciding(room) == ""
    assert room["c"].forget("x", room.now) == "node 'x': expected one that is missed here: a, b"
    assert not room["c"].forget("a", room.now)
    assert deciding(room) == ""  # half of b and c, without the smallest
    assert not room["c"].forget("b", room.now)
    assert deciding(room) == "c"
    room.run_until(lambda: agrees(room["c"], "c"), within=5)


def test_what_one_node_was_told_to_forget_its_side_forgets() -> None:
    room = counting("abcde")
    for name in "abc":
        room.crash(name)
    room.run(NOTICED_WITHIN)
    assert not room["d"].forget("a", room.now)
    assert not room["d"].forget("b", room.now)
    room.run_until(lambda: deciding(room) == "de", within=1)


def test_nobody_is_forgotten_where_nobody_is_missed() -> None:
    room = Room("a")
    assert room["a"].forget("b", room.now) == "--on-split is optimistic: nobody is missed here"


def test_who_leaves_counts_for_no_side() -> None:
    room = counting("abcde")
    for name in "ab":
        room[name].place.leave(room.now, 10**10)
        room.run_until(lambda name=name: not room[name].membership.me.owner)  # type: ignore[misc]
    room.run(1)
    for name in "cd":
        room.crash(name)
    room.run(NOTICED_WITHIN)
    assert deciding(room) == ""  # e alone of c, d and e; a and b forward


def start_again(room: Room, name: str, knows: str) -> None:
    """Have a node leave, and start again at once under its name, by some of the others."""
    room[name].place.leave(room.now, 10**10)
    room.run_until(lambda: not room[name].membership.me.owner)
    room.crash(name)
    room.add(name, knows=knows)
    room.join(name)


def test_who_starts_again_just_as_the_network_splits_counts_for_no_side() -> None:
    """A has heard that c left, and not that it is back: it goes on with half of a and b."""
    room = counting("abc")
    sides = {"a": 0, "b": 1, "c": 1}
    room["c"].place.leave(room.now, 10**10)
    room.run_until(lambda: not room["c"].membership.me.owner)
    room.lost = lambda post: sides[post[0]] != sides[post[1]]
    start_again(room, "c", "b")
    room.run(NOTICED_WITHIN)
    assert deciding(room) == "a"


def test_who_starts_again_counts_by_the_next_set() -> None:
    room = counting("abc")
    before = room["a"].side.sets.agreed.version
    start_again(room, "c", "ab")
    sides = [node.side for node in room.nodes.values()]
    room.run_until(lambda: all(it.sets.agreed.version > before for it in sides), within=5)
    assert all(agrees(node, "abc") for node in room.nodes.values())
    split(room, "a", "bc")
    assert deciding(room) == "bc"


def test_a_newcomer_on_the_smaller_side_counts_by_who_was_there() -> None:
    room = counting("bcd")
    split(room, "b", "cd")
    at = {"b": 0, "c": 1, "d": 1, "a": 0}
    room.lost = lambda post: at[post[0]] != at[post[1]]
    room.add("a", knows="b")
    room.join("a")
    room.run(15)
    assert deciding(room) == "cd"
    assert room["a"].side.sets.agreed.names == ("b", "c", "d")


def test_a_hold_down_serves_a_part_for_10_seconds() -> None:
    room = counting("abc", OnSplit.HOLD_DOWN)
    split(room, "a", "bc")
    parts = {name: node.side.part for name, node in room.nodes.items()}
    assert parts == {"a": SidePart(1, 3), "b": SidePart(2, 3), "c": SidePart(2, 3)}
    assert deciding(room) == "abc"
    room.run(6)
    assert room["a"].side.share == pytest.approx(1 / 3)
    room.run_until(lambda: all(it.side.part.is_whole for it in room.nodes.values()), within=6)


def test_a_hold_down_is_over_when_the_lost_are_back() -> None:
    room = counting("abc", OnSplit.HOLD_DOWN)
    split(room, "a", "bc")
    room.lost = lambda _: False
    room.run_until(lambda: all(it.side.part.is_whole for it in room.nodes.values()), within=5)


def test_the_optimistic_say_nothing_of_voters() -> None:
    room = Room("abc")
    room.run(3)
    assert not [post for post in room.log if isinstance(post[2], Voters)]
    split(room, "a", "bc")
    room.run(20)
    assert deciding(room) == "abc"


def test_nodes_of_an_older_release_count_though_they_tell_nothing() -> None:
    room = Room(on_split=OnSplit.QUORUM)
    room.lost = lambda post: isinstance(post[2], Voters) and post[0] == "c"
    for name in "abc":
        room.add(name)
        room[name].side._lacks = "c".__eq__
        room.join(name)
    room.run_until(lambda: agrees(room["a"], "abc"))
    room.crash("a")
    room.run(NOTICED_WITHIN)
    assert room["b"].side.decides


def test_what_is_lost_on_its_way_is_asked_for_again() -> None:
    room = Room(on_split=OnSplit.QUORUM)
    lost: list[Post] = []

    def lose(post: Post) -> bool:
        if isinstance(post[2], Voters) and len(lost) < 8:
            lost.append(post)
            return True
        return False

    room.lost = lose
    for name in "ab":
        room.add(name)
        room.join(name)
    room.run_until(lambda: agrees(room["a"], "ab") and agrees(room["b"], "ab"), within=10)
    assert len(lost) == 8


def test_it_says_once_where_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    room = counting("abc")
    with caplog.at_level(logging.WARNING, "sidegate"):
        split(room, "a", "bc")
        room.run(5)
    words = "node a: on the smaller side of a split, decides nothing; it misses b, c"
    assert [it for it in caplog.messages if it.startswith("node a: on the")] == [words]
    assert room["a"].side.losses == 1
    assert room["a"].side.share == 0.0


def test_a_node_of_another_setting_is_named(caplog: pytest.LogCaptureFixture) -> None:
    room = counting("ab")
    room.on_split = OnSplit.HOLD_DOWN
    with caplog.at_level(logging.WARNING, "sidegate"):
        room.add("c")
        room.join("c")
    assert "node a has --on-split quorum, this one hold-down: each goes by its own" in (
        caplog.messages
    )


def test_a_leaf_that_is_suspected_is_no_reason_to_probe_all() -> None:
    room = counting("abc")
    room.add("p", leaf=True)
    room.join("p")
    leaf = room["a"].membership.members["p"]
    room.crash("p")
    room.run_until(lambda: leaf.state is Life.SUSPECT)
    assert not any(room[name].side.is_in_doubt(room.now + SECOND) for name in "abc")


def test_a_leaf_that_says_it_is_on_the_ring_counts_for_nobody() -> None:
    room = counting("abc")
    room.add("p", leaf=True)
    room.join("p")
    room["p"]._apply(room["p"].membership.announce(room.now / SECOND, owner=True), room.now)
    room.run(3)
    assert all(agrees(room[name], "abc") for name in "abc")


@pytest.mark.parametrize("on_split", [OnSplit.QUORUM, OnSplit.HOLD_DOWN])
def test_owners_that_all_start_again_agree_whatever_their_leaves_remember(
    on_split: OnSplit,
) -> None:
    room = counting("abc", on_split)
    room.add("p", leaf=True)
    room.join("p")
    for name in "abc":
        room.crash(name)
    for name in "abc":
        room.add(name)
        room.join(name)
    room.run_until(lambda: all(agrees(room[name], "abc") for name in "abcp"))


def test_a_leaf_counts_by_owners_that_are_all_new() -> None:
    room = counting("b")
    room.add("p", leaf=True)
    room.join("p")
    room.crash("b")
    room.add("a")
    room.join("a")
    room.run_until(lambda: agrees(room["a"], "a") and agrees(room["p"], "a"))
    assert deciding(room) == "pa"
