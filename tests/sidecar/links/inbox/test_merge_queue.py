"""The merge queue: buckets of other nodes are merged in parts, and all in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Buckets
from sidegate_sidecar.links.inbox.merge_queue import (
    CHANGES_PART,
    MAX_WAITING,
    PART,
    SLICE,
    MergeQueue,
)
from sidegate_sidecar.replication.merging import MAX_BUCKETS
from sidegate_sidecar.replication.outgoing.outbox import BATCH, CHANGES

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = "100/hour"


class Merged:
    """What was merged of whom, each part taking some time; and the turns of a loop."""

    def __init__(self, takes: int = SLICE) -> None:
        self.takes = takes
        self.now = 0
        self.parts: list[tuple[str, int, int, bool]] = []  # of whom, message, buckets, the last?
        self.fault = ""
        self.ways_made: list[int] = []  # behind how many parts it made way for other processes
        self._turns: list[Callable[[], None]] = []
        self.merge_queue = MergeQueue(
            self._merge, lambda: self.now, self._turns.append, self._make_way
        )

    def _merge(self, name: str, part: Buckets, is_last: bool) -> None:  # a callback
        self.now += self.takes
        if self.fault:
            raise ValueError(self.fault)
        self.parts.append((name, part.id, sum(len(it[1]) for it in part.groups), is_last))

    def _make_way(self) -> None:  # a callback
        self.ways_made.append(len(self.parts))

    def turn(self) -> bool:
        """Have the loop turn once; False if there was nothing to do."""
        turns, self._turns[:] = [*self._turns], []
        for work in turns:
            work()
        return bool(turns)


def message(number: int, count: int, groups: int = 1) -> Buckets:
    keys = [f"key{at}" for at in range(count)]
    return Buckets(number, [(LIMIT, keys, [1] * count)] * groups)


def test_what_fits_into_a_turn_is_merged_at_once() -> None:
    merged = Merged()
    merged.merge_queue.take("a", message(1, PART))
    assert merged.parts == [("a", 1, PART, True)]
    assert not merged.merge_queue


def test_a_long_message_is_merged_in_later_turns_and_its_last_part_is_marked() -> None:
    """So it is answered once, when all of it is merged, and behind what else came with it."""
    merged = Merged()
    merged.merge_queue.take("a", message(1, 2 * PART + 1))
    assert merged.parts == []
    while merged.turn():
        pass
    assert merged.parts == [("a", 1, PART, False), ("a", 1, PART, False), ("a", 1, 1, True)]


@pytest.mark.parametrize(
    ("count", "part"), [(BATCH, PART), (BATCH + 1, CHANGES_PART), (CHANGES, CHANGES_PART)]
)
def test_parts_are_larger_of_messages_that_no_walk_makes(count: int, part: int) -> None:
    """What has changed is known here: it is merged in a fraction of the time of new buckets."""
    merged = Merged()
    merged.merge_queue.take("a", message(1, count))
    merged.merge_queue.finish("a")
    assert merged.parts[0] == ("a", 1, part, False)


def test_a_turn_merges_for_as_long_as_it_has_time() -> None:
    merged = Merged(takes=SLICE // 3 + 1)
    merged.merge_queue.take("a", message(1, 8 * PART))
    merged.merge_queue.take("b", message(2, PART))  # in the same turn
    merged.turn()
    assert [it[0] for it in merged.parts] == ["a", "b", "a"]  # nodes take turns
    merged.turn()
    assert len(merged.parts) == 6


def test_between_two_turns_other_processes_have_the_processor() -> None:
    merged = Merged(takes=SLICE // 2)
    merged.merge_queue.take("a", message(1, 5 * PART))
    while merged.turn():
        pass
    assert merged.ways_made == [2, 4]


def test_a_check_waits_for_what_was_sent_of_its_key_only() -> None:
    merged = Merged()
    merged.merge_queue.take("a", message(1, 2 * PART))
    merged.merge_queue.finish_of("a", [("another", LIMIT, 1)])
    merged.merge_queue.finish_of("b", [("key0", LIMIT, 1)])
    assert merged.parts == []
    merged.merge_queue.finish_of("a", [("another", LIMIT, 1), (f"key{2 * PART - 1}", LIMIT, 1)])
    assert [it[3] for it in merged.parts] == [False, True]


def test_what_else_a_node_says_comes_after_all_that_it_has_sent() -> None:
    merged = Merged()
    for number in range(3):
        merged.merge_queue.take("a", message(number, 2 * PART))
        merged.merge_queue.take("b", message(number, 2 * PART))
    merged.merge_queue.finish("a")
    assert [it[1:] for it in merged.parts if it[0] == "a"] == [
        (number, PART, is_last) for number in range(3) for is_last in (False, True)
    ]
    assert merged.merge_queue  # those of b


def test_who_sends_more_than_it_may_makes_nothing_wait() -> None:
    merged = Merged()
    for number in range(MAX_WAITING + 2):
        merged.merge_queue.take("a", message(number, PART))
    assert len(merged.parts) > MAX_WAITING


def test_a_fault_is_told_to_who_sent_it_with_what_it_says_next() -> None:
    merged = Merged()
    merged.merge_queue.take("a", message(1, 2 * PART))
    merged.fault = "nonsense"
    merged.turn()
    merged.turn()
    merged.merge_queue.finish("b")
    with pytest.raises(WireError, match="nonsense"):
        merged.merge_queue.finish("a")
    merged.merge_queue.finish("a")  # once
    merged.turn()
    with pytest.raises(WireError, match="nonsense"):
        merged.merge_queue.take("a", message(2, 1))  # it was merged at once
    merged.merge_queue.take("c", message(3, 2 * PART + 1))
    merged.merge_queue.drop("c")
    assert not merged.merge_queue


@pytest.mark.parametrize(
    "whole",
    [
        message(1, 1, groups=MAX_BUCKETS + 1),
        Buckets(1, [(LIMIT, [], [])] * (MAX_BUCKETS + 1)),
        Buckets(1, []),
    ],
)
def test_what_is_too_large_is_refused_whole(whole: Buckets) -> None:
    merged = Merged()
    merged.merge_queue.take("a", whole)
    assert [it[3] for it in merged.parts] == [True]


def test_a_group_whose_lists_differ_in_length_is_passed_on_as_it_is() -> None:
    """Who merges it says what is wrong with it."""
    merged = Merged(takes=0)
    keys = [str(at) for at in range(2 * PART)]
    merged.merge_queue.take("a", Buckets(1, [(LIMIT, keys, [1]), (LIMIT, keys, [1] * len(keys))]))
    while merged.turn():
        pass
    assert [it[2] for it in merged.parts] == [2 * PART, PART, PART]
