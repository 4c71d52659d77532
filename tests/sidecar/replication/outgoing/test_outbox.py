"""Outbox: what is sent when, what is sent again, and that it holds no more than there is to say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.replication.outgoing.outbox import (
    BATCH,
    CHANGES,
    RESEND_AFTER,
    WINDOW,
    Outbox,
)

START = 10**15
SECOND = 10**9
HOURLY = "100/hour"
DAILY = "5/day"
TOKEN = 36 * SECOND  # what a token of HOURLY costs


def table_of(count: int, text: str = HOURLY) -> BucketTable:
    """Return a table in which key0, key1, … owe one token under a limit."""
    table = BucketTable()
    for at in range(count):
        table.take(f"key{at}", parse_limits(text), 1, START)
    return table


def keys(first: int, stop: int) -> list[str]:
    return [f"key{at}" for at in range(first, stop)]


def sent(outbox: Outbox, table: BucketTable, now: int = START, least: int = 0) -> list[int]:
    """Take all that there is, as the messages 1, 2, …: how many buckets are in each."""
    sizes: list[int] = []
    while message := outbox.take(len(sizes) + 1, table, now, least):
        assert message.id == len(sizes) + 1
        sizes.append(sum(len(some) for _, some, _ in message.groups))
    return sizes


def test_an_outbox_without_anything_in_it_has_nothing_to_say() -> None:
    outbox = Outbox()
    assert not outbox
    assert outbox.take(1, BucketTable(), START, 0) is None
    assert (outbox.waiting, outbox.lag(START), outbox.window_is_full) == (0, 0, False)


def test_a_message_says_what_is_owed_when_it_is_sent() -> None:
    """Not when the bucket was put in: it may have been charged since, or have refilled."""
    outbox, table = Outbox(), table_of(1)
    outbox.add(HOURLY, ["key0"], START)
    table.take("key0", parse_limits(HOURLY), 2, START)
    message = outbox.take(1, table, START + SECOND, 0)
    assert message
    assert message.groups == [(HOURLY, ["key0"], [3 * TOKEN - SECOND])]


def test_what_is_left_behind_a_message_waits_for_the_next_one_to_be_full() -> None:
    outbox, table, gather = Outbox(), table_of(BATCH + 1), SECOND
    outbox.add(HOURLY, keys(0, BATCH + 1), START)
    assert outbox.is_ripe(START, gather)  # full
    outbox.take(1, table, START + gather, 0)
    assert not outbox.is_ripe(START + 2 * gather - 1, gather)
    assert outbox.is_ripe(START + 2 * gather, gather)
    assert outbox.lag(START + 2 * gather) == 2 * gather  # it is no younger for that


def test_of_a_quota_the_smallest_debt_is_sent() -> None:
    """A bucket that owes as much is full before anybody could ask its backup."""
    table, second = BucketTable(), SECOND // 20
    for text in ("20/second burst 40", "20/second window"):
        table.take("k", parse_limits(text), 1, START)
        outbox = Outbox()
        outbox.add(text, ["k"], START)
        message = outbox.take(1, table, START, second)
        assert (message is not None) is ("window" in text), text


def test_a_bucket_that_changes_often_while_it_waits_is_sent_once() -> None:
    outbox, table = Outbox(), table_of(2)
    for _ in range(3):
        outbox.add(HOURLY, ["key0", "key1"], START)
    assert outbox.waiting == 2
    assert sent(outbox, table) == [2]


def test_a_bucket_that_changes_while_it_is_on_its_way_is_sent_again() -> None:
    outbox, table = Outbox(), table_of(1)
    outbox.add(HOURLY, ["key0"], START)
    assert outbox.take(1, table, START, 0)
    outbox.add(HOURLY, ["key0"], START)
    assert outbox.take(2, table, START, 0)


@pytest.mark.parametrize(("found", "most"), [(True, BATCH), (False, CHANGES)])
def test_messages_have_no_more_than_a_batch_and_twice_as_much_of_changes(
    found: bool, most: int
) -> None:
    cases = [(1, [1]), (most, [most]), (most + 1, [most, 1]), (2 * most + 7, [most, most, 7])]
    for count, sizes in cases:
        outbox = Outbox()
        outbox.add(HOURLY, keys(0, count), START, found=found)
        assert outbox.waiting == count
        assert sent(outbox, table_of(count)) == sizes
        assert outbox.waiting == 0


def test_a_message_has_buckets_of_as_many_limits_as_fit() -> None:
    """The batch is counted over all of them, and the rest of a limit goes into the next."""
    outbox, table = Outbox(), table_of(CHANGES)
    for at in range(10):
        table.take(f"key{at}", parse_limits(DAILY), 1, START)
    outbox.add(DAILY, keys(0, 10), START)
    outbox.add(HOURLY, keys(0, CHANGES), START)
    first, second = (outbox.take(number, table, START, 0) for number in (1, 2))
    assert first
    assert second
    assert [(text, some) for text, some, _ in first.groups] == [
        (DAILY, keys(0, 10)),
        (HOURLY, keys(0, CHANGES - 10)),
    ]
    rest = keys(CHANGES - 10, CHANGES)
    assert [(text, some) for text, some, _ in second.groups] == [(HOURLY, rest)]


def test_the_window_is_full_with_four_messages_on_their_way() -> None:
    outbox, table = Outbox(), table_of(10)
    for number in range(WINDOW):
        assert not outbox.window_is_full
        outbox.add(HOURLY, keys(number, number + 1), START)
        assert outbox.take(number, table, START, 0)
    assert outbox.window_is_full
    assert outbox.landed(2)
    assert not outbox.window_is_full


def test_buckets_that_owe_too_little_are_left_out() -> None:
    """And with nothing else to say, there is no message, and nothing waits for an answer."""
    outbox, table = Outbox(), table_of(2)
    table.take("key1", parse_limits(HOURLY), 1, START)
    outbox.add(HOURLY, ["key0", "key1", "gone"], START)
    message = outbox.take(1, table, START, TOKEN)
    assert message
    assert message.groups == [(HOURLY, ["key1"], [2 * TOKEN])]
    outbox.landed(1)
    outbox.add(HOURLY, keys(0, 1), START)
    assert outbox.take(2, table, START, TOKEN) is None
    assert not outbox


def test_a_message_that_nobody_needs_is_passed_over_for_the_next() -> None:
    """A batch of full buckets doesn't hide those behind it."""
    outbox, table = Outbox(), table_of(1)
    outbox.add(HOURLY, [f"gone{at}" for at in range(2 * BATCH)], START)
    outbox.add(HOURLY, ["key0"], START)
    assert sent(outbox, table) == [1]


# what is lost


def test_what_got_an_answer_is_done_and_a_stray_answer_is_nothing() -> None:
    outbox, table = Outbox(), table_of(1)
    outbox.add(HOURLY, ["key0"], START)
    assert outbox.take(7, table, START, 0)
    assert not outbox.landed(6)
    assert outbox
    assert outbox.landed(7)
    assert not outbox.landed(7)
    assert not outbox


def test_what_was_on_its_way_when_the_link_broke_is_sent_again() -> None:
    """With what is owed by then, and once with what has been put in meanwhile."""
    outbox, table = Outbox(), table_of(3)
    outbox.add(HOURLY, keys(0, 2), START)
    assert outbox.take(1, table, START, 0)
    outbox.add(HOURLY, keys(1, 3), START)
    assert outbox.give_back(START) == 1  # key1 waits already
    assert outbox.waiting == 3
    assert not outbox.landed(1)
    message = outbox.take(2, table, START + SECOND, 0)
    assert message
    ((_, some, debts),) = message.groups
    assert sorted(some) == keys(0, 3)
    assert debts == [TOKEN - SECOND] * 3


def test_only_messages_without_an_answer_for_so_long_are_given_back() -> None:
    outbox, table = Outbox(), table_of(3)
    for at in range(3):
        outbox.add(HOURLY, keys(at, at + 1), START)
        assert outbox.take(at, table, START + at * SECOND, 0)
    assert outbox.give_back(START + RESEND_AFTER - 1, RESEND_AFTER) == 0
    assert outbox.give_back(START + RESEND_AFTER, RESEND_AFTER) == 1
    assert outbox.landed(1)
    assert outbox.give_back(START + RESEND_AFTER + SECOND, RESEND_AFTER) == 0
    assert outbox.give_back(START + RESEND_AFTER + 2 * SECOND, RESEND_AFTER) == 1
    assert sent(outbox, table) == [2]


# the lag


def test_the_lag_is_the_age_of_the_oldest_change_that_is_not_merged_there() -> None:
    """Waiting or on its way; a loss doesn't make it younger, an answer does."""
    outbox, table = Outbox(), table_of(2)
    outbox.add(HOURLY, ["key0"], START)
    assert outbox.lag(START + 5) == 5
    assert outbox.take(1, table, START + 6, 0)
    outbox.add(HOURLY, ["key1"], START + 7)
    assert outbox.lag(START + 10) == 10
    outbox.give_back(START + 20)
    assert outbox.lag(START + 25) == 25
    assert outbox.take(2, table, START + 30, 0)
    assert outbox.lag(START + 35) == 35
    assert outbox.landed(2)
    assert outbox.lag(START + 40) == 0
    outbox.add(HOURLY, ["key0"], START + 50)
    assert outbox.lag(START + 51) == 1


def test_a_change_that_waits_behind_others_counts_from_when_it_came_in() -> None:
    outbox, table = Outbox(), table_of(2)
    outbox.add(HOURLY, ["key0"], START)
    assert outbox.take(1, table, START, 0)
    outbox.add(HOURLY, ["key1"], START + 10)
    assert outbox.landed(1)
    assert outbox.lag(START + 12) == 2


# the bound


def test_an_outbox_that_overflowed_is_empty_and_takes_nothing() -> None:
    """All is put into it anew, once it can be sent: it holds nothing until then."""
    outbox, table = Outbox(), table_of(1_000, DAILY)
    outbox.add(DAILY, keys(0, 1_000), START)
    outbox.overflow()
    outbox.add(DAILY, ["key1"], START)
    assert (outbox.waiting, outbox.take(1, table, START, 0)) == (0, None)
    outbox.overflowed = False
    outbox.add(DAILY, ["key1"], START)
    assert outbox.waiting == 1


acts = st.lists(
    st.sampled_from(["add", "take", "land", "break", "late"]).flatmap(
        lambda what: st.tuples(st.just(what), st.integers(0, 3 * BATCH), st.integers(1, BATCH))
    ),
    max_size=25,
)


@given(acts)
def test_whatever_is_put_in_lands_or_is_still_there(script: list[tuple[str, int, int]]) -> None:
    """With any order of sending, answers, losses and lateness; and `waiting` is what waits."""
    outbox, table = Outbox(), table_of(4 * BATCH)
    lanes = outbox._changed, outbox._found
    owed: set[str] = set()  # put in, and not in a message that landed since
    flying: dict[int, list[str]] = {}
    now = START
    for number, (what, first, count) in enumerate(script):
        now += SECOND // 2
        if what == "add":
            outbox.add(HOURLY, keys(first, first + count), now, found=count % 2 == 0)
            owed |= set(keys(first, first + count))
        elif what == "take":
            if message := outbox.take(number, table, now, 0):
                flying[number] = [key for _, some, _ in message.groups for key in some]
                assert len(flying[number]) <= CHANGES
        elif what == "land" and flying:
            landed = min(flying)
            if outbox.landed(landed):
                owed -= set(flying[landed])
            del flying[landed]
            waits = {key for lane in lanes for held in lane.values() for key in held}
            owed |= waits | {k for it in outbox._flying.values() for k in it.keys[HOURLY]}
        else:
            outbox.give_back(now, 0 if what == "break" else RESEND_AFTER)
        assert outbox.waiting == sum(len(held) for lane in lanes for held in lane.values())
        assert bool(outbox) == bool(owed)
    outbox.give_back(now)
    assert sum(sent(outbox, table, now)) >= len(owed)  # what was found may have changed since
