"""Heirs: nodes that leave at the same time don't leave to each other; the last one waits."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import SECOND
from sidegate.protocol.messages import Merged, Pulled, Stay, StayPromise
from sidegate_sidecar.cluster.place.heirs import ANSWER_WITHIN, ASK_EVERY, Heirs
from sidegate_sidecar.cluster.place.stages import Stage
from tests.sidecar.cluster.owners import charged, enter, knows_all
from tests.support.in_memory.clusters import Room

WITHIN = 10 * SECOND


# --- promises


def asked(heirs: Heirs, name: str, now: int = 0) -> Stay:
    [(to, question)] = heirs.ask([name], now)
    assert to == name
    return question


def answered(heirs: Heirs, sender: str, *, leaves: bool = False, holds: bool = True) -> StayPromise:
    return heirs.answer(sender, Stay(7, StayPromise.ASKED), holds=holds, leaves=leaves).promise


def promised(heirs: Heirs, name: str) -> None:
    heirs.answered(name, Stay(asked(heirs, name).id, StayPromise.GIVEN))
    assert name in heirs.promised


def test_who_stays_promises_and_who_has_no_place_refuses() -> None:
    assert answered(Heirs("b"), "a") is StayPromise.GIVEN
    assert answered(Heirs("b"), "a", holds=False) is StayPromise.REFUSED


def test_of_two_that_leave_the_later_name_stays() -> None:
    assert answered(Heirs("b"), "a", leaves=True) is StayPromise.GIVEN
    assert answered(Heirs("a"), "b", leaves=True) is StayPromise.REFUSED


def test_who_has_a_promise_and_leaves_promises_nothing() -> None:
    heirs = Heirs("b")
    promised(heirs, "c")
    assert answered(heirs, "a", leaves=True) is StayPromise.REFUSED


def test_what_was_asked_before_a_promise_counts_no_more() -> None:
    """Else three could each leave on the word of the next."""
    heirs = Heirs("b")
    before = asked(heirs, "c")
    assert answered(heirs, "a", leaves=True) is StayPromise.GIVEN
    heirs.answered("c", Stay(before.id, StayPromise.GIVEN))
    assert not heirs.promised
    promised(heirs, "c")


@pytest.mark.parametrize("promise", [StayPromise.REFUSED, StayPromise.ASKED])
def test_only_a_promise_is_one(promise: StayPromise) -> None:
    heirs = Heirs("b")
    heirs.answered("c", Stay(asked(heirs, "c").id, promise))
    heirs.answered("d", Stay(99, StayPromise.GIVEN))
    assert not heirs.promised


@pytest.mark.parametrize(("refuses", "after"), [(True, ASK_EVERY), (False, ANSWER_WITHIN)])
def test_who_refused_is_asked_again_and_who_says_nothing_is_given_more_time(
    *, refuses: bool, after: int
) -> None:
    """Else the answer of one that is far away would never be to the latest question."""
    heirs = Heirs("b")
    question = asked(heirs, "c")
    if refuses:
        heirs.answered("c", Stay(question.id, StayPromise.REFUSED))
    assert heirs.ask(["c"], after - 1) == []
    assert asked(heirs, "c", now=after).promise is StayPromise.ASKED


def test_a_promise_ends_with_the_link() -> None:
    heirs = Heirs("b")
    promised(heirs, "c")
    assert heirs.ask(["c"], 10 * ANSWER_WITHIN) == []
    heirs.on_disconnected("c")
    assert not heirs.promised
    asked(heirs, "c")


class Table:
    """Nodes that are told to leave at some moment; messages on each link keep their order."""

    def __init__(self, size: int, random: Random) -> None:
        self.random = random
        self.heirs = {name: Heirs(name) for name in "abcdefgh"[:size]}
        self.leaves: set[str] = set()
        self.links: dict[tuple[str, str], list[Stay]] = {}

    def post(self, sender: str, to: str, message: Stay) -> None:
        self.links.setdefault((sender, to), []).append(message)

    def ask(self, name: str, now: int) -> None:
        for to, question in self.heirs[name].ask([it for it in self.heirs if it != name], now):
            self.post(name, to, question)

    def arrive(self) -> None:
        """Have the first message on one of the links arrive; the gone answer no more."""
        (sender, to), queue = self.random.choice([it for it in self.links.items() if it[1]])
        message = queue.pop(0)
        if to not in self.heirs:
            return
        heirs = self.heirs[to]
        if message.promise is StayPromise.ASKED:
            leaves = to in self.leaves
            self.post(to, sender, heirs.answer(sender, message, holds=True, leaves=leaves))
        elif to in self.leaves:
            heirs.answered(sender, message)
            if heirs.promised:
                del self.heirs[to]

    def run(self) -> None:
        """Have all be told to leave, at moments of chance, and see to it that one is left."""
        for now in range(0, 100 * ASK_EVERY, ASK_EVERY // 4):
            for name in list(self.heirs):
                if name in self.leaves or self.random.random() < 0.2:
                    self.leaves.add(name)
                    self.ask(name, now)
            for _ in range(self.random.randrange(6)):
                if any(self.links.values()):
                    self.arrive()
            assert self.heirs, "all have left, each to another"


@given(st.integers(2, 6), st.integers(0, 10**9))
def test_they_never_all_leave_and_one_is_left_in_the_end(size: int, seed: int) -> None:
    """Whatever the order in which they hear of each other; the gone say nothing, so far."""
    table = Table(size, Random(seed))
    table.run()
    assert len(table.heirs) < size


# --- whole nodes


def leave(room: Room, names: str, *, patient: bool = True) -> None:
    for name in names:
        room[name].place.leave(room.now, WITHIN, patient=patient)


def test_the_last_owner_goes_on_deciding_and_hands_over_to_a_newcomer() -> None:
    """Three are told to go in one moment; what they knew is with the one that comes after it."""
    room = charged("abc")
    leave(room, "abc")
    room.run(2)
    stages = {name: room[name].stage for name in "abc"}
    assert sorted(stages.values()) == [Stage.LEAF, Stage.LEAF, Stage.WAITING]
    [last] = [name for name, stage in stages.items() if stage is Stage.WAITING]
    for name in "abc":
        assert room[name].route.nodes == (last,)
    enter(room, "d")
    room.run_until(lambda: room[last].stage is Stage.LEAF)
    assert not room[last].place.is_overdue
    assert room["d"].ring.nodes == ("d",)
    assert knows_all(room, "d")


def test_a_node_alone_stays_with_what_nobody_takes() -> None:
    """It waits for the drain, decides all the time, and is a member again."""
    room = Room("a")
    room.charge("a", "key")
    leave(room, "a")
    waited = room.run_until(lambda: room["a"].stage is Stage.MEMBER)
    assert waited == pytest.approx(10, abs=0.1)
    assert room.stages["a"][-3:] == [Stage.FLUSHING, Stage.WAITING, Stage.MEMBER]
    assert room["a"].route.nodes == ("a",)
    assert room["a"].place.joined


@pytest.mark.parametrize("after", [9.5, 9.9])
def test_one_that_comes_at_the_last_moment_takes_all(after: float) -> None:
    """Though it is on the ring, and has all buckets, only when the drain is over."""
    room = charged("a")
    leave(room, "a")
    room.run(after)
    room.add("b")
    room["b"].place.join(room.now)
    room.stopped.add("b")
    room.run(0.6)
    assert room["a"].stage is Stage.WAITING
    room.stopped.clear()
    room.run_until(lambda: room["a"].stage is Stage.LEAF, within=4)
    assert not room["a"].place.is_overdue
    assert knows_all(room, "b")


def test_a_node_that_need_not_wait_stays_at_once() -> None:
    room = Room("a")
    leave(room, "a", patient=False)
    assert room["a"].stage is Stage.MEMBER


def test_a_node_that_need_not_wait_leaves_to_one_that_is_there() -> None:
    room = Room("ab")
    leave(room, "a", patient=False)
    room.run_until(lambda: room["a"].stage is Stage.LEAF)


def test_a_node_that_stayed_can_leave_later() -> None:
    room = Room("a")
    leave(room, "a", patient=False)
    enter(room, "b")
    leave(room, "a")
    room.run_until(lambda: room["a"].stage is Stage.LEAF)
    assert room["b"].ring.nodes == ("b",)


def test_who_is_not_ready_to_hold_buckets_is_no_heir() -> None:
    """A newcomer is left to once it has been sent all, not before."""
    room = charged("a")
    room.add("b")
    leave(room, "a")
    room.lost = lambda it: isinstance(it[2], Pulled)
    room["b"].place.join(room.now)
    room.run(1)
    assert (room["a"].stage, room["b"].stage) == (Stage.WAITING, Stage.JOINING)


def test_whose_heir_dies_before_it_has_all_takes_its_place_again() -> None:
    """What nobody has taken yet is not thrown away."""
    room = charged("ab")
    room.lost = lambda it: it[0] == "b" and isinstance(it[2], Pulled | Merged)
    leave(room, "a")
    room.run_until(lambda: room["a"].stage is Stage.LEAVING)
    room.crash("b")
    room.run_until(lambda: room["a"].stage is Stage.WAITING)
    assert "a" in room["a"].route
    enter(room, "c")
    room.run_until(lambda: room["a"].stage is Stage.LEAF)
    assert knows_all(room, "c")
