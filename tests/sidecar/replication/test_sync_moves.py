"""Sync when nodes come, leave and crash: each bucket gets to those who hold it then."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidegate.protocol.messages import Buckets, Merged, Part, Pull, Pulled
from sidegate_sidecar.replication.flush import FLUSH_EVERY, FLUSH_SLICE
from sidegate_sidecar.replication.outgoing.outbox import BATCH, CHANGES, RESEND_AFTER
from sidegate_sidecar.replication.outgoing.outboxes import WALK_WAITS_AT
from sidegate_sidecar.replication.rebalance import SLICE
from tests.support.in_memory.syncs import MS, Syncs, key_of, nothing, only, ring_of

KEYS = [f"key{at}" for at in range(60)]
QUICK = "100/second"  # a token is back after 10 ms, before anyone notices that a node is gone


# Pulls


def test_a_newcomer_has_all_that_it_will_own_before_it_takes_its_place() -> None:
    nodes = Syncs("abc")
    nodes.charge_all(KEYS, "abc")
    nodes.settle()
    nodes.log.clear()
    nodes.add("d")
    nodes.pull("d", "abc")
    assert nodes["d"].waiting == set("abc")
    nodes.settle()
    owned = {key for key in KEYS if ring_of("abcd").owner(key) == "d"}
    assert owned
    assert nodes.rows() == dict.fromkeys(owned, 1)
    assert {key for key in KEYS if "d" in nodes.holders(key)} == owned
    assert nodes["d"].waiting == set()


def test_a_newcomer_is_sent_each_change_of_what_it_will_own() -> None:
    """Short debts too: on the ring it decides with what it was sent."""
    nodes = Syncs("ab")
    nodes.add("c")
    nodes.pull("c", "ab")
    nodes.settle()
    key = next(key for key in KEYS if ring_of("abc").pair(key) == ("c", "a"))
    nodes.log.clear()
    nodes.now += FLUSH_EVERY
    nodes.charge(ring_of("ab").owner(key), key, QUICK)
    nodes.tick()
    assert nodes.rows(to="c") == {key: 1}


def test_changes_for_a_newcomer_are_placed_in_small_pieces_and_sent_in_full_messages() -> None:
    """Whether it will own a key is asked for each, and a check may wait for a piece."""
    nodes = Syncs("a")
    nodes.add("b")
    nodes.pull("b", "a")
    nodes.settle()
    for at in range(8 * BATCH):
        nodes.charge("a", f"many{at}")
    nodes.log.clear()
    nodes.tick(FLUSH_EVERY // MS)
    assert nodes["a"]._flush._left == 8 * BATCH - FLUSH_SLICE // 4
    while not nodes["a"].idle:
        nodes.tick()
    messages = [message for _, _, message in nodes.sent("a", "b")]
    sizes = [len(keys) for it in messages if isinstance(it, Buckets) for _, keys, _ in it.groups]
    owned = [at for at in range(8 * BATCH) if ring_of("ab").owner(f"many{at}") == "b"]
    assert sum(sizes) == len(owned)
    assert min(sizes[:-1]) >= BATCH
    assert max(sizes) <= CHANGES


def test_pulled_is_said_when_all_that_was_sent_has_been_merged() -> None:
    """Not while a message may yet have to be sent again."""
    nodes = Syncs("ab")
    count = 3 * BATCH
    for at in range(count):
        nodes.charge("a", f"many{at}")
    nodes.settle()
    nodes.log.clear()
    nodes.add("c")
    nodes.lost = only(Merged)
    nodes.pull("c", "a")
    for _ in range(20):
        nodes.tick(10)
    assert nodes.sent("a", "c")
    assert nodes.sent("a", "c", Pulled) == []
    nodes.lost = nothing
    nodes.tick(RESEND_AFTER // MS)
    nodes.settle()
    assert len(nodes.sent("a", "c", Pulled)) == 1
    kinds = [type(message) for sender, to, message in nodes.log if {sender, to} == {"a", "c"}]
    assert kinds[-2:] == [Merged, Pulled]


def test_a_newcomer_has_its_changes_before_the_walk_for_its_copies_is_over() -> None:
    """So it decides about its own keys, and others needn't do so in its place."""
    nodes = Syncs("ab")
    for at in range(20 * BATCH):
        nodes.charge("a", f"many{at}")
    nodes.settle()
    nodes.add("c")
    nodes.pull("c", "ab")
    nodes.settle()
    key = next(
        it for it in KEYS if (ring_of("ab").owner(it), ring_of("abc").owner(it)) == ("a", "c")
    )
    nodes.charge("a", key)
    nodes.ring_is("abc")
    nodes.pull("c", "ab", Part.REST)
    while nodes["c"].waiting:
        nodes.tick()
    assert nodes["a"]._walk.to_do
    assert nodes.tokens("c", key) == 1
    assert not nodes["c"].copies.is_settled
    nodes.settle()


def test_the_rest_is_only_what_was_not_sent_yet() -> None:
    nodes = Syncs("ab")
    nodes.charge_all(KEYS, "ab")
    nodes.settle()
    nodes.log.clear()
    key = key_of("ab", "a", "b")
    nodes.charge("a", key)
    nodes.pull("b", "ab", Part.REST)
    nodes.deliver()
    assert nodes.rows() == {key: 1}
    assert nodes["b"].waiting == set()


def test_a_pull_of_nothing_is_answered_when_what_was_on_its_way_is_merged() -> None:
    nodes = Syncs("ab")
    nodes.pull("b", "ab", Part.NOTHING)
    nodes.deliver()
    assert nodes["b"].waiting == set()
    assert nodes.rows() == {}


def test_all_can_be_pulled_again_by_a_node_that_is_on_the_ring() -> None:
    """And that it did so doesn't make it a newcomer for ever."""
    nodes = Syncs("abc")
    nodes.charge_all(KEYS, "abc")
    nodes.settle()
    nodes.log.clear()
    nodes.pull("c", "abc", Part.ALL)
    nodes.settle()
    ring = ring_of("abc")
    assert set(nodes.rows(to="c")) == {key for key in KEYS if ring.owner(key) == "c"}
    assert nodes["c"].waiting == set()
    assert nodes["a"]._walk.pullers == {}


def test_the_answer_to_an_earlier_pull_is_not_taken_for_that_to_the_last() -> None:
    nodes = Syncs("ab")
    first, second = (nodes["a"].pull(["b"], Part.ALL)[0][1] for _ in range(2))
    assert isinstance(first, Pull)
    assert isinstance(second, Pull)
    nodes["a"].step("b", Pulled(first.id), nodes.now)
    assert nodes["a"].waiting == {"b"}
    nodes["a"].step("b", Pulled(second.id), nodes.now)
    assert nodes["a"].waiting == set()


@pytest.mark.parametrize("how", ["unreachable", "gone"])
def test_nothing_is_expected_from_a_node_that_breaks_off_but_it_is_remembered(how: str) -> None:
    """Somebody else has to be asked for its part."""
    nodes = Syncs("abc")
    nodes["a"].pull("bc", Part.ALL)
    assert not nodes["a"].pulling.missed
    if how == "gone":
        nodes["a"].gone("b")
    else:
        nodes["a"].unreachable("b", nodes.now)
    assert (nodes["a"].waiting, nodes["a"].pulling.missed) == ({"c"}, {"b"})
    nodes["a"].pull("c", Part.REST)
    assert not nodes["a"].pulling.missed


def test_nobody_is_asked_who_cant_be_reached() -> None:
    nodes = Syncs("abc")
    nodes.cut.add(frozenset("ab"))
    assert [name for name, _ in nodes["a"].pull("bc", Part.ALL)] == ["c"]


def test_a_walk_waits_for_a_node_that_is_slow_to_merge() -> None:
    """So what it has found takes a megabyte, whatever there is to find."""
    nodes = Syncs("ab")
    for at in range(3 * WALK_WAITS_AT):
        nodes.charge("a", f"many{at}")
    nodes.settle()
    nodes.lost = only(Merged)
    nodes.remove("b")
    nodes.add("c")
    nodes.ring_is("ac")
    most = 0
    for _ in range(400):
        nodes.tick()
        most = max(most, nodes["a"]._outboxes.of("c").waiting)
    assert WALK_WAITS_AT < most <= WALK_WAITS_AT + SLICE
    assert not nodes["a"].working
    assert not nodes["a"].idle
    nodes.lost = nothing
    nodes.tick(RESEND_AFTER // MS)
    nodes.settle()
    assert len(nodes.tables["c"]) == 3 * WALK_WAITS_AT


# Repair


def test_after_a_crash_each_bucket_has_two_holders_again() -> None:
    nodes = Syncs("abcd")
    nodes.charge_all(KEYS, "abcd")
    nodes.settle()
    nodes.remove("b")
    nodes.ring_is("acd")
    nodes.settle()
    for key in KEYS:
        assert set(ring_of("acd").pair(key)) <= nodes.holders(key)


def test_what_waited_for_a_node_that_left_the_ring_is_dropped() -> None:
    nodes = Syncs("abc")
    nodes.cut.add(frozenset("ab"))
    nodes.charge("a", key_of("abc", "a", "b"))
    nodes.settle()
    assert "b" in nodes["a"]._outboxes
    nodes.ring_is("ac")
    assert "b" not in nodes["a"]._outboxes


events = st.lists(
    st.tuples(st.sampled_from(["join", "leave", "crash"]), st.integers(0, 9)),
    min_size=1,
    max_size=2,
)


@given(st.lists(events, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_no_count_is_lost_while_nodes_come_and_go(
    script: list[list[tuple[str, int]]], random: Random
) -> None:
    """Two may come, or leave, or one of each, at the same time, and one at a time may crash."""
    nodes, ring = Syncs("abcd"), "abcd"
    spare = list("efghijkl")
    spent = dict.fromkeys(KEYS, 0)
    for changes in script:
        for key in random.sample(KEYS, 20):
            nodes.charge_all([key], ring)
            spent[key] += 1
        nodes.settle()
        ring = change(nodes, ring, changes, spare, random)
        for key in KEYS:
            if spent[key]:
                holders = {it for it in ring_of(ring).pair(key) if it}
                assert holders <= nodes.holders(key, spent[key])


def change(
    nodes: Syncs, ring: str, changes: list[tuple[str, int]], spare: list[str], random: Random
) -> str:
    """Have nodes come and go, and each hear of it in its own time; return the ring after it."""
    steps: list[str] = []
    crashed = False
    for what, at in changes:
        name = ring[at % len(ring)]
        if what == "join" and spare:
            newcomer = spare.pop()
            nodes.add(newcomer)
            nodes.ring_is(ring, seen_by=newcomer)
            nodes.pull(newcomer, ring)
            steps.append("+" + newcomer)
        elif what == "leave" and len(ring) - len(steps) > 2 and "-" + name not in steps:
            nodes.flush_out(name)
            steps.append("-" + name)
        elif what == "crash" and len(ring) - len(steps) > 2 and not crashed and not steps:
            crashed = True
            nodes.remove(name)
            steps.append("-" + name)
    nodes.deliver()
    for _ in range(random.randrange(5)):
        nodes.tick(100)
    for step in steps:
        ring = "".join(sorted(ring + step[1:] if step[0] == "+" else set(ring) - {step[1:]}))
        for name in random.sample(list(nodes.nodes), len(nodes.nodes)):
            nodes.ring_is(ring, seen_by=name)
            if random.random() < 0.5:
                nodes.tick(10, by=random.choice(list(nodes.nodes)))
        if step[0] == "+":
            part = nodes[step[1:]].left_to_pull
            nodes.pull(step[1:], ring, part)
    nodes.settle()
    return ring
