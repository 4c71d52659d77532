"""Greetings: nodes that links come up to are asked for everything, as long as that tells more."""

from math import log2

from sidegate_ring.membership.membership import SwimKind
from sidegate_ring.membership.parameters import LEAST_EXCHANGES, exchanges_wanted
from tests.ring.handful import Handful, rumor


def greeted(nodes: Handful, count: int) -> list[SwimKind]:
    """Return what node a says to nodes that it is linked to, one after the other."""
    said: list[SwimKind] = []
    for at in range(count):
        [(to, gossip)] = nodes["a"].on_connected(f"n{at}", nodes.now).sends
        assert to == f"n{at}"
        assert gossip.rumors[0].name == "a"
        said.append(SwimKind(gossip.kind))
    return said


def test_a_few_are_asked_for_everything_and_others_for_themselves() -> None:
    nodes = Handful("ab")
    said = greeted(nodes, 20)
    assert said == [SwimKind.PUSH_PULL] * LEAST_EXCHANGES + [SwimKind.PING] * 12


def test_who_knows_nobody_yet_asks_no_more_of_them_for_everything() -> None:
    """Where all start at a time links come up before anybody has said a word."""
    nodes = Handful("a")
    said = greeted(nodes, 20)
    assert said == [SwimKind.PUSH_PULL] * LEAST_EXCHANGES + [SwimKind.PING] * 12


def test_who_has_lost_all_others_begins_anew() -> None:
    nodes = Handful("ab")
    greeted(nodes, 20)
    nodes.do("b", nodes["b"].announce(nodes.now, left=True))
    assert greeted(nodes, 1) == [SwimKind.PUSH_PULL]


def test_a_greeting_tells_who_one_is_and_hears_who_the_other_is() -> None:
    nodes = Handful("ab")
    greeted(nodes, LEAST_EXCHANGES)
    nodes.nodes["c"] = nodes.make("c")
    nodes.forget()
    nodes.do("a", nodes["a"].on_connected("c", nodes.now))
    assert nodes["c"].members["a"].rumor == rumor("a")
    assert nodes["a"].members["c"].rumor == rumor("c")


def test_exchanges_grow_with_the_logarithm_of_the_cluster() -> None:
    assert [exchanges_wanted(nodes) for nodes in (0, 10, 63, 64, 200, 1_000)] == [
        8,
        8,
        8,
        9,
        10,
        12,
    ]
    assert exchanges_wanted(200) < 2 * log2(200)
