"""Sync: every bucket gets to the nodes that should hold it, whatever is lost, comes or goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidegate.protocol.messages import (
    MAX_KEY_BYTES,
    Buckets,
    Charged,
    Confirmed,
    Merged,
    Part,
    Pull,
    Pulled,
)
from sidegate_sidecar.replication import outboxes
from sidegate_sidecar.replication.flush import FLUSH_EVERY
from sidegate_sidecar.replication.merging import MAX_BUCKETS
from sidegate_sidecar.replication.outbox import BATCH, RESEND_AFTER, WINDOW
from sidegate_sidecar.replication.outboxes import WALK_WAITS_AT
from sidegate_sidecar.replication.rebalance import SLICE
from sidegate_sidecar.replication.sending import AT_A_TIME
from sidegate_sidecar.replication.sync import SHORT
from tests.sidecar.syncs import (
    MS,
    START,
    TOKEN,
    YEARLY,
    Syncs,
    everything,
    nothing,
    only,
    ring_of,
)

if TYPE_CHECKING:
    from random import Random

    from sidegate.protocol.messages import NodeMessage

KEYS = [f"key{at}" for at in range(60)]
QUICK = "100/second"  # a token is back after 10 ms, before anyone notices that a node is gone


def key_of(ring: str, *order: str) -> str:
    """Return a key that is asked of these nodes in this order, as far as they go."""
    keys = (f"key{at}" for at in range(10_000))
    return next(key for key in keys if ring_of(ring).owners(key, len(order)) == order)


# Backup


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
def test_what_an_owner_decides_gets_to_the_backup_and_to_nobody_else(names: str) -> None:
    nodes = Syncs(names)
    nodes.charge_all(KEYS, names)
    nodes.tick()
    for key in KEYS:
        assert nodes.holders(key) == set(ring_of(names).pair(key))
    assert all(node.idle for node in nodes.nodes.values())
    assert sum(node.counts.sent for node in nodes.nodes.values()) == len(KEYS)
    assert sum(node.counts.merged for node in nodes.nodes.values()) == len(KEYS)


def test_a_node_alone_sends_nothing() -> None:
    nodes = Syncs("a")
    nodes.charge("a", "key")
    nodes.settle()
    assert nodes.log == []


def test_a_check_of_several_limits_is_backed_up_under_each() -> None:
    nodes = Syncs("ab")
    key = key_of("ab", "a", "b")
    nodes.charge("a", key, f"{YEARLY}; 5/day")
    nodes.tick()
    ((_, _, message),) = nodes.sent()
    assert isinstance(message, Buckets)
    assert [(text, keys) for text, keys, _ in message.groups] == [(YEARLY, [key]), ("5/day", [key])]


def test_the_first_change_goes_out_at_once_and_more_every_100_ms() -> None:
    """Then all that have changed since, each once, with what is owed by then."""
    nodes = Syncs("ab")
    key = key_of("ab", "a", "b")
    times: list[int] = []
    for ms in range(0, 400, 10):
        nodes.log.clear()
        nodes.charge("a", key)
        nodes.tick()
        if nodes.sent("a"):
            times.append(ms)
            assert nodes.tokens("b", key) == nodes.tokens("a", key)
        assert nodes["a"].flush_due(nodes.now) == FLUSH_EVERY - ms % 100 * MS
        nodes.now += 10 * MS
    assert times == [0, 100, 200, 300]
    nodes.tick(60)
    nodes.tick(100)
    nodes.charge("a", key)
    nodes.log.clear()
    nodes.tick()
    assert nodes.rows("a", "b") == {key: 1}


def test_a_debt_that_is_paid_before_a_crash_is_noticed_is_not_backed_up() -> None:
    """One that lasts longer is, of the same limit too."""
    nodes = Syncs("ab")
    short, long = [key for key in KEYS if ring_of("ab").owner(key) == "a"][:2]
    nodes.charge("a", short, QUICK, SHORT // (10 * MS))
    nodes.charge("a", long, QUICK, SHORT // (10 * MS) + 1)
    nodes.tick()
    assert nodes.rows() == {long: 1}
    assert nodes["a"].idle


@pytest.mark.parametrize("how", ["leaves", "is pulled from"])
def test_short_debts_are_sent_too_when_there_is_no_later_time(how: str) -> None:
    nodes = Syncs("ab")
    key = key_of("ab", "a", "b")
    nodes.charge("a", key, QUICK)
    if how == "leaves":
        nodes.flush_out("a")
    else:
        nodes.pull("b", "ab", Part.REST)
        nodes.deliver()
    assert nodes.rows("a", "b") == {key: 1}


def test_the_last_changes_go_out_at_once_however_many_messages_that_takes() -> None:
    """Nobody is there any more to send the rest when the first have landed."""
    nodes = Syncs("ab")
    count = 2 * WINDOW * BATCH
    for at in range(count):
        nodes.charge("a", f"many{at}")
    nodes.flush_out("a")
    assert nodes.rows("a", "b").total() == count
    nodes.deliver()
    assert nodes["a"].idle


def test_no_more_messages_are_on_their_way_to_a_node_than_its_window() -> None:
    nodes = Syncs("ab")
    for at in range(2 * WINDOW * BATCH):
        nodes.charge("a", f"many{at}")
    nodes.post("a", nodes["a"].tick(nodes.now))
    assert len(nodes.sent("a", "b")) == AT_A_TIME
    for _ in range(2 * WINDOW):
        nodes.post("a", nodes["a"].tick(nodes.now))
    assert len(nodes.sent("a", "b")) == WINDOW
    assert not nodes["a"].caught_up
    nodes.settle()
    assert nodes.rows("a", "b").total() == 2 * WINDOW * BATCH
    assert nodes["a"].caught_up


def test_the_lag_is_how_long_the_oldest_change_has_waited_to_be_merged() -> None:
    nodes = Syncs("abc")
    nodes.lost = everything
    nodes.charge("a", key_of("abc", "a", "b"))
    nodes.post("a", nodes["a"].tick(nodes.now))
    nodes.tick(30)
    nodes.charge("a", key_of("abc", "a", "c"))
    nodes.tick(80)
    assert nodes["a"].lag(nodes.now) == 110 * MS
    nodes.cut.add(frozenset("ab"))  # a node that can't be reached is no lag
    nodes.tick(20)
    assert nodes["a"].lag(nodes.now) <= FLUSH_EVERY
    nodes.lost = nothing
    nodes.cut.clear()
    nodes.settle()
    nodes.tick(RESEND_AFTER // MS)
    assert nodes["a"].lag(nodes.now) == 0


# Nodes that can't be reached, and messages that get lost


def test_while_the_backup_cant_be_reached_the_next_one_has_a_copy_too() -> None:
    """And the backup is sent what it missed, once it is there again."""
    nodes = Syncs("abcd")
    key = key_of("abcd", "a", "b", "c", "d")
    nodes.cut.add(frozenset("ab"))
    nodes.charge("a", key)
    nodes.tick()
    assert nodes.holders(key) == {"a", "c"}
    assert nodes["a"].idle  # as far as nodes can be reached
    nodes.charge("a", key)
    nodes.cut.clear()
    nodes.tick(100)
    assert nodes.holders(key, 2) == {"a", "b"}
    assert nodes.rows("a", "d") == {}


def test_what_only_the_next_one_has_gets_to_the_owner_when_the_backup_dies() -> None:
    nodes = Syncs("abc")
    key = key_of("abc", "a", "b", "c")
    nodes.cut = {frozenset("ab"), frozenset("ac")}
    nodes.stand_in("b", key)
    nodes.tick()
    assert nodes.holders(key) == {"b", "c"}
    nodes.cut.clear()
    nodes.remove("b")
    nodes.ring_is("ac")
    nodes.settle()
    assert nodes.holders(key) == {"a", "c"}


def test_what_was_on_its_way_when_a_link_broke_is_sent_again() -> None:
    nodes = Syncs("ab")
    key = key_of("ab", "a", "b")
    nodes.charge("a", key)
    nodes.lost = everything
    nodes.tick()
    nodes["a"].unreachable("b", nodes.now)
    nodes.lost = nothing
    nodes.tick()
    assert nodes.holders(key) == {"a", "b"}
    assert nodes["a"].counts.resent == 1


@pytest.mark.parametrize("lost", [Buckets, Merged])
def test_what_gets_no_answer_is_sent_again_after_a_while(lost: type[object]) -> None:
    """Whichever way it was lost; to merge it twice does no harm."""
    nodes = Syncs("ab")
    key = key_of("ab", "a", "b")
    nodes.charge("a", key)
    nodes.lost = only(lost)
    nodes.tick()
    nodes.lost = nothing
    nodes.tick(RESEND_AFTER // MS - 1)
    assert nodes.rows() == {key: 1}
    nodes.tick(1)
    assert nodes.rows() == {key: 2}
    assert nodes.holders(key) == {"a", "b"}
    assert nodes.tokens("b", key) == 1
    assert nodes["a"].idle


def test_what_waits_for_nodes_that_cant_be_reached_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once they can be they are sent all that they are to hold, and not just the latest.

    Whoever makes up keys while a node is away can't fill the memory of another with them.
    """
    monkeypatch.setattr(outboxes, "MAX_WAITING", 1_000)
    nodes = Syncs("abc")
    first = [f"first{at}" for at in range(300)]
    nodes.cut |= {frozenset("ab"), frozenset("ac")}
    mine = [key for key in first if ring_of("abc").owner(key) == "a"]
    nodes.charge_all(mine, "abc")
    for turn in range(40):
        for at in range(100):
            nodes.charge("a", f"key{turn}-{at}")
        nodes.tick(100)
        assert nodes["a"]._outboxes.waiting <= 1_000
    assert nodes["a"].counts.overflows >= 2
    assert nodes["a"].owed() is None
    nodes.cut.clear()
    nodes.settle()
    assert nodes["a"].owed() == set()
    for key in mine:
        assert nodes.holders(key) == set(ring_of("abc").pair(key))


def test_a_newcomer_whose_outbox_overflowed_is_told_when_it_has_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would otherwise take its place on the ring without the buckets that were forgotten."""
    monkeypatch.setattr(outboxes, "MAX_WAITING", 300)
    nodes = Syncs("ab")
    keys = [f"key{at}" for at in range(3_000)]
    nodes.charge_all(keys, "ab")
    nodes.settle()
    nodes.add("c")
    nodes.pull("c", "ab")
    nodes.deliver()
    nodes.cut.add(frozenset("ac"))
    for _ in range(40):
        nodes.tick(10)
    assert nodes["a"].counts.overflows > 0
    assert nodes["c"].waiting == {"a"}
    nodes.cut.clear()
    nodes.settle()
    assert not nodes["c"].waiting
    ring = ring_of("abc")
    assert all("c" in nodes.holders(key) for key in keys if ring.owner(key) == "c")


def test_a_backlog_of_changes_is_flushed_the_faster_the_longer_it_is() -> None:
    """So it can't grow without end, however many made-up keys come between two ticks."""
    nodes = Syncs("ab")
    for turn in range(30):
        for at in range(3_000):
            nodes.charge("a", f"key{turn}-{at}")
        nodes.tick(100)
    assert len(nodes["a"]._flush.unsent) < 10 * 3_000


@given(st.lists(st.floats(0, 1), min_size=5, max_size=60), st.integers(0, 2**30))
@settings(max_examples=40, deadline=None)
def test_whatever_is_lost_the_backups_know_in_the_end(losses: list[float], seed: int) -> None:
    """With messages of all kinds lost at random, while checks go on."""
    nodes = Syncs("abc")
    at = seed

    def lost(*_: object) -> bool:
        nonlocal at
        at += 1
        return losses[at % len(losses)] > 0.5

    nodes.lost = lost
    for turn in range(8):
        nodes.charge_all(KEYS[turn * 3 : turn * 3 + 20], "abc")
        nodes.tick(300)
    nodes.lost = nothing
    nodes.settle()
    for key in KEYS[:40]:
        owner, backup = ring_of("abc").pair(key)
        assert nodes.tokens(owner, key) == nodes.tokens(backup, key) >= 1


# In place of the owner


def test_what_was_charged_in_the_owners_place_gets_to_it_when_it_is_there_again() -> None:
    """The backup and the next one hold it until then."""
    nodes = Syncs("abcd")
    key = key_of("abcd", "a", "b", "c")
    nodes.cut = {frozenset("ab"), frozenset("ac"), frozenset("ad")}
    nodes.stand_in("b", key, cost=3)
    nodes.tick()
    assert nodes.holders(key) == {"b", "c"}
    nodes.cut.clear()
    nodes.tick(100)
    assert nodes.tokens("a", key) == 3
    assert nodes["a"].over_admitted == 0


def test_over_admission_is_what_both_have_charged_beyond_the_burst() -> None:
    """8 by the owner and 7 by a backup that didn't hear of them, of 10: 5 too many, told once."""
    nodes = Syncs("ab")
    key = key_of("ab", "a", "b")
    nodes.cut.add(frozenset("ab"))
    assert nodes.charge("a", key, "10/year", cost=8)
    for cost in (3, 4):
        assert nodes.stand_in("b", key, "10/year", cost)
    nodes.tick()
    nodes.cut.clear()
    nodes.settle()
    assert nodes["a"].over_admitted == pytest.approx(5, abs=1e-3)
    assert len(nodes.sent("b", "a", Charged)) == 1
    assert not nodes.rows("b", "a")
    nodes.charge("a", key, "10/year", 1)
    nodes.settle()
    assert nodes["a"].over_admitted == pytest.approx(5, abs=1e-3)
    assert nodes["b"].over_admitted == 0


def test_an_owner_that_missed_too_many_checks_is_sent_the_buckets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each the larger debt counts then; when it has merged them, it is told of checks again."""
    monkeypatch.setattr("sidegate_sidecar.replication.corrections.ledger.MAX_CHARGES", 3)
    nodes = Syncs("abc")
    key = key_of("abc", "a", "b", "c")
    nodes.cut = {frozenset("ab"), frozenset("ac")}
    for _ in range(5):
        nodes.stand_in("b", key)
    nodes.cut.clear()
    nodes.settle()
    assert nodes.tokens("a", key) == 5
    assert nodes.rows("b", "a") == {key: 1}
    assert not nodes.sent("b", "a", Charged)
    nodes.tick(100)
    nodes.stand_in("b", key)
    nodes.settle()
    assert nodes.tokens("a", key) == 6
    assert len(nodes.sent("b", "a", Charged)) == 1


def test_a_message_of_too_many_charges_is_an_error() -> None:
    nodes = Syncs("ab")
    charges = [(at, 0, 0) for at in range(MAX_BUCKETS + 1)]
    with pytest.raises(ValueError, match="1,001 charges: expected at most 1,000"):
        nodes["a"].step("b", Charged(1, [("k", YEARLY, [0], charges)]), nodes.now)


# Pulls


def join(nodes: Syncs, name: str, ring: str) -> None:
    """Have a newcomer ask for its part and take its place; nothing is lost."""
    nodes.add(name)
    nodes.ring_is(ring, seen_by=name)
    nodes.pull(name, ring)
    nodes.settle()
    assert not nodes[name].waiting
    nodes.ring_is("".join(sorted(ring + name)))
    nodes.pull(name, ring, Part.REST)
    nodes.settle()
    assert not nodes[name].waiting


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
    assert not nodes["a"].missed
    if how == "gone":
        nodes["a"].gone("b")
    else:
        nodes["a"].unreachable("b", nodes.now)
    assert (nodes["a"].waiting, nodes["a"].missed) == ({"c"}, True)
    nodes["a"].pull("c", Part.REST)
    assert not nodes["a"].missed


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
    for _ in range(100):
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
            part = Part.ALL if nodes[step[1:]].missed or nodes[step[1:]].waiting else Part.REST
            nodes.pull(step[1:], ring, part)
    nodes.settle()
    return ring


# Nonsense


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Buckets(1, [(YEARLY, ["a", "b"], [1])]), "2 keys with 1 debts: expected as many"),
        (Buckets(1, [(YEARLY, ["a"], [1, 2])]), "1 keys with 2 debts"),
        (Buckets(1, [("5/day; 7/day", ["a"], [1])]), "buckets of '5/day; 7/day': expected one"),
        (Buckets(1, [("5/fortnight", ["a"], [1])]), "fortnight"),
        (Buckets(1, [(YEARLY, ["k" * (MAX_KEY_BYTES + 1)], [1])]), "513 bytes"),
        (Buckets(1, [(YEARLY, ["é" * (MAX_KEY_BYTES // 2 + 1)], [1])]), "514 bytes"),
    ],
)
def test_buckets_that_make_no_sense_are_an_error_that_names_the_value(
    message: NodeMessage, text: str
) -> None:
    nodes = Syncs("ab")
    with pytest.raises(ValueError, match=text):
        nodes["a"].step("b", message, nodes.now)
    assert len(nodes.tables["a"]) == 0


def test_a_key_of_the_most_bytes_and_a_debt_beyond_the_bucket_make_sense() -> None:
    nodes = Syncs("ab")
    key = "k" * MAX_KEY_BYTES
    (answer,) = nodes["a"].step("b", Buckets(7, [(YEARLY, [key], [2**63])]), START)
    assert answer == ("b", Merged(7))
    assert nodes.tokens("a", key) == 1_000
    assert TOKEN * 1_000 == 365 * 86_400 * 10**9


def test_who_lacks_a_part_itself_says_so_and_is_asked_again() -> None:
    """Here a and b stood still, and neither can reach c, which decided meanwhile."""
    nodes = Syncs("abc")
    nodes.cut = {frozenset("ac"), frozenset("bc")}
    for name in "ab":
        nodes[name].copies.doubt()
    nodes.tick()
    nodes.tick(1000)
    assert [it for *_, it in nodes.sent("b", "a", Confirmed)] == [
        Confirmed(ring_of("abc").digest, lacks=1)
    ] * 2
    nodes.cut.clear()
    nodes.tick(1000)
    assert nodes["a"].copies.is_settled
    assert nodes["b"].copies.is_settled


def test_an_answer_to_nothing_is_nothing() -> None:
    nodes = Syncs("ab")
    assert nodes["a"].step("stranger", Merged(7), nodes.now) == []
    assert nodes["a"].step("b", Pulled(7), nodes.now) == []
