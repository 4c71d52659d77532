"""Events in the tables of several nodes: sums over them are what was recorded."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import encode
from sidegate.protocol.keys import OTHER
from sidegate.protocol.report_messages import MAX_COUNT, MAX_SUM, By, EventQuery
from sidegate_sidecar.reports.activity import SECOND, Activity
from sidegate_sidecar.reports.recent_keys import MINUTE
from sidegate_sidecar.reports.series import MAX_VALUE
from tests.sidecar.reports.reporting import record, report

NODES = ("a", "b", "c")
NOW = 100 * MINUTE
COUNT, SUM = 0, 4  # columns of totals

RECORDED = st.lists(
    st.tuples(
        st.integers(0, 30),  # the key, which says its event and its owner
        st.integers(1, 50),  # times
        st.integers(0, 10**6),  # what that sums up to
        st.integers(0, 200),  # seconds ago
    ),
    max_size=60,
)


def query(by: By = "key", event: str = "", last: int = 300, top: int = 20) -> EventQuery:
    return EventQuery(1, 0, last, event, by, top)


@given(RECORDED, st.sampled_from([1 << 13, 1 << 20]))
def test_sums_over_all_nodes_are_what_was_recorded(
    recorded: list[tuple[int, int, int, int]], rule_bytes: int
) -> None:
    """And keys are within their errors, also where an event has room for few."""
    nodes = {name: Activity(rule_bytes=rule_bytes) for name in NODES}
    counts, sums = Counter[str](), Counter[str]()
    for number, times, total, ago in sorted(recorded, key=lambda it: -it[3]):
        name = f"e{number % 2}"
        row = f"{name}:{number}", times, total
        record(nodes[NODES[number % 3]], name, [row], NOW - ago * SECOND)
        counts[row[0]] += times
        sums[row[0]] += total
    bys: tuple[By, ...] = ("key", "rule", "node", "time")
    for by in bys:
        totals = report(nodes, query(by), NOW).totals
        assert (totals[COUNT], totals[SUM]) == (counts.total(), sums.total())
    by_event = {name: its for name, _, its in report(nodes, query("rule"), NOW).rows}
    for name, its in by_event.items():
        mine = [key for key in counts if key.startswith(name)]
        assert its[COUNT] == sum(counts[key] for key in mine)
        assert its[SUM] == sum(sums[key] for key in mine)
    for key, node, (most, off, most_sum, off_sum) in report(nodes, query(), NOW).rows:
        assert node == NODES[int(key[3:]) % 3]
        assert most - off <= counts[key] <= most
        assert most_sum - off_sum <= sums[key] <= most_sum


def test_what_has_no_key_counts_for_its_event_only() -> None:
    activity = Activity()
    record(activity, "signup", [("signup:DE", 3, 5), ("", 7, 9)], NOW)
    answer = report({"a": activity}, query(event="signup"), NOW)
    assert (answer.totals[COUNT], answer.totals[SUM]) == (10, 14)
    assert answer.rows == [("signup:DE", "a", [3, 0, 5, 0])]


def test_an_event_that_comes_as_the_65th_counts_with_the_others() -> None:
    activity = Activity(most=64)
    for at in range(70):
        record(activity, f"e{at}", [(f"e{at}:k", 1, 1)], NOW)
    assert len(activity.by_rule) == 65
    other = report({"a": activity}, query(event=OTHER), NOW)
    assert other.totals[COUNT] == 6
    assert {key for key, _, _ in other.rows} == {f"e{at}:k" for at in range(64, 70)}


def test_more_than_a_number_can_say_is_the_largest_there_is() -> None:
    """Whatever an app tells, a report of it can be sent."""
    activity = Activity()
    rows = [("signup:k", MAX_COUNT, MAX_SUM)] * 10_000
    for second in range(80):
        record(activity, "signup", rows, NOW + second * SECOND)
    bys: tuple[By, ...] = ("key", "rule", "time")
    for by in bys:
        answer = report({"a": activity, "b": activity}, query(by), NOW + 80 * SECOND)
        assert answer.totals[SUM] == MAX_VALUE
        assert encode(answer)
