"""Sync: what is decided on one node gets to those that are to know it."""

import pytest

from sidegate.protocol.messages import (
    MAX_KEY_BYTES,
    Buckets,
    Charged,
    Confirmed,
    Merged,
    NodeMessage,
    Part,
    Pulled,
)
from sidegate_sidecar.replication.flush import FLUSH_EVERY
from sidegate_sidecar.replication.merging import MAX_BUCKETS
from sidegate_sidecar.replication.outgoing.outbox import (
    BATCH,
    CHANGES,
    RESEND_AFTER,
    SHORT_PART,
    WINDOW,
)
from sidegate_sidecar.replication.outgoing.sending import AT_A_TIME
from sidegate_sidecar.replication.sync import SHORT
from tests.support.in_memory.syncs import (
    MS,
    START,
    TOKEN,
    YEARLY,
    Syncs,
    everything,
    key_of,
    nothing,
    ring_of,
)

KEYS = [f"key{at}" for at in range(60)]
QUICK = "100/second"  # a token is back after 10 ms, before anyone notices that a node is gone


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
    nodes.charge("a", short, f"{QUICK} burst 500", SHORT // (10 * MS))
    nodes.charge("a", long, f"{QUICK} burst 500", SHORT // (10 * MS) + 1)
    nodes.tick()
    assert nodes.rows() == {long: 1}
    assert nodes["a"].idle


@pytest.mark.parametrize(("burst", "most"), [(100, 3), (20, 0), (320, 5)])
def test_a_short_debt_is_backed_up_where_it_is_much_of_a_burst(burst: int, most: int) -> None:
    """More than a part of it: of a burst that is back in a moment too."""
    nodes = Syncs("ab")
    short, long = [key for key in KEYS if ring_of("ab").owner(key) == "a"][:2]
    if most:
        nodes.charge("a", short, f"{QUICK} burst {burst}", most)
    nodes.charge("a", long, f"{QUICK} burst {burst}", most + 1)
    nodes.tick()
    assert most <= burst / SHORT_PART
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
    for at in range(2 * WINDOW * CHANGES):
        nodes.charge("a", f"many{at}")
    nodes.post("a", nodes["a"].tick(nodes.now))
    assert len(nodes.sent("a", "b")) == AT_A_TIME
    for _ in range(2 * WINDOW):
        nodes.post("a", nodes["a"].tick(nodes.now))
    assert len(nodes.sent("a", "b")) == WINDOW
    assert not nodes["a"].caught_up
    nodes.settle()
    assert nodes.rows("a", "b").total() == 2 * WINDOW * CHANGES
    assert nodes["a"].caught_up


def test_buckets_are_handed_over_when_the_ring_has_changed() -> None:
    """Those of a newcomer are counted, and no backup is."""
    nodes = Syncs("ab")
    for at in range(100):
        nodes.charge("a", f"many{at}")
    nodes.settle()
    assert nodes["a"].counts.handed == 0
    nodes.add("c")
    nodes.ring_is("abc")
    nodes.settle()
    found = nodes.rows("a", "c").total()
    assert nodes["a"].counts.handed == found > 0


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


def test_what_was_charged_on_top_of_a_copy_that_the_owner_lacks_is_kept() -> None:
    """Two sides meet: the backup hears of the other one's 5 before the owner does, and charges 2.

    The owner, which may not decide yet, settles these 2, and only then is sent the 5.
    """
    nodes = Syncs("abc")
    key = key_of("abc", "a", "b", "c")
    nodes.cut.add(frozenset("ac"))
    nodes.ring_is("ab", "ab")
    nodes.ring_is("abc", "ab")
    nodes.charge("c", key, cost=5)
    nodes.tick(100)
    assert nodes.holders(key) == {"b", "c"}
    nodes.stand_in("b", key, cost=2)
    nodes.tick(100)
    nodes.cut.clear()
    nodes.settle()
    assert nodes.tokens("a", key) == nodes.tokens("b", key) == 7


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
    monkeypatch.setattr("sidegate_sidecar.replication.corrections.stand_in_ledgers.MAX_CHARGES", 3)
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
    assert nodes.tokens("a", key) == 2_000  # what may be owed, by who wasn't asked
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
