"""Reports of several nodes: what each has counted, added up, and who comes first of all."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import MAX_FRAME_BYTES, decode, encode
from sidegate.protocol.report_messages import MAX_MISSING, MAX_TOP, ReportAnswer, ReportPart
from sidegate_sidecar.config import MAX_REPORT_RULES
from sidegate_sidecar.reports.activity import SECOND, Activity
from sidegate_sidecar.reports.merging import merge
from sidegate_sidecar.reports.part import CHUNK, make_part
from sidegate_sidecar.reports.recent_keys import MINUTE
from sidegate_sidecar.reports.series import Column
from tests.sidecar.reports.reporting import decide, query, report
from tests.support.steps import finished

NODES = ("a", "b", "c")
NOW = 100 * MINUTE

DECIDED = st.lists(
    st.tuples(
        st.integers(0, 30),  # the key, which says its rule and its owner
        st.sampled_from([Column.ALLOWED, Column.DENIED, Column.ERRORS]),
        st.integers(1, 50),  # times
        st.integers(0, 200),  # seconds ago
    ),
    max_size=80,
)


def key_of(number: int) -> str:
    return f"r{number % 2}:{number}"


def nodes_that(decided: list[tuple[int, Column, int, int]], rule_bytes: int) -> dict[str, Activity]:
    """Return nodes each of which has decided what it owns."""
    nodes = {name: Activity(rule_bytes=rule_bytes) for name in NODES}
    for number, column, times, ago in sorted(decided, key=lambda it: -it[3]):
        counted = key_of(number), times, times
        decide(nodes[NODES[number % 3]], "owner", column, [counted], NOW - ago * SECOND)
    return nodes


@given(DECIDED, st.integers(1, 40), st.sampled_from([1 << 13, 1 << 20]))
def test_keys_are_counted_within_the_error_and_most_denied_come_first(
    decided: list[tuple[int, Column, int, int]], top: int, rule_bytes: int
) -> None:
    """Also where a rule has room for few keys."""
    answer = report(nodes_that(decided, rule_bytes), query(last=300, top=top), NOW)
    asked, denied = Counter[str](), Counter[str]()
    for number, column, times, _ in decided:
        if column is not Column.ERRORS:
            asked[key_of(number)] += times
        if column is Column.DENIED:
            denied[key_of(number)] += times
    for key, node, (most, off, most_denied, off_denied) in answer.rows:
        assert node == NODES[int(key[3:]) % 3]
        assert most - off <= asked[key] <= most
        assert most_denied - off_denied <= denied[key] <= most_denied
        assert max(off, off_denied) <= answer.error
    ranks = [(sums[2], sums[0]) for _, _, sums in answer.rows]
    assert ranks == sorted(ranks, reverse=True)
    if not answer.error:
        first = sorted(((denied[key], asked[key]) for key in asked), reverse=True)
        assert ranks == first[:top]
    for key in asked.keys() - {row[0] for row in answer.rows}:
        if len(answer.rows) < top:
            assert asked[key] <= answer.error


@given(DECIDED, st.integers(1, 300))
def test_sums_are_the_same_by_whatever_they_are_given(
    decided: list[tuple[int, Column, int, int]], last: int
) -> None:
    nodes = nodes_that(decided, 1 << 20)
    in_time = [it for it in decided if it[3] < last]
    expected = [sum(it[2] for it in in_time if it[1] is column) for column in Column]
    expected[Column.COST] = expected[Column.ALLOWED]
    for by in ("rule", "source", "node", "time"):
        answer = report(nodes, query(by, last), NOW)
        assert answer.totals == expected
        assert [sum(row[2][column] for row in answer.rows) for column in Column] == expected
    line = report(nodes, query("time", last), NOW).rows
    assert [int(age) for age, _, _ in line] == list(range(last - 1, -1, -1))
    for age, _, sums in line:
        ago = [it[2] for it in in_time if it[3] == int(age) and it[1] is Column.DENIED]
        assert sums[Column.DENIED] == sum(ago)


def test_hours_are_given_by_the_minute() -> None:
    node = Activity()
    for minute in range(180):
        decide(node, "owner", Column.ALLOWED, [("r:k", minute, minute)], minute * MINUTE)
    answer = report({"a": node}, query("time", 7_200), 179 * MINUTE)
    assert [int(age) for age, _, _ in answer.rows] == list(range(7_140, -1, -60))
    assert [sums[0] for _, _, sums in answer.rows] == list(range(60, 180))
    assert answer.totals[0] == sum(range(60, 180))


def test_keys_cover_whole_minutes() -> None:
    """So a report of the last minute has those of the minute before it as well."""
    node = Activity()
    for seconds in (0, 59, 61, 125):
        decide(node, "owner", Column.ALLOWED, [("r:k", 1, 1)], NOW + seconds * SECOND)
    answer = report({"a": node}, query(last=60), NOW + 125 * SECOND)
    assert answer.covers == 65
    assert answer.rows == [("r:k", "a", [2, 0, 0, 0])]
    assert report({"a": node}, query("rule", last=60), NOW + 125 * SECOND).covers == 60


def test_what_several_nodes_have_counted_of_one_key_adds_up() -> None:
    """After its owner has changed; the node is the one that has counted most."""
    one, two = Activity(), Activity()
    decide(one, "owner", Column.DENIED, [("r:k", 7, 7)], NOW)
    decide(two, "backup", Column.DENIED, [("r:k", 2, 2)], NOW)
    answer = report({"a": one, "b": two}, query(), NOW, missing=("c",))
    assert answer.rows == [("r:k", "a", [9, 0, 9, 0])]
    assert (answer.answered, answer.of, answer.missing) == (2, 3, ["c"])


def test_a_rule_that_no_node_knows_is_answered_by_those_that_there_are() -> None:
    """One that a single node knows is known."""
    one, two = Activity(), Activity()
    decide(one, "owner", Column.DENIED, [("api:k", 7, 7)], NOW)
    nodes = {"a": one, "b": two}
    assert report(nodes, query(rule="apy"), NOW).known == ["api", "other"]
    assert report(nodes, query(rule="api"), NOW).known is None
    assert report(nodes, query(rule="api"), NOW).rows == [("api:k", "a", [7, 0, 7, 0])]


def test_the_largest_answer_fits_into_a_frame() -> None:
    row = ("k" * 512, "n" * 253, [2**62] * 5)
    missing = ["n" * 253] * MAX_MISSING
    known = ["r" * 512] * 64
    answer = ReportAnswer(2**62, 1, 2**62, missing, 600, 2**62, [2**62] * 5, [row] * MAX_TOP, known)
    assert len(encode(answer)) <= MAX_FRAME_BYTES


def test_the_rows_of_as_many_rules_as_may_be_fit_into_a_part() -> None:
    """Or the node that asked would close the link."""
    activity = Activity(MAX_REPORT_RULES)
    for at in range(MAX_REPORT_RULES + 1):
        decide(activity, "owner", Column.ALLOWED, [(f"{at:0511}:", 1, 1)], NOW)
    part = finished(make_part(activity, query(by="rule"), "a", NOW))
    assert len(part.rows) == MAX_REPORT_RULES + 1
    body = encode(part)
    assert len(body) <= MAX_FRAME_BYTES
    assert decode(body[4:]) == part


def test_the_parts_of_many_nodes_are_merged_in_slices() -> None:
    """Checks go first: none waits for the rows of all nodes."""
    rows = [(f"k{at}", [at, 0, at, 0]) for at in range(MAX_TOP)]
    parts = [
        ReportPart(1, f"n{at}", 0, [0] * 5, [(f"{at}{key}", sums) for key, sums in rows])
        for at in range(50)
    ]
    steps = merge(query(top=MAX_TOP), parts, (), NOW)
    assert sum(1 for _ in steps) >= len(parts) * (1 + MAX_TOP // CHUNK)
