"""What a node on the ring can do by telling what isn't so: little, and not for long."""

import pytest

from sidegate_ring.membership.members import MAX_LEAVES, MAX_LIVING, MAX_UNHEARD
from sidegate_ring.membership.membership import Life, SwimKind, SwimMessage
from sidegate_ring.membership.messages import (
    LEAF,
    MAX_IN_FULL,
    MAX_INCARNATION,
    MAX_RUMORS,
    MAX_SKEW,
    OWNER,
)
from tests.ring.handful import Handful, T, record, rumor

LEFT, DEAD, ALIVE = Life.LEFT, Life.DEAD, Life.ALIVE
NOW = 1_000  # what clocks show, as the handful's incarnations of 10 go


def joined(names: str) -> Handful:
    """Return nodes that have met, and that believe no incarnation above NOW."""
    room = Handful(names)
    for node in room.nodes.values():
        node.max_incarnation = NOW
        node.believe(hearsay=False)
    return room


@pytest.mark.parametrize("incarnation", [NOW + MAX_SKEW + 1, MAX_INCARNATION])
def test_an_incarnation_far_ahead_of_the_clock_is_nonsense(incarnation: int) -> None:
    """Nobody could refute it for long; who says it is told so, and nothing of it is believed."""
    room = joined("ab")
    with pytest.raises(ValueError, match=f"incarnation {incarnation}.*is a clock wrong"):
        room.tell(room["a"], rumor("x", 5), rumor("b", incarnation, LEFT))
    assert record(room["a"].members["b"]) == (10, ALIVE)
    assert "x" not in room["a"].members


@pytest.mark.parametrize("about", ["a", "b"])
def test_one_a_little_ahead_is_not_believed_and_hurts_nobody(about: str) -> None:
    """Clocks differ a little: whoever passes it on has done nothing wrong."""
    room = joined("ab")
    room.tell(room["a"], rumor(about, NOW + 1, LEFT), rumor("x", 5))
    assert record(room["a"].members["b"]) == (10, ALIVE)
    assert room["a"].me.incarnation == 10
    assert "x" in room["a"].members


@pytest.mark.parametrize("state", [LEFT, DEAD, Life.SUSPECT])
def test_the_highest_that_is_believed_is_refuted_a_second_later(state: Life) -> None:
    """The bound goes with the clock, so the node that it is about is only gone for a moment."""
    room = joined("abc")
    for name in "ac":
        room.do(name, room.tell(room[name], rumor("b", NOW, state)))
    for node in room.nodes.values():
        node.max_incarnation = NOW + 2
    room.run(5.0)
    assert room["b"].me.incarnation == NOW + 1
    assert all(room[name].owners() == ("a", "b", "c") for name in "abc")


def test_a_new_life_outlives_what_was_said_of_the_old_one() -> None:
    """A node that was said to have left for good, and starts again, is on the ring at once."""
    room = joined("ab")
    room.tell(room["a"], rumor("b", NOW, LEFT))
    room.nodes["b"] = room.make("b", incarnation=20)
    for node in room.nodes.values():
        node.max_incarnation = NOW + 2
    room.do("a", room["a"].on_connected("b", room.now))
    room.run(1.0)
    assert room["a"].owners() == ("a", "b")


def test_hearsay_is_bounded() -> None:
    """Of those that never spoke to this node only some are believed in, by whatever message."""
    room = joined("ab")
    names = [f"ghost{i}" for i in range(MAX_IN_FULL)]
    room.tell(room["a"], *map(rumor, names), kind=SwimKind.FULL_STATE)
    for name in names[:MAX_RUMORS]:
        room.tell(room["a"], rumor(name, 5, LEFT))
    assert len(room["a"].members) <= 1 + MAX_UNHEARD


def test_ghosts_that_are_buried_make_no_room_for_others() -> None:
    room = joined("ab")
    for life in range(20):
        for ghost in range(MAX_UNHEARD):
            room.tell(room["a"], rumor(f"ghost{life}-{ghost}", 5))
            room.tell(room["a"], rumor(f"ghost{life}-{ghost}", 5, DEAD))
    assert len(room["a"].members) <= 1 + MAX_UNHEARD
    room.run(T.tombstone + 60)
    room.tell(room["a"], rumor("newcomer", 5))
    assert "newcomer" in room["a"].members


def test_who_speaks_itself_is_believed_whatever_others_have_told() -> None:
    room = joined("ab")
    room.tell(
        room["a"], *(rumor(f"ghost{i}") for i in range(MAX_UNHEARD)), kind=SwimKind.FULL_STATE
    )
    room["a"].step("c", SwimMessage(SwimKind.PING, 1, "", "", [rumor("c")]), room.now)
    assert room["a"].owners() == tuple(sorted({"a", "b", "c", *room["a"].owners()}))
    assert "c" in room["a"].owners()


def test_a_node_that_joins_believes_all() -> None:
    """It knows nobody yet, and has to find its place among all that there are."""
    room = Handful("a")
    for part in range(2):
        told = [rumor(f"n{part}-{i}") for i in range(MAX_IN_FULL)]
        room.tell(room["a"], *told, kind=SwimKind.FULL_STATE)
    assert len(room["a"].living()) == MAX_LIVING


@pytest.mark.parametrize("before", ["", OWNER, LEAF])
@pytest.mark.parametrize("after", [OWNER, LEAF])
def test_who_becomes_something_else_finds_no_more_room_than_a_newcomer(
    before: str, after: str
) -> None:
    room = Handful("a")
    for many in range(4):
        names = [f"n{many}-{i}" for i in range(900)]
        for incarnation, role in enumerate((before, after, after)):  # as it is, and changed since
            told = [rumor(it, 10 + incarnation // 2)._replace(role=role) for it in names]
            room.tell(room["a"], *told, kind=SwimKind.FULL_STATE)
    living = room["a"].living()
    leaves = sum(it.is_leaf for it in living)
    assert leaves <= MAX_LEAVES
    assert len(living) - leaves <= MAX_LIVING


def test_a_leaf_that_an_older_release_tells_of_stays_one() -> None:
    room = Handful("ap", leaves="p")
    room.tell(room["a"], *(rumor(f"n{i}") for i in range(MAX_LIVING)), kind=SwimKind.FULL_STATE)
    room.tell(room["a"], rumor("p", 11, owner=0)._replace(role=""))
    assert record(room["a"].members["p"]) == (11, ALIVE)
    assert room["a"].members["p"].is_leaf


@pytest.mark.parametrize(
    ("kind", "most"), [(SwimKind.RUMORS, MAX_RUMORS), (SwimKind.FULL_STATE, MAX_IN_FULL)]
)
def test_a_message_with_too_many_rumors_is_nonsense(kind: SwimKind, most: int) -> None:
    room = joined("ab")
    room.tell(room["a"], *(rumor(f"x{i}") for i in range(most)), kind=kind)
    with pytest.raises(ValueError, match="rumors in one message"):
        room.tell(room["a"], *(rumor(f"y{i}") for i in range(most + 1)), kind=kind)
