"""Leaves: they have to do with owners only, and are missed, told and counted all the same."""

from collections import Counter

import pytest

from sidegate_ring.membership.care import keeper_of
from sidegate_ring.membership.membership import Life, SwimKind, SwimMessage
from sidegate_ring.membership.messages import Rumor, role_of
from tests.ring.handful import Handful, T, rumor

OWNERS, LEAVES = "abc", "pqrstuvw"
PING = SwimKind.PING


def fleet() -> Handful:
    return Handful(OWNERS + LEAVES, leaves=LEAVES)


def test_no_leaf_says_anything_to_another_nor_is_told_of_one() -> None:
    nodes = fleet()
    nodes.run(30.0)
    nodes.do("a", nodes["a"].announce(nodes.now))
    nodes.do("p", nodes["p"].announce(nodes.now))
    nodes.run(2.0)
    assert nodes.log
    for sender, to, gossip in nodes.log:
        assert sender in OWNERS or to in OWNERS
        told = {it.name for it in gossip.rumors} - {sender, to}
        assert to in OWNERS or not told & {*LEAVES}
    assert all({*nodes[leaf].members} == {*OWNERS} for leaf in LEAVES)


def test_a_leaf_pings_its_keeper_which_sends_no_pings_of_its_own() -> None:
    nodes = fleet()
    nodes.run(20.0)
    pings = Counter((by, to) for by, to, it in nodes.log if it.kind == PING)
    for leaf in LEAVES:
        assert {to for by, to in pings if by == leaf} == {keeper_of(leaf, OWNERS)}
        assert 35 <= sum(count for (by, _), count in pings.items() if by == leaf) <= 41
    assert not any(to in LEAVES for _, to in pings)


def test_a_leaf_is_not_busy_with_its_ping() -> None:
    nodes = fleet()
    nodes.run(5.0)
    leaf, owner = nodes["p"], nodes["a"]
    nodes.run_until(lambda: not (leaf.is_busy or owner.is_busy))
    leaf.doubt("a", nodes.now)
    owner.doubt("b", nodes.now)
    assert (leaf.is_busy, owner.is_busy) == (False, True)


def test_leaves_are_shared_among_all_owners() -> None:
    kept = Counter(keeper_of(f"pod-{at}", [f"n{it}" for it in range(10)]) for at in range(1_000))
    assert len(kept) == 10
    assert max(kept.values()) < 140
    assert keeper_of("pod", []) == ""


@pytest.mark.parametrize("victim", [*LEAVES[:3]])
def test_a_leaf_that_is_silent_is_found_dead_as_soon_as_an_owner(victim: str) -> None:
    nodes = fleet()
    nodes.deaf.add(victim)
    lasts = T.suspicion * T.probe_every  # the least time: who tried in vain for its keeper confirms
    nodes.run(T.probe_every * 4 + lasts, only=OWNERS + LEAVES.replace(victim, ""))
    assert all(nodes.state(victim, by) is Life.DEAD for by in OWNERS)


def test_what_becomes_of_owners_reaches_all_leaves_at_once() -> None:
    nodes = fleet()
    nodes.do("a", nodes["a"].announce(nodes.now, owner=False))
    nodes.forget()
    nodes.run(T.news_every * 2)
    assert all(not nodes[leaf].members["a"].owner for leaf in LEAVES)
    nodes.deaf.add("a")
    nodes.tell(nodes["b"], rumor("a", 11, Life.DEAD, by="x"))
    nodes.run(1.0)
    assert all(nodes.state("a", leaf) is Life.DEAD for leaf in LEAVES)


def test_a_leaf_that_missed_what_it_was_told_asks_when_its_keeper_has_another_ring() -> None:
    nodes = fleet()
    leaf, keeper = LEAVES[0], keeper_of(LEAVES[0], OWNERS)
    gone = next(name for name in OWNERS if name != keeper)
    nodes.deaf.add(gone)
    for name in OWNERS.replace(gone, ""):
        nodes.tell(nodes[name], rumor(gone, 11, Life.DEAD, by="x"))
    nodes.deaf.add(leaf)
    nodes.run(T.news_every * 3, only=OWNERS)
    nodes.deaf.discard(leaf)
    assert nodes.state(gone, leaf) is Life.ALIVE
    for name in OWNERS + LEAVES:
        nodes[name].digest = "old" if name == leaf else "new"
    nodes.run(2.0)
    assert nodes.state(gone, leaf) is not Life.ALIVE
    assert len(nodes.said(SwimKind.PUSH_PULL, leaf)) <= 2


def test_a_leaf_whose_keeper_died_has_another_and_is_still_missed() -> None:
    nodes = fleet()
    leaf = LEAVES[0]
    keeper = keeper_of(leaf, OWNERS)
    left = OWNERS.replace(keeper, "")
    nodes.deaf.add(keeper)
    nodes.run(10.0, only=left + LEAVES)
    nodes.forget()
    nodes.run(2.0, only=left + LEAVES)
    assert nodes.said(PING, leaf, keeper_of(leaf, left))
    nodes.deaf.add(leaf)
    nodes.run(7.0, only=left + LEAVES.replace(leaf, ""))
    assert all(nodes.state(leaf, by) is Life.DEAD for by in left)


def test_a_leaf_that_woke_refutes_its_death() -> None:
    nodes = fleet()
    leaf = LEAVES[0]
    nodes.deaf.add(leaf)
    nodes.run(8.0, only=OWNERS + LEAVES.replace(leaf, ""))
    assert all(nodes.state(leaf, by) is Life.DEAD for by in OWNERS)
    nodes.deaf.discard(leaf)
    nodes[leaf].on_resume(8.0, nodes.now)
    nodes.run(3.0)
    assert all(nodes.state(leaf, by) is Life.ALIVE for by in OWNERS)


def test_owners_that_stood_still_blame_no_leaf() -> None:
    nodes = fleet()
    nodes.run(8.0, only="")
    for name in OWNERS:
        nodes[name].on_resume(8.0, nodes.now)
    nodes.forget()
    nodes.run(3.0)
    assert not any(who in LEAVES and state is Life.SUSPECT for _, who, state in nodes.changed)


def before_level_4(gossip: SwimMessage) -> SwimMessage:
    """Return what a node of the release before makes of it."""
    return gossip._replace(rumors=[it._replace(role="") for it in gossip.rumors])


def test_what_an_older_release_passes_on_unsays_nothing() -> None:
    nodes = fleet()
    renewed = Rumor("p", "p:4222", 20, 0, 0)
    nodes.tell(nodes["a"], renewed)
    assert nodes["a"].members["p"].is_leaf
    assert nodes["a"].members["p"].incarnation == 20
    nodes.tell(nodes["a"], renewed._replace(claim=9 << 30))  # another process: nobody knows
    assert not nodes["a"].members["p"].is_leaf


def test_a_leaf_links_to_others_as_long_as_an_owner_does_not_know_of_leaves() -> None:
    """And lets go of them when the last such owner has gone."""
    nodes = Handful("pa", leaves="p")
    leaf = nodes["p"]
    old = Rumor("o", "o:4222", 10, 0, 1)
    other = Rumor("q", "q:4222", 10, 0, 0)
    nodes.tell(leaf, old, other)
    assert {it.name for it in leaf.living()} == {*"aoq"}
    leaf.step("q", SwimMessage(4, 0, "", "", [other._replace(role="leaf")]), nodes.now)
    assert leaf.members["q"].is_leaf
    changed = leaf.step(
        "o", SwimMessage(4, 0, "", "", [old._replace(incarnation=11, state=3)]), nodes.now
    ).changed
    assert ("q", Life.LEFT) in {(it.name, it.state) for it in changed}
    assert {it.name for it in leaf.living()} == {"a"}
    assert "q" not in leaf.members


def test_zones_are_those_of_owners_that_have_one() -> None:
    nodes = Handful("ab")
    role = role_of(leaf=False, zone="eu-1")
    nodes.tell(nodes["a"], rumor("c")._replace(role=role), rumor("d", owner=0)._replace(role=role))
    assert nodes["a"].owners() == ("a", "b", "c")
    assert nodes["a"].zones() == {"c": "eu-1"}


@pytest.mark.parametrize("role", ["leaves", "owner\neu", "owner " + "z" * 65, "Owner"])
def test_a_role_that_is_none_is_an_error(role: str) -> None:
    nodes = Handful("ab")
    with pytest.raises(ValueError, match="role"):
        nodes.tell(nodes["a"], rumor("c")._replace(role=role))
    assert "c" not in nodes["a"].members
