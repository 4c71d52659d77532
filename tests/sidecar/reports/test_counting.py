"""Counting: nothing is lost or counted twice on the way into the tables, and little waits."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.messages import Check
from sidegate_sidecar.reports.activity import Activity
from sidegate_sidecar.reports.counting import BUSY, MAX_KEYS, MAX_OTHERS, Counting
from sidegate_sidecar.reports.series import Column

NUMBERS = st.lists(st.integers(0, 9), max_size=9)


class Loop:
    """What is called in the next turn."""

    def __init__(self) -> None:
        self.now = 10**12
        self.due: list[Callable[[], None]] = []

    def later(self, work: Callable[[], None]) -> None:
        self.due.append(work)

    def turn(self) -> None:
        due, self.due = self.due, []
        for work in due:
            work()


def counting(loop: Loop, *, is_later: bool = True) -> Counting:
    return Counting(Activity(), lambda: loop.now, loop.later if is_later else None, Activity())


def checks(*numbers: int) -> list[Check]:
    return [(f"r:{number}", "1/s", 1) for number in numbers]


def total(it: Counting, column: Column) -> int:
    return sum(count for rule in it.activity.by_rule.values()
               for (_, which), count in rule.totals.items() if which is column)  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from(["owner", "backup"]), st.lists(st.integers(0, 9), max_size=9)
            ),
            st.sampled_from(["tick", "turn", "settle"]),
        ),
        max_size=40,
    )
)
def test_all_that_is_counted_is_folded_once(
    steps: list[tuple[str, list[int]] | str],
) -> None:
    """However ticks, turns of the loop and reports come in between."""
    loop = Loop()
    it = counting(loop)
    expected = 0
    for step in steps:
        loop.now += 3 * 10**8
        match step:
            case "tick":
                it.tick()
            case "turn":
                loop.turn()
            case "settle":
                list(it.settle())
            case str():
                raise AssertionError(step)
            case source, numbers:
                it.count(source, Column.DENIED, checks(*numbers))
                it.owned(checks(*numbers))
                expected += len(numbers)
    list(it.settle())
    assert total(it, Column.ALLOWED) == total(it, Column.DENIED) == expected
    assert it.waiting == 0


def test_it_is_folded_by_slices_in_turns_of_the_loop() -> None:
    loop = Loop()
    it = counting(loop)
    it.owned([(f"r{at % 50}:{at}", "1/s", 1) for at in range(5_000)])
    loop.turn()
    assert total(it, Column.ALLOWED) == 0
    it.tick()
    turns = 0
    while loop.due:
        before = total(it, Column.ALLOWED)
        loop.turn()
        assert total(it, Column.ALLOWED) - before <= 1_024
        turns += 1
    assert turns >= 10
    assert total(it, Column.ALLOWED) == 5_000


def test_it_is_due_once_a_second() -> None:
    loop = Loop()
    it = counting(loop)
    it.tick()
    for tenth in range(1, 30):
        loop.now += 10**8
        it.owned(checks(1))
        it.tick()
        loop.turn()
        assert total(it, Column.ALLOWED) == tenth // 10 * 10


def test_more_than_turns_can_fold_is_folded_as_it_comes() -> None:
    """Without end, what waits stays bounded."""
    loop = Loop()
    it = counting(loop)
    for begin in range(0, 100_000, 500):
        it.owned(checks(*range(begin, begin + 500)))
        it.count("backup", Column.DENIED, checks(*range(begin, begin + 500)))
        loop.turn()
        assert it.waiting <= 2 * MAX_KEYS + MAX_OTHERS
    list(it.settle())
    assert total(it, Column.ALLOWED) == total(it, Column.DENIED) == 100_000


def test_what_apps_tell_is_folded_as_it_comes_too() -> None:
    """However many keys one of them makes up in a turn of the loop."""
    it = counting(Loop())
    for begin in range(0, 60_000, 250):
        named = range(begin, begin + 250)
        it.told([(f"r:{at}", "local", Column.DENIED, 2, at) for at in named])
        assert it.waiting <= MAX_KEYS + 4 * MAX_OTHERS
    list(it.settle())
    assert total(it, Column.DENIED) == 120_000


def test_what_apps_record_is_folded_in_turns_of_the_loop_too() -> None:
    """However many keys one of them makes up in a turn of the loop."""
    loop = Loop()
    it = counting(loop)
    for begin in range(0, 60_000, 250):
        it.record("e", [(f"e:{at}", 1, 2) for at in range(begin, begin + 250)])
        assert it.waiting <= 2 * MAX_KEYS
    while loop.due:
        loop.turn()
    assert it.waiting == 0
    assert it.events.by_rule["e"].totals == {
        ("owner", Column.ALLOWED): 60_000,
        ("owner", Column.COST): 120_000,
    }


def test_answers_say_what_became_of_checks() -> None:
    loop = Loop()
    it = counting(loop, is_later=False)
    it.answered("local", checks(1, 2, 3), [[1, 5], [0, 9], "no such limit"])
    list(it.settle())
    assert it.activity.by_rule["r"].totals == {
        ("local", Column.ALLOWED): 1,
        ("local", Column.COST): 1,
        ("local", Column.DENIED): 1,
        ("local", Column.ERRORS): 1,
    }


def test_reports_on_a_busy_node_may_be_half_a_second_behind() -> None:
    """However often they are asked for; a node that isn't busy tells all."""
    loop = Loop()
    it = counting(loop)
    for busy in (False, True):
        it.owned(checks(*range(100)))
        list(it.settle())
        before = total(it, Column.ALLOWED)
        came = BUSY if busy else 100
        it.owned(checks(*[1] * came))
        list(it.settle())
        assert total(it, Column.ALLOWED) == before + (0 if busy else came)
        loop.now += 5 * 10**8
        list(it.settle())
        assert total(it, Column.ALLOWED) == before + came
