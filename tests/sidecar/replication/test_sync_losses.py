"""Sync when nodes can't be reached, and when messages get lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidegate.protocol.messages import Buckets, Merged
from sidegate_sidecar.replication.outgoing import outboxes
from sidegate_sidecar.replication.outgoing.outbox import RESEND_AFTER
from tests.support.in_memory.syncs import MS, Syncs, everything, key_of, nothing, only, ring_of

KEYS = [f"key{at}" for at in range(60)]


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
    for _ in range(200):
        nodes.tick(10)
    assert nodes["a"].counts.overflows > 0
    assert nodes["c"].waiting == {"a"}
    nodes.cut.clear()
    for _ in range(200):
        nodes.tick(10)  # before it asks again, as it does when nothing comes for long
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
        nodes.tick(99)
        nodes.tick()
    assert len(nodes["a"]._flush.all_unsent) < 10 * 3_000


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
