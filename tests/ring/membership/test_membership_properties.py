"""Membership, whatever is said: the order doesn't matter, and nothing that may be breaks it."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring.membership.membership import (
    Life,
    Membership,
    Rumor,
    SwimKind,
    SwimMessage,
    Timing,
)
from tests.ring.handful import record

T = Timing(tombstone=5.0)
NAMES = "abcd"  # a is the node itself

states = st.sampled_from(Life)
incarnations = st.integers(0, 4)


def said(name: str, incarnation: int, state: Life, by: str = "") -> Rumor:
    """Return a rumor; a node changes its address and its part with its incarnation only."""
    return Rumor(name, f"{name}:{incarnation}", incarnation, int(state), incarnation % 2, by)


rumors = st.builds(
    said, st.sampled_from(NAMES), incarnations, states, st.sampled_from(["", *NAMES])
)
messages = st.builds(
    SwimMessage,
    st.sampled_from(SwimKind),
    st.integers(0, 5),
    st.sampled_from(["", *NAMES]),
    st.sampled_from(["", "one", "other"]),
    st.lists(rumors, max_size=6),
)
names = st.sampled_from([*NAMES, "unknown"])
steps = st.one_of(
    st.tuples(st.just("step"), names, messages),
    st.tuples(st.just("tick"), st.floats(0, 3)),
    st.tuples(st.just("met"), names),
    st.tuples(st.just("lost"), names),
    st.tuples(st.just("woke"), st.floats(0, 3)),
    st.tuples(st.just("announce"), st.sampled_from([True, False, None])),
)


def make(seed: int = 0) -> Membership:
    node = Membership(
        "a", "a:1", incarnation=1, randrange=Random(seed).randrange, timing=T, now=0.0, owner=True
    )
    node.digest = "one"
    return node


@given(st.lists(st.builds(said, st.just("b"), incarnations, states), min_size=1), st.data())
def test_rumors_make_the_same_record_in_whatever_order_and_however_often(
    heard: list[Rumor], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(heard)))
    other = data.draw(st.permutations(heard + again))
    records = set[tuple[object, ...]]()
    for order in (heard, other):
        node = make()
        for rumor in [said("b", 0, Life.ALIVE), *order]:
            node.step("x", SwimMessage(SwimKind.RUMORS, 0, "", "", [rumor]), 0.0)
        member = node.members["b"]
        records.add((*record(member), member.owner, member.address))
    assert len(records) == 1
    assert records.pop()[:2] == max((0, 0), *((it.incarnation, it.state) for it in heard))


@given(st.lists(steps, max_size=30), st.integers(0, 3))
def test_nothing_that_may_be_said_or_happen_breaks_a_node(
    steps: list[tuple[object, ...]], seed: int
) -> None:
    node = make(seed)
    now = 0.0
    before = 1
    for what, *args in steps:
        match what, args:
            case "step", [str() as sender, SwimMessage() as gossip]:
                node.step(sender, gossip, now)
            case "tick", [float() as seconds]:
                now += seconds
                node.tick(now)
            case "met", [str() as name]:
                node.on_connected(name, now)
            case "lost", [str() as name]:
                node.on_disconnected(name, now)
            case "woke", [float() as gap]:
                now += gap
                node.on_resume(gap, now)
            case _:
                node.announce(now, owner=bool(args[0]), left=args[0] is None)
        assert node.me.incarnation >= before
        before = node.me.incarnation
        look_into(node)


def look_into(node: Membership) -> None:
    """Check what is to be true at all times."""
    known = node._known
    assert set(node._updates.suspicions) == {
        name for name, it in known.all.items() if it.state == Life.SUSPECT
    }
    assert set(known.living) | set(known._buried) == set(known.all) == set(known.rumors)
    assert not set(known.living) & set(known._buried)
    assert known.rumors == {name: it.rumor for name, it in known.all.items()}
    assert node.me.name not in known.all
    assert len(node._round.names) <= len(
        NAMES
    )  # forgotten ones may still be in it, until their turn
    assert 0 <= node.health <= T.health
    assert node.owners() == tuple(sorted(node.owners()))


@given(st.lists(st.tuples(names, messages), max_size=20))
def test_a_message_leads_to_an_answer_at_most_and_one_exchange_of_everything(
    heard: list[tuple[str, SwimMessage]],
) -> None:
    node = make()
    for sender, gossip in heard:
        sends = node.step(sender, gossip, 0.0).sends
        kinds = [it.kind for _, it in sends]
        assert len(kinds) <= 2
        if len(kinds) == 2:
            assert kinds[1] == SwimKind.PUSH_PULL
        if gossip.kind in {SwimKind.NACK, SwimKind.RUMORS, SwimKind.FULL_STATE}:
            assert not kinds


@given(st.lists(messages, max_size=20))
def test_what_a_node_says_makes_sense_to_another(heard: list[SwimMessage]) -> None:
    node, other = make(), make()
    other.me.name = "z"
    for at, gossip in enumerate(heard):
        outcomes = [
            node.step("b", gossip, float(at)),
            node.tick(at + 0.5),
            node.on_connected("z", at + 0.5),
        ]
        for outcome in outcomes:
            for _, sent in outcome.sends:
                assert (
                    sent.kind in {SwimKind.PUSH_PULL, SwimKind.FULL_STATE}
                    or len(sent.rumors) <= T.rumors
                )
                assert len({it.name for it in sent.rumors}) == len(sent.rumors)
                other.step("a", sent, at + 0.5)
