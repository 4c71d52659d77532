"""Resets: known once, told to everyone, and stronger than any older bucket."""

from sidegate.buckets.windows import MAX_SKEW
from sidegate_sidecar.replication.corrections.resets import (
    LASTS,
    MAX_RESETS,
    RESETS_A_MESSAGE,
    SWEEP_EVERY,
    KnownReset,
    KnownResets,
)
from tests.middleware.buckets.windows.test_periods import at
from tests.support.in_memory.syncs import YEARLY, Syncs, nothing, ring_of

START = 10**15
RESET = KnownReset("k", START + LASTS)


def test_a_reset_is_new_once() -> None:
    resets = KnownResets()
    assert resets.add(1, RESET)
    assert not resets.add(1, RESET)
    assert resets.add(2, RESET)
    assert resets.left(START) == [(1, "k", LASTS), (2, "k", LASTS)]


def test_who_was_not_told_is_told_when_it_is_met_and_believed_when_it_has_said_so() -> None:
    resets = KnownResets()
    resets.add(1, RESET)
    assert "k" in resets.unheard("b")
    resets.on_connected("b")
    assert "k" in resets.unheard("b")
    assert resets.take("b", 5, START).resets == [(1, "k", LASTS)]
    assert not resets.is_due("b")
    resets.landed("b", 4)
    assert "k" in resets.unheard("b")
    resets.landed("b", 5)
    assert not resets.unheard("b")
    resets.on_disconnected("b")
    resets.on_connected("b")
    assert "k" in resets.unheard("b")  # it may be another life of it


def test_who_told_us_is_not_told() -> None:
    resets = KnownResets()
    for name in "bc":
        resets.on_connected(name)
    resets.add(1, RESET, "b")
    assert [*resets.hearers] == ["c"]
    resets.add(1, RESET, "c")
    assert not [*resets.hearers]


def test_what_gets_no_answer_is_told_again() -> None:
    resets = KnownResets()
    resets.on_connected("b")
    resets.add(1, RESET)
    resets.take("b", 5, START)
    resets.give_back(START + 9, 10)
    assert not resets.is_due("b")
    resets.give_back(START + 10, 10)
    assert resets.is_due("b")


def test_many_are_told_in_several_messages() -> None:
    resets = KnownResets()
    resets.on_connected("b")
    for number in range(RESETS_A_MESSAGE + 1):
        resets.add(number, KnownReset(f"k{number}", START))
    assert len(resets.take("b", 5, START).resets) == RESETS_A_MESSAGE
    resets.landed("b", 5)
    assert resets.take("b", 6, START).resets == [(RESETS_A_MESSAGE, f"k{RESETS_A_MESSAGE}", 0)]


def test_the_oldest_go_when_there_are_too_many() -> None:
    resets = KnownResets()
    resets.on_connected("b")
    for number in range(MAX_RESETS + 1):
        resets.add(number, RESET)
    assert len(resets) == MAX_RESETS
    assert resets.left(START)[0][0] == 1
    assert resets.add(0, RESET)


def test_what_is_past_is_forgotten() -> None:
    resets = KnownResets()
    resets.on_connected("b")
    resets.add(1, RESET)
    resets.tick(START + LASTS - 1)
    assert len(resets) == 1
    resets.tick(START + LASTS - 1 + SWEEP_EVERY)
    assert len(resets) == 0
    assert not resets.is_due("b")


# --- among nodes


def reset(nodes: Syncs, name: str, key: str, number: int = 7) -> None:
    """Have a node reset a key."""
    nodes.post(name, nodes[name].reset(key, number, nodes.now))
    nodes.deliver()


def meet(nodes: Syncs, *names: str) -> None:
    """Have nodes know that they are linked."""
    for name in names:
        for other in names:
            if name != other:
                nodes[name].resets.on_connected(other)


def test_a_copy_from_before_a_reset_brings_nothing_back() -> None:
    """A node that was cut off says what it has before it has heard of the reset: it is ignored."""
    nodes = Syncs("abc")
    key = next(f"k{at}" for at in range(99) if ring_of("abc").pair(f"k{at}") == ("a", "b"))
    nodes.charge("a", key, cost=5)
    nodes.settle()
    meet(nodes, "a", "c")
    nodes.cut = {frozenset("ab"), frozenset("bc")}
    reset(nodes, "a", key)
    nodes.charge("b", key, cost=1)  # its bucket is to be sent to the owner
    nodes.cut.clear()
    nodes.tick(100, by="b")
    assert nodes.tokens("a", key) == 0
    meet(nodes, "a", "b", "c")
    nodes.settle()
    assert [nodes.tokens(name, key) for name in "abc"] == [0, 0, 0]
    nodes.charge("a", key, cost=2)
    nodes.settle()
    assert nodes.tokens("b", key) == 2


def test_a_reset_goes_round_by_those_that_have_heard_of_it() -> None:
    """Two nodes that don't hear each other have a third tell."""
    nodes = Syncs("abc")
    meet(nodes, "a", "c")
    meet(nodes, "b", "c")
    nodes.cut = {frozenset("ab")}
    nodes.charge("b", "k")
    reset(nodes, "a", "k")
    assert nodes.tokens("b", "k") == 0


def test_no_bucket_is_sent_to_who_has_not_heard_of_a_reset() -> None:
    """What is charged after the reset would be made full again with what came before it."""
    nodes = Syncs("ab")
    key = next(f"k{at}" for at in range(99) if ring_of("ab").pair(f"k{at}") == ("a", "b"))
    meet(nodes, "a", "b")
    nodes.lost = lambda sender, _to, message: type(message).__name__ == "Resets" and sender == "a"
    reset(nodes, "a", key)
    nodes.charge("a", key)
    nodes.tick(100)
    assert nodes.tokens("b", key) == 0
    assert not nodes["a"].idle
    nodes.lost = nothing
    nodes.settle()
    assert nodes.tokens("b", key) == 1


def test_a_reset_of_a_quota_is_remembered_until_its_window_ends() -> None:
    """Also where that is longer than on paper, and another node's clock a little behind."""
    nodes = Syncs("a")
    nodes.tables["a"].windows.set(at("2026-12-01T00:00:01") - nodes.now)
    nodes.charge("a", "k", "5/month window")
    reset(nodes, "a", "k", 1)
    [(_, _, left)] = nodes["a"].resets.left(nodes.now)
    assert left == 31 * 86_400 * 10**9 - 10**9 + MAX_SKEW


def test_a_reset_is_remembered_while_an_old_copy_may_be_in_debt() -> None:
    """Twice as long as a year's bucket takes, for one that it made full; else ten minutes.

    For who wasn't asked may owe twice the burst.
    """
    nodes = Syncs("ab")
    nodes.charge("a", "slow", YEARLY)
    for number, key in enumerate(("slow", "other")):
        reset(nodes, "a", key, number)
    left = {key: left for _, key, left in nodes["a"].resets.left(nodes.now)}
    assert left == {"slow": 2 * 365 * 86_400 * 10**9, "other": LASTS}
