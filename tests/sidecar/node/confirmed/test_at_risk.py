"""What a crash would lose of a burst is sent to the backup before it is answered, if it is much."""

import pytest

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import UNSENT_PART
from sidegate_sidecar.node.holds.one_check import OneCheck
from sidegate_sidecar.replication.early.at_risk import EARLY_EVERY, EARLY_SAVED, NEVER, TAIL
from sidegate_sidecar.replication.flush import FLUSH_EVERY
from sidegate_sidecar.replication.outgoing.outbox import BATCH, EARLY_WINDOW
from tests.sidecar.node.confirmed.recorded_owner import MS, RecordedOwner

HOURLY = "1000/hour"
FREE = 1_000 // UNSENT_PART  # tokens of it that may be unsent


def idle(*others: str) -> RecordedOwner:
    """Return an owner whose next flush is due in 100 ms."""
    owner = RecordedOwner(*others)
    owner.ask((owner.keys(1)[0], "100000000/day", 1))
    owner.tick()
    del owner.said[:]
    return owner


def test_a_bucket_is_sent_before_the_answer_that_makes_too_much_of_it_unsent() -> None:
    """With all that it owes by then; after it as much may be unsent again."""
    owner = idle("b")
    key = owner.key()
    for _ in range(2 * (FREE + 1)):
        owner.ask((key, HOURLY, 1))
    assert owner.order == ("?" * FREE + "b?") * 2
    token = 3_600 * 10**9 // 1_000
    assert [debts for message in owner.sent() for _, _, debts in message.groups] == [
        [token * (FREE + 1)],
        [2 * token * (FREE + 1)],
    ]


def test_what_was_sent_is_not_flushed_and_what_was_not_is() -> None:
    owner = idle("b")
    key = owner.key()
    owner.ask(*[(key, HOURLY, 1)] * (FREE + 1))
    assert not owner.cluster.sync.unsent
    owner.ask((key, HOURLY, 1))
    assert [*owner.cluster.sync.unsent] == [(key, HOURLY, 1)]
    del owner.said[:]
    owner.tick(FLUSH_EVERY / MS)
    assert owner.order == "b"
    assert not owner.cluster.sync.unsent


def test_what_checks_cost_is_counted() -> None:
    owner = idle("b")
    owner.ask((owner.key(), HOURLY, FREE))
    assert owner.order == "?"
    owner.ask((owner.key(), HOURLY, 1))
    assert owner.order == "?b?"


def test_of_a_small_burst_each_token_is_too_much() -> None:
    """Where a larger one is asked in the same frame, that one waits."""
    owner = idle("b")
    key = owner.key()
    owner.ask((key, "5/minute", 1), (key, HOURLY, 1))
    owner.ask((key, HOURLY, 1))
    assert owner.order == "b??"
    assert [*owner.cluster.sync.unsent] == [(key, HOURLY, 2)]


@pytest.mark.parametrize("cost", [0, 6])
def test_what_charges_nothing_is_no_risk(cost: int) -> None:
    owner = idle("b")
    owner.ask((owner.key(), "5/minute", cost))
    assert owner.order == "?"
    assert not owner.cluster.sync.unsent


def test_an_owner_that_is_alone_counts_nothing() -> None:
    owner = RecordedOwner()
    owner.ask(("k", "5/minute", 1))
    assert not owner.cluster.sync.unsent


def test_messages_are_as_many_as_were_saved_up_and_then_one_a_millisecond() -> None:
    """What waits goes with the next one."""
    owner = idle("b")
    keys = owner.keys(EARLY_SAVED + 3)
    for key in keys[:EARLY_SAVED]:
        owner.ask((key, "5/minute", 1))
        owner.merged()
        del owner.said[:-1]
    more = keys[EARLY_SAVED:]
    del owner.said[:]
    owner.ask((more[0], "5/minute", 1))
    owner.ask((more[1], "5/minute", 1))
    assert owner.order == "??"
    owner.now += EARLY_EVERY
    owner.ask((more[2], "5/minute", 1))
    assert owner.order == "??b?"
    [(_, sent, _)] = owner.sent()[0].groups
    assert set(sent) == set(more)
    assert not owner.cluster.sync.has_changes


def test_what_waits_goes_out_soon_though_nobody_asks() -> None:
    owner = idle("b")
    owner.cluster.sync.early.at_risk._saved_at = owner.now + EARLY_EVERY * EARLY_SAVED
    owner.ask((owner.key(), "5/minute", 1))
    wait = owner.cluster.sync.flush_due(owner.now)
    assert wait == EARLY_EVERY + TAIL
    assert owner.order == "?"
    owner.now += wait
    owner.cluster.begin(owner.now)
    owner.cluster.work(owner.now)  # between two full ticks, too
    assert owner.order == "?b"
    assert owner.cluster.sync.early.due(owner.now) == NEVER


def test_of_many_buckets_each_message_has_as_many_as_any() -> None:
    owner = idle("b")
    owner.ask(*[(key, "5/minute", 1) for key in owner.keys(3 * BATCH)])
    sizes = [sum(len(keys) for _, keys, _ in it.groups) for it in owner.sent()]
    assert sizes == [BATCH] * 3


def test_who_does_not_answer_is_sent_no_more_than_a_window_and_the_rest_by_flushes() -> None:
    owner = idle("b")
    keys = owner.keys(EARLY_WINDOW + 1)
    for key in keys:
        owner.ask((key, "5/minute", 1))
    assert len(owner.sent()) == EARLY_WINDOW
    assert [*owner.cluster.sync.unsent] == [(keys[-1], "5/minute", 1)]
    del owner.said[:]
    owner.tick(FLUSH_EVERY / MS)
    assert [keys for message in owner.sent() for _, keys, _ in message.groups] == [[keys[-1]]]


def test_where_a_holder_is_away_the_next_is_told_and_that_one_by_a_flush() -> None:
    owner = idle("b", "c")
    owner.away = {"b"}
    key = owner.key("b")
    owner.ask((key, "5/minute", 1))
    assert owner.order == "c?"
    assert [*owner.cluster.sync.unsent] == [(key, "5/minute", 1)]


def test_a_key_under_several_limits_goes_by_the_smallest() -> None:
    owner = idle("b")
    owner.ask((owner.key(), f"{HOURLY}; 5/minute", 1))
    [message] = owner.sent()
    assert [text for text, _, _ in message.groups] == [HOURLY, "5/minute"]


def test_a_key_that_is_asked_by_others_limits_too_is_counted_by_each() -> None:
    """What is sent for the smaller one says nothing of the larger one."""
    owner = idle("b")
    key = owner.key()
    for _ in range(FREE + 1):
        owner.ask((key, "100/hour", 1))
        owner.ask((key, HOURLY, 1))
    assert [text for message in owner.sent() for text, _, _ in message.groups][-1] == HOURLY


def test_what_is_reserved_is_sent_before_the_answer_too() -> None:
    owner = idle("b")
    key = owner.key()
    check = key, "20000/day", 5_000
    owner.node.local.stand_in(OneCheck(7, check), Source.OWNER, owner.now)
    assert owner.order == "b"
    assert not owner.cluster.sync.has_changes
