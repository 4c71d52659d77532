"""The first keys in debt: held by hypothesis against sorting all of them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.key_messages import KeyOrder, KeyRow, KeysBy, KeysListed, ListKeys
from sidegate.reports import key_ranking
from sidegate.reports.key_ranking import MAX_BYTES, MAX_HELD, KeyRanking, joined, matching
from tests.support.steps import finished

START = 10**15
LIMITS = ("50/hour", "60/hour; 70/day")

charges = st.lists(
    st.tuples(st.sampled_from("abcdefghij"), st.sampled_from(LIMITS), st.integers(1, 5)),
    max_size=40,
)


def asking(order: KeyOrder, most: int, text: str = "", by: KeysBy = KeysBy.PREFIX) -> ListKeys:
    return ListKeys(1, 0, 1, by, text, order, most)


@example([(key, "50/hour", 1) for key in "acb"], KeyOrder.DEBT, 1, 1, 0)
@given(charges, st.sampled_from(KeyOrder), st.integers(1, 12), st.integers(1, 9), st.integers(0, 3))
def test_they_are_those_that_sorting_all_gives(
    charged: list[tuple[str, str, int]], order: KeyOrder, most: int, piece: int, pruned_at: int
) -> None:
    """However few are looked at at a time, and whatever isn't owned."""
    table = BucketTable()
    for key, text, cost in charged:
        table.take(key, parse_limits(text), cost, START)
    before, key_ranking._PRUNED_AT = key_ranking._PRUNED_AT, pruned_at
    try:
        ranking = KeyRanking(asking(order, most), table, lambda key: key not in "cg")
        for text, keys in table.keys(piece):
            ranking.add(text, keys, START)
        rows = ranking.rows(START)
    finally:
        key_ranking._PRUNED_AT = before
    debts = {key: max(debt for _, debt in table.held(key, START)) for key, *_ in charged}
    owned = [key for key in debts if key not in "cg"]
    by_debt = sorted(owned, key=lambda key: (-debts[key], key))
    expected = by_debt if order is KeyOrder.DEBT else sorted(owned)
    found = [key for key, _, _ in rows]
    if order is KeyOrder.DEBT:  # of those that owe the same any may be there
        assert [debts[key] for key in found] == [debts[key] for key in expected[:most]]
        assert set(found) <= set(owned)
    else:
        assert found == expected[:most]
    assert ranking.more == (len(owned) > most)
    for key, place, held in rows:
        assert place == 0
        assert sorted(held) == sorted((str(it), debt) for it, debt in table.held(key, START))


def test_an_answer_is_no_longer_than_half_a_frame() -> None:
    table = BucketTable()
    for at in range(2_000):
        table.take(f"{at:0512}", parse_limits("5/hour"), 1, START)
    ranking = KeyRanking(asking(KeyOrder.KEY, 1_000), table)
    for piece in table.keys(500):
        ranking.add(*piece, START)
    rows = ranking.rows(START)
    assert MAX_BYTES * 0.9 < sum(len(key) + 16 for key, _, _ in rows) <= MAX_BYTES
    assert ranking.more


def test_of_a_key_with_countless_limits_those_that_owe_most_are_told() -> None:
    table = BucketTable()
    for at in range(1, 2 * MAX_HELD):
        table.take("k", parse_limits(f"10/{at} hours"), 1, START)
    ranking = KeyRanking(asking(KeyOrder.DEBT, 5), table)
    for piece in table.keys(500):
        ranking.add(*piece, START)
    [(_, _, held)] = ranking.rows(START)
    assert len(held) == MAX_HELD
    assert held[0] == ("10/63 hours", 63 * 360 * 10**9)


def test_an_identity_is_all_that_comes_after_the_first_colon() -> None:
    keys = ["a:k", "s/a:k", "a:b:k", "k", ":k", "a:kk", "a:"]
    assert matching(KeysBy.IDENTITY, "k", keys) == ["a:k", "s/a:k", ":k"]
    assert matching(KeysBy.IDENTITY, "b:k", keys) == ["a:b:k"]
    assert matching(KeysBy.IDENTITY, "", keys) == ["a:"]


def test_answers_are_joined_in_order_and_a_key_of_two_is_told_once() -> None:
    one: list[KeyRow] = [("a", 0, [("5/hour", 9)]), ("b", 0, [("5/hour", 3)])]
    two: list[KeyRow] = [("b", 0, [("5/hour", 7)]), ("c", 0, [("5/hour", 8)])]
    answers = [
        KeysListed(5, ["n1"], [], [], one, 0),
        KeysListed(6, ["n2"], ["n4"], ["n2"], two, 0),
    ]
    found = finished(joined(asking(KeyOrder.DEBT, 2), answers, ["n3"]))
    assert found == KeysListed(
        1, ["n1", "n2"], ["n3", "n4"], ["n2"], [one[0], ("c", 1, [("5/hour", 8)])], 1
    )
    by_key = finished(joined(asking(KeyOrder.KEY, 5), answers, []))
    assert [(key, place, held[0][1]) for key, place, held in by_key.rows] == [
        *(("a", 0, 9), ("b", 1, 7), ("c", 1, 8))
    ]
    assert by_key.more == 0


def test_what_makes_no_sense_in_an_answer_is_left_out() -> None:
    """A place that no node has, and a key without buckets."""
    answer = KeysListed(5, ["n1"], [], [], [("a", 1, [("5/hour", 9)]), ("b", 0, [])], 0)
    assert finished(joined(asking(KeyOrder.DEBT, 2), [answer], [])).rows == []


@pytest.mark.parametrize("order", KeyOrder)
def test_answers_of_many_nodes_are_joined_in_slices(order: KeyOrder) -> None:
    """Checks go first; and what comes first of all is what came first of each."""
    rows: list[KeyRow] = [
        (f"k{at}", 0, [("5/hour", at * 7_919 % 10_007)]) for at in range(1, 10_001)
    ]
    answers = [
        KeysListed(5, [f"n{at}"], [], [], rows[at * 1_000 : (at + 1) * 1_000], 0)
        for at in range(10)
    ]
    assert sum(1 for _ in joined(asking(order, 1_000), answers, [])) == 40
    found = finished(joined(asking(order, 1_000), answers, []))
    by_key = order is KeyOrder.KEY
    ordered = sorted(rows, key=lambda row: (0 if by_key else -row[2][0][1], row[0]))
    assert [row[0] for row in found.rows] == [row[0] for row in ordered[:1_000]]
    assert found.more == 1
