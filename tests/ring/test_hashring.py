"""The ring: who owns a key, what it tells of itself, what never may change."""

from collections.abc import Callable

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring import Ring
from sidegate_ring.hashring import MAX_WEIGHT
from sidegate_ring.places import seeded
from tests.ring.rings import POINTS, build, collide, hashes, identity, lists, on_five, weights

SEED = bytes(range(32))
keys = st.text(max_size=12)
EVEN = Ring(["6", "4", "2"], points=2, hash=identity)  # points: 2 4 6 102 104 106


# Who owns a key


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("0", "2"),  # before the first point
        ("2", "2"),  # on a point: that point's node
        ("3", "4"),  # between two: the next one's
        ("5", "6"),
        ("6", "6"),
        ("7", "2"),  # 2's second point, 102
        ("103", "4"),
        ("106", "6"),  # the last point
        ("107", "2"),  # past the last: around the circle to the first
    ],
)
def test_a_key_belongs_to_the_next_point_on_the_circle(key: str, owner: str) -> None:
    assert EVEN.owner(key) == owner


def test_the_backups_are_the_next_other_nodes_on_the_circle() -> None:
    assert EVEN.owners("5", 3) == ("6", "2", "4")
    assert EVEN.owners("105", 2) == ("6", "2")
    # points: 2 4 5 6 102 104 105 106
    assert EVEN.with_node("5").owners("5", 3) == ("5", "6", "2")


def test_weight_is_a_number_of_points() -> None:
    # points: 2 4 104 204
    ring = Ring({"2": 1, "4": 3}, points=1, hash=identity)
    assert [ring.owner(key) for key in ("1", "3", "104", "204", "205")] == ["2", "4", "4", "4", "2"]


def test_a_ring_without_nodes_has_no_owner_and_says_so() -> None:
    with pytest.raises(LookupError, match="nobody owns 'user:1': the ring has no nodes"):
        Ring([]).owner("user:1")
    assert Ring([]).owners("user:1", 2) == ()
    assert Ring([]).share("alpha") == 0


@given(weights, keys, st.integers(0, 10), hashes)
def test_owners_are_different_nodes_and_the_first_is_the_owner(
    nodes: dict[str, int], key: str, n: int, place: Callable[[str], int]
) -> None:
    ring = build(nodes, place)
    owners = ring.owners(key, n)
    assert len(owners) == len(set(owners)) == min(n, len(nodes))
    assert set(owners) <= set(nodes)
    assert owners[:1] == (ring.owner(key),)[:n]


def test_a_walk_goes_once_around_the_circle_to_each_node() -> None:
    assert list(EVEN.walk("5")) == ["6", "2", "4"]
    assert list(EVEN.walk("107")) == ["2", "4", "6"]  # past the last point
    assert list(Ring().walk("5")) == []


@pytest.mark.parametrize(
    ("nodes", "pair"),
    [
        ([], ("", "")),  # nobody owns it
        (["4"], ("4", "")),  # one node has no backup, however often it comes on the circle
        (["4", "2"], ("2", "4")),
        (["2", "3", "4"], ("2", "3")),
    ],
)
def test_the_pair_is_empty_where_there_is_no_node(nodes: list[str], pair: tuple[str, str]) -> None:
    # points at most: 2 3 4 102 103 104
    assert Ring(nodes, points=2, hash=identity).pair("1") == pair


def test_of_two_nodes_on_one_position_the_first_by_name_owns_and_the_other_backs_up() -> None:
    """Also for who is asked first about another key, and for a ring that grew."""
    ring = Ring(["b", "c"], points=1, hash=on_five).with_node("a")
    for key in ("x", "y"):
        assert ring.pair(key) == ("a", "b")
        assert list(ring.walk(key)) == ["a", "b", "c"]


@given(st.data(), weights, keys, st.sampled_from([1, 2, 5, POINTS]), hashes)
def test_walk_and_pair_are_the_beginning_of_owners(
    data: st.DataObject, nodes: dict[str, int], key: str, points: int, place: Callable[[str], int]
) -> None:
    """Whether the ring was built at once or a node has come or gone since it was asked last."""
    ring = Ring(nodes, points=points, hash=place)
    name = data.draw(st.sampled_from(sorted(nodes)))
    for it in (ring, ring.without_node(name), ring.with_node(f"{name}+"), Ring(points=points)):
        owners = it.owners(key, len(it))
        assert list(it.walk(key)) == list(owners)
        some = [key, f"{key}+", key]
        for _ in range(2):  # also of keys that were looked up before
            assert it.pairs(some) == [it.pair(one) for one in some]
        for node in it.nodes:
            owned = [it.owner(one) == node for one in some]
            assert it.surely_owns(node, [(one, 1) for one in some]) == all(owned)
            assert not it.surely_owns(node, [(f"{key}-", 1)])  # nobody has looked it up
        assert it.pair(key) == (*owners, "", "")[:2]
        for n in range(3):
            assert it.owners(key, n) == owners[:n]


# What never may change


def initials(ring: Ring) -> list[str]:
    """Return the owner, the backup and the third node of some keys, by their first letters."""
    keys = ["user:1", "user:2", "user:4", "10.0.0.1", "api:é", "k" * 512, ""]
    return ["".join(node[0] for node in ring.owners(key, 3)) for key in keys]


def test_golden_vectors() -> None:
    """Nodes of different releases agree on the owner of every key and on the ring's digest.

    These may never change. While a cluster is upgraded node by node, a release that computes
    another owner for a key has its own bucket for it: limits are granted twice, and each half of
    the cluster forwards to the other. If you must change them, raise the version of the wire
    protocol, so that the two releases refuse each other instead of disagreeing in silence.
    """
    ring = Ring(["alpha", "beta", "gamma"])
    assert ring.digest == "eb83d9160415c8da"
    assert initials(ring) == ["gab", "gba", "abg", "bag", "bag", "bga", "abg"]


def test_golden_vectors_with_weights_and_other_names() -> None:
    """As above, for what the first ring has not: weights, other points, names beyond ASCII."""
    ring = Ring({"alpha": 1, "beta": 2, "été 🂡": 3}, points=64)
    assert ring.digest == "55f23829d95a1730"
    assert [ring.owner(f"user:{i}")[0] for i in range(8)] == list("éaébéééé")


def test_golden_vectors_with_a_seed() -> None:
    """As above, for keys on a ring with a seed; its nodes stand where they stand without one."""
    ring = Ring(["alpha", "beta", "gamma"], key_hash=seeded(SEED))
    assert ring.digest == "6fac1ef7da9524bf"
    assert initials(ring) == ["bga", "abg", "agb", "agb", "gba", "gab", "bag"]
    assert lists(ring) == lists(Ring(["alpha", "beta", "gamma"]))


def test_a_hash_that_leaves_the_circle_is_refused() -> None:
    """This is what would have caught the signed hash."""
    with pytest.raises(ValueError, match="it leaves the circle"):
        Ring(["alpha"], hash=lambda text: mmh3.hash64(text, signed=True)[0])
    with pytest.raises(ValueError, match="it leaves the circle"):
        Ring(["alpha"], hash=mmh3.hash128)


def test_a_name_that_ends_in_a_digit_shares_no_points_with_another() -> None:
    """Joined without a separator, node1's 11th point would be node11's 1st."""
    ring = Ring(["node", "node1", "node11", "node#1"])
    assert len(set(lists(ring)[0])) == len(lists(ring)[0])


# The digest, and what a ring tells of itself


@given(weights, weights)
def test_digests_are_equal_where_the_rings_are(one: dict[str, int], other: dict[str, int]) -> None:
    assert (build(one).digest == build(other).digest) == (one == other)
    assert (build(one) == build(other)) == (one == other)


def test_the_digest_tells_points_and_hash_apart() -> None:
    rings = [
        Ring(["alpha", "beta"], points=POINTS),
        Ring(["alpha", "beta"], points=POINTS + 1),
        Ring(["alpha", "beta"], points=POINTS, hash=collide),
        Ring({"alpha": 2, "beta": 1}, points=POINTS),
        Ring(["alpha, beta"], points=POINTS),
        Ring(["alpha", "beta"], points=POINTS, key_hash=seeded(SEED)),
        Ring(["alpha", "beta"], points=POINTS, key_hash=seeded(SEED[::-1])),
        Ring(["alpha", "beta"], points=POINTS, key_hash=collide),
    ]
    assert len({ring.digest for ring in rings}) == len(set(rings)) == len(rings)


def test_a_ring_is_a_collection_of_names() -> None:
    ring = Ring(["gamma", "alpha", "beta", "alpha"])
    assert ring.nodes == ("alpha", "beta", "gamma")
    assert len(ring) == 3
    assert "alpha" in ring
    assert "delta" not in ring
    assert Ring({"alpha": 3}).weight("alpha") == 3
    assert ring.weight("delta") == 0
    assert ring != "alpha"
    assert repr(ring) == "<Ring of 3 nodes, eb83d9160415c8da>"


@pytest.mark.parametrize(
    ("nodes", "points", "text"),
    [
        ([""], 1, "a node's name is empty"),
        ({"alpha": 0}, 1, "'alpha' weighs 0, not 1 to 100"),
        ({"alpha": -1}, 1, "'alpha' weighs -1"),
        ({"alpha": MAX_WEIGHT + 1}, 1, "'alpha' weighs 101"),
        (["alpha"], 0, "points=0"),
    ],
)
def test_a_bad_option_is_named(nodes: list[str] | dict[str, int], points: int, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Ring(nodes, points=points)


def test_a_bad_weight_is_refused_in_a_change_too() -> None:
    with pytest.raises(ValueError, match="'beta' weighs 101"):
        Ring(["alpha"], points=1).with_node("beta", 101)


def test_one_text_is_not_taken_for_names_of_one_letter() -> None:
    with pytest.raises(TypeError, match="'alpha': one text"):
        Ring("alpha")
