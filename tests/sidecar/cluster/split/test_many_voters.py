"""Sides of large clusters: what it costs to know of all who count, and to look who is there."""

from random import Random
from time import perf_counter

from sidegate.protocol.standing_messages import MAX_VOTERS, OnSplit, Voters
from sidegate_ring.membership.membership import Membership, Rumor, SwimKind, SwimMessage
from sidegate_ring.membership.messages import OWNER
from sidegate_sidecar.cluster.split.side import Side


def side_of(names: list[str], on_split: OnSplit) -> Side:
    """Return the side of the first of these nodes, on which all others are alive."""
    me, *others = names
    randrange = Random(0).randrange
    membership = Membership(me, "h:1", incarnation=1, randrange=randrange, now=0.0, owner=True)
    for name in others:
        rumor = Rumor(name, f"{name}:1", 1, 0, 1, role=OWNER)
        membership.step(name, SwimMessage(SwimKind.RUMORS, 0, "", "", [rumor]), 0.0)
    return Side(on_split, membership, lambda _: False, lambda _are_back, _now: None, 0)


def told(names: list[str]) -> Side:
    """Return a side whose nodes have all told that they agree; each text is one of its own."""
    side = side_of(names, OnSplit.QUORUM)
    for name in names[1:]:
        agreed = 1, tuple("".join(it) for it in names)
        side.hear(name, Voters("quorum", agreed, [], ()))
    side.look(0)
    assert side.sets.agreed.names == tuple(names)
    assert not side.lost
    return side


def named(count: int) -> list[str]:
    return [f"node-{at:04d}" for at in range(count)]


def looking(side: Side) -> float:
    """Return the least time of a few looks."""
    times: list[float] = []
    for now in range(5):
        began = perf_counter()
        side.look(now)
        times.append(perf_counter() - began)
    return min(times)


def test_a_look_costs_as_much_for_each_node_of_a_thousand_as_of_fifty() -> None:
    """It would be 20 times as much if each were looked for in a list of all."""
    assert looking(told(named(1_000))) < 20 * 5 * looking(told(named(50)))


def test_a_set_that_all_have_told_is_held_once() -> None:
    side = told(named(20))
    assert len({id(it.agreed) for it in side._told.values()}) == 1


def test_who_goes_on_whatever_happens_holds_nothing_of_what_others_count() -> None:
    side = side_of(named(2), OnSplit.OPTIMISTIC)
    for second in range(5):
        gone = tuple(f"x{second}-{at}" for at in range(MAX_VOTERS))
        side.hear("node-0001", Voters("quorum", (1, gone), [(2, gone)], gone))
        side.tick(second * 10**9)
    assert not side.sets.gone
    assert "x0-0" not in repr(side._told)
