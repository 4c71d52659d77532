"""With `sync` a check is answered only when another node knows what it has charged."""

import pytest

from sidegate.buckets.limits import SYNC
from sidegate.protocol.messages import NOBODY, Merged
from sidegate_sidecar.node.local import ANSWERS_SHARE
from sidegate_sidecar.replication.early.confirming import MAX_WAITING
from tests.sidecar.node.confirmed.recorded_owner import BUDGET, MS, RecordedOwner

LIMIT = "10/hour"
SYNCED = SYNC + LIMIT
PATIENCE = BUDGET * 1e3 * ANSWERS_SHARE  # ms


def test_it_is_answered_once_its_backup_has_merged_the_charge() -> None:
    owner = RecordedOwner("b", "c")
    owner.ask((owner.key(), SYNCED, 1))
    assert owner.order == "b"
    owner.merged()
    [answers] = owner.answers
    assert (answers.source, answers.node, answers.positions) == ("owner", "a", None)
    assert answers.answers[0][0] == 1
    assert owner.node.counts.checks["app", "owner", "allowed"] == 1


def test_other_checks_of_the_frame_do_not_wait_nor_does_what_charges_nothing() -> None:
    """Those without `sync`, denied ones, looks and errors."""
    owner = RecordedOwner("b")
    key, other = owner.key(), "other"
    owner.ask((key, SYNCED, 10))
    owner.merged()
    del owner.said[:]
    asked = [(other, LIMIT, 1), (key, SYNCED, 1), (other, SYNCED, 0), (key, SYNCED, 99)]
    owner.ask(*asked, ("third", SYNCED, 1))
    [answers] = owner.answers
    assert answers.positions == [0, 1, 2, 3]
    assert [it if isinstance(it, str) else it[0] for it in answers.answers][:3] == [1, 0, 1]
    owner.merged()
    assert owner.answers[1].positions == [4]


def test_each_waits_for_the_backup_of_its_own_key() -> None:
    owner = RecordedOwner("b", "c")
    owner.ask((owner.key("b"), SYNCED, 1), (owner.key("c"), SYNCED, 1))
    owner.merged("c")
    assert [it.positions for it in owner.answers] == [[1]]
    owner.merged("b")
    assert [it.positions for it in owner.answers] == [[1], [0]]


def test_an_owner_that_is_alone_waits_for_nobody() -> None:
    owner = RecordedOwner()
    owner.ask(("key", SYNCED, 1))
    assert [(it.source, it.answers[0][0]) for it in owner.answers] == [("owner", 1)]


@pytest.mark.parametrize(
    ("policy", "allowed", "charged"), [("open", 1, 1), ("local", 1, 1), ("closed", 0, 0)]
)
@pytest.mark.parametrize("how", ["says nothing", "is away", "goes away"])
def test_without_a_word_in_time_the_policy_answers_an_app(
    policy: str, allowed: int, charged: int, how: str
) -> None:
    """What it refuses it gives back. While nobody is left to be told it doesn't wait at all."""
    owner = RecordedOwner("b", policy=policy)
    key = owner.key()
    owner.away = {"b"} if how == "is away" else set()
    owner.ask((key, SYNCED, 1))
    if how == "says nothing":
        owner.tick(PATIENCE - 1)
        assert not owner.answers
        owner.tick(2)
    elif how == "goes away":
        assert not owner.answers
        owner.cluster.on_disconnected("b", owner.now)
    [answers] = owner.answers
    assert (answers.source, answers.answers[0][0]) == (policy, allowed)
    assert bool(owner.node.buckets.held(key, owner.now)) == bool(charged)
    outcome = "allowed" if allowed else "denied"
    assert owner.node.counts.checks["app", policy, outcome] == 1
    assert owner.node.counts.checks["app", "owner", "allowed"] == 0


def test_what_closed_gives_back_is_of_the_window_in_which_it_was_charged() -> None:
    owner = RecordedOwner("b", policy="closed")
    key, limit = owner.key(), "10/hour window"
    owner.now += 3_600 * 10**9 - owner.now % (3_600 * 10**9) - MS
    owner.cluster.begin(owner.now)
    owner.ask((key, SYNC + limit, 1))
    owner.tick(2)
    owner.ask((key, limit, 3))
    [(_, before)] = owner.node.buckets.held(key, owner.now)
    owner.tick(PATIENCE)
    assert [it.source for it in owner.answers] == ["owner", "closed"]
    [(_, after)] = owner.node.buckets.held(key, owner.now)
    assert after == before


def test_it_is_time_to_tick_when_somebody_has_waited_long_enough() -> None:
    owner = RecordedOwner("b")
    owner.ask((owner.key(), SYNCED, 1))
    assert owner.cluster.sync.flush_due(owner.now) == 0  # the first change goes out at once
    owner.tick()
    assert owner.cluster.tick(owner.now) <= PATIENCE * 1e6


def test_who_has_waited_long_enough_is_answered_between_two_full_ticks_too() -> None:
    owner = RecordedOwner("b")
    owner.ask((owner.key(), SYNCED, 1))
    owner.now += int(PATIENCE * MS) + 1
    owner.cluster.begin(owner.now)
    owner.cluster.work(owner.now)
    assert [it.source for it in owner.answers] == ["open"]


def test_a_backup_that_was_late_is_not_waited_for_until_it_merges_something() -> None:
    owner = RecordedOwner("b")
    key = owner.key()
    owner.ask((key, SYNCED, 1))
    owner.tick(PATIENCE + 1)
    owner.ask((key, SYNCED, 1))
    assert [it.source for it in owner.answers] == ["open", "open"]
    owner.merged()
    owner.ask((key, SYNCED, 1))
    assert len(owner.answers) == 2
    owner.merged()
    assert owner.answers[2].source == "owner"


def test_where_the_backup_is_away_the_next_on_the_ring_is_told() -> None:
    owner = RecordedOwner("b", "c")
    owner.away = {"b"}
    owner.ask((owner.key("b"), SYNCED, 1))
    assert owner.order == "c"
    owner.merged("c")
    assert [it.source for it in owner.answers] == ["owner"]


def test_a_node_that_has_forwarded_it_is_handed_it_back_and_may_ask_again() -> None:
    """So it asks the backup. The same check waits again, and is charged once."""
    owner = RecordedOwner("b")
    key = owner.key()
    owner.ask((key, SYNCED, 1), hops=1, serial=7)
    owner.tick(PATIENCE + 1)
    [answers] = owner.answers
    assert (answers.source, answers.positions) == (NOBODY, [0])
    owner.merged()
    owner.ask((key, SYNCED, 1), hops=2, serial=7)
    assert len(owner.answers) == 1
    owner.merged()
    assert owner.answers[1].answers[0][0] == 1
    [(_, debt)] = owner.node.buckets.held(key, owner.now)
    assert debt <= 360 * 10**9


def test_no_more_wait_than_may() -> None:
    """Then the policy answers at once."""
    owner = RecordedOwner("b")
    key = owner.key()
    asked = 0
    while not owner.answers:
        owner.ask(*[(key, SYNC + "1000000/day", 1)] * 4_000)
        for box in owner.cluster.sync._outboxes._boxes.values():  # as if its window were wider
            box._flying.clear()
        asked += 4_000
        assert asked <= 2 * MAX_WAITING
    assert asked >= MAX_WAITING
    assert owner.answers[0].source == "open"


def test_one_word_of_another_node_is_no_word_of_the_backup() -> None:
    owner = RecordedOwner("b", "c")
    owner.ask((owner.key("b"), SYNCED, 1))
    owner.cluster.step("c", Merged(owner.sent("b")[0].id), owner.now)
    assert not owner.answers
