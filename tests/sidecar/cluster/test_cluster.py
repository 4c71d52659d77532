"""Cluster: the stages of a node, from its start to its end, and what it does in each."""

import pytest

from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.protocol.messages import Buckets, Gossip
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Life, SwimKind
from sidegate_sidecar.cluster.cluster import Cluster, Stage
from sidegate_sidecar.cluster.routes.rings import SAMPLE
from tests.sidecar.cluster.owners import KEYS, charged, enter
from tests.support.in_memory.clusters import Room

# To die


def test_when_a_node_is_dead_each_of_its_buckets_has_two_holders_again() -> None:
    room = charged("abcd")
    room.crash("b")
    room.run_until(lambda: room["a"].ring.nodes == ("a", "c", "d"))
    room.run(1)
    for key in KEYS:
        assert set(room["a"].ring.pair(key)) <= room.holders(key)
    assert len({room[name].ring.digest for name in "acd"}) == 1


def test_a_node_that_starts_again_under_its_old_name_has_its_buckets_again() -> None:
    """However quickly: it may not have been missed."""
    room = charged("abc")
    room.crash("b")
    enter(room, "b")
    room.run(0.5)
    for key in KEYS:
        assert set(Ring(["a", "b", "c"]).pair(key)) <= room.holders(key)
    assert all(room[name].ring.nodes == ("a", "b", "c") for name in "abc")


# To hear of others only


def backup_of(owner: str, names: str) -> tuple[Room, Cluster, str]:
    """Return a settled room, its node a, and a key whose backup that is."""
    room = Room(names)
    room.run(0.5)
    node = room["a"]
    return room, node, next(key for key in KEYS if node.ring.pair(key) == (owner, "a"))


def test_who_hears_of_an_owner_by_others_only_is_no_backup_of_it_until_it_has_confirmed() -> None:
    room, node, backed_up = backup_of("c", "abc")
    assert node.decides(backed_up)
    room.links.discard(frozenset("ac"))
    node.doubt("c", room.now)
    room.deliver()
    assert node.vouchers.way_to("c", room.now, node.transport.is_up) == "b"
    assert not node.decides(backed_up)
    room.connect("a", "c")
    room.run_until(lambda: node.decides(backed_up), within=1)


def test_a_backup_decides_for_an_owner_that_nobody_hears_of() -> None:
    room, node, backed_up = backup_of("c", "abc")
    room.crash("c")
    node.doubt("c", room.now)
    room.deliver()
    assert node.vouchers.way_to("c", room.now, node.transport.is_up) == ""
    assert node.decides(backed_up)


def test_who_was_taken_for_dead_holds_no_copy_until_it_is_confirmed() -> None:
    """Whoever gave it up has dropped what it had to send."""
    room, node, backed_up = backup_of("b", "ab")
    me = node.membership.me
    former = ("a", me.address, me.incarnation + 1, int(Life.DEAD), 1, "b", me.claim - 1)
    node.step("b", Gossip(int(SwimKind.RUMORS), 0, "", "", [former]), room.now)
    assert node.decides(backed_up)
    dead = ("a", me.address, me.incarnation, int(Life.DEAD), 1, "b", me.claim)
    node.step("b", Gossip(int(SwimKind.RUMORS), 0, "", "", [dead]), room.now)
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
    message = Gossip(int(SwimKind.RUMORS), 0, "", "", rumors)
    room["a"].step("b", message, room.now, host)
    members = room["a"].membership.members
    assert members["b"].address == address
    assert members["c"].address == "0.0.0.0:5"


def test_a_node_is_introduced_to_those_that_have_told_it_everything() -> None:
    room = Room("ab")
    assert room["a"].met.introduced == {"b"}
    assert room["b"].met.introduced == {"a"}
    room.disconnect("a", "b")
    assert room["a"].met.introduced == set()


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
        Gossip(int(SwimKind.RUMORS), 0, "", "", [("c", "c:1", 7, 9, 1, "", 0)]),
        Buckets(1, [("1/fortnight", ["key"], [1])]),
    ):
        with pytest.raises(ValueError, match=r"state 9|fortnight"):
            room["a"].step("b", message, room.now)
    assert room["a"].ring is ring
    assert len(room["a"].table) == 0


# What is held


def test_held_counts_the_buckets_that_are_its_own_and_those_of_which_it_is_the_backup() -> None:
    room = charged("abc")
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
