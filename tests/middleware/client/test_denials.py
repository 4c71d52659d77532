"""Remembered denials: never denied what would have passed, bounded, and gone after a second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND, Limits, parse_limits
from sidegate.client.denials import Denials

NOW = 10**15


def ask(buckets: BucketTable, key: str, limits: Limits, cost: int, now: int) -> Decision:
    allowed, debts = buckets.take(key, limits, cost, now)
    return Decision(allowed, limits, cost, debts, Source.OWNER, "n1")


def denial(limits: str = "1/minute", debt: int = 60 * SECOND) -> Decision:
    return Decision(False, parse_limits(limits), 1, [debt], Source.OWNER, "n1")


class TestPromise:
    @given(
        text=st.sampled_from(
            ["10/second", "7/second", "3/second burst 1", "100/second; 50/second burst 9", "1/hour"]
        ),
        cost=st.sampled_from([1, 1, 1, 0]),
        gaps=st.lists(st.integers(0, SECOND // 4), min_size=1, max_size=30),
    )
    def test_no_check_that_could_pass_is_denied(
        self, text: str, cost: int, gaps: list[int]
    ) -> None:
        """Whatever is remembered is what the owner would say, to within 1 ns of refill."""
        limits, buckets, denials, now = parse_limits(text), BucketTable(), Denials(), NOW
        for gap in gaps:
            now += gap
            truth = ask(buckets, "k", limits, 0, now)
            if remembered := denials.recall("k", limits, cost, now):
                assert not ask(buckets, "k", limits, cost, now - 1).allowed
                assert remembered.source is Source.REMEMBERED
                for said, owed in zip(remembered.debts, truth.debts, strict=True):
                    assert owed <= said <= owed + 1
                continue
            decided = ask(buckets, "k", limits, cost, now)
            if not decided.allowed:
                denials.remember("k", decided, now)

    def test_until_the_exact_moment(self) -> None:
        """It holds to the last nanosecond before the check can pass, and not at that moment."""
        denials, limits = Denials(), parse_limits("10/second burst 1")
        buckets = BucketTable()
        ask(buckets, "k", limits, 1, NOW)
        denials.remember("k", ask(buckets, "k", limits, 1, NOW), NOW)
        last = denials.recall("k", limits, 1, NOW + SECOND // 10 - 1)
        assert last is not None
        assert last.wait == 1
        assert last.debts == [1]
        assert denials.recall("k", limits, 1, NOW + SECOND // 10) is None
        assert len(denials) == 0

    def test_it_holds_for_a_second_at_most_since_it_may_have_been_reset(self) -> None:
        denials, limits = Denials(), parse_limits("1/minute")
        denials.remember("k", denial(), NOW)
        assert denials.recall("k", limits, 1, NOW + SECOND - 1) is not None
        assert denials.recall("k", limits, 1, NOW + SECOND) is None

    def test_another_key_cost_or_limit_is_another_question(self) -> None:
        denials = Denials()
        denials.remember("k", denial(), NOW)
        assert denials.recall("k", parse_limits("1/minute"), 1, NOW) is not None
        assert denials.recall("l", parse_limits("1/minute"), 1, NOW) is None
        assert denials.recall("k", parse_limits("1/minute"), 0, NOW) is None
        assert denials.recall("k", parse_limits("2/minute"), 1, NOW) is None

    def test_its_debts_have_shrunk_by_the_time_that_has_passed(self) -> None:
        denials = Denials()
        denials.remember("k", denial(debt=70 * SECOND), NOW)
        recalled = denials.recall("k", parse_limits("1/minute"), 1, NOW + SECOND // 2)
        assert recalled is not None
        assert (recalled.debts, recalled.node) == ([70 * SECOND - SECOND // 2], "n1")

    @pytest.mark.parametrize("source", [Source.LOCAL, Source.CLOSED, Source.OPEN])
    def test_what_a_node_decided_without_the_owner_is_none(self, source: Source) -> None:
        denials = Denials()
        debts = [60 * SECOND] if source is Source.LOCAL else []
        denials.remember("k", Decision(False, parse_limits("1/minute"), 1, debts, source), NOW)
        assert len(denials) == 0

    def test_a_decision_that_allowed_is_none(self) -> None:
        denials = Denials()
        denials.remember("k", ask(BucketTable(), "k", parse_limits("1/minute"), 1, NOW), NOW)
        assert len(denials) == 0


class TestBound:
    def test_a_full_table_forgets_the_one_that_came_first(self) -> None:
        denials, limits = Denials(most=3), parse_limits("1/minute")
        for at, key in enumerate("abcd"):
            denials.remember(key, denial(), NOW + at)
        held = [key for key in "abcd" if denials.recall(key, limits, 1, NOW + 9)]
        assert held == ["b", "c", "d"]

    def test_one_that_is_renewed_takes_nobodys_place_and_is_the_youngest(self) -> None:
        denials, limits = Denials(most=3), parse_limits("1/minute")
        for key in "abcad":
            denials.remember(key, denial(), NOW)
        held = [key for key in "abcd" if denials.recall(key, limits, 1, NOW)]
        assert held == ["a", "c", "d"]

    def test_nothing_is_forgotten_for_one_that_is_renewed(self) -> None:
        denials = Denials(most=2)
        for key in "abb":
            denials.remember(key, denial(), NOW)
        assert len(denials) == 2

    @given(st.lists(st.text(max_size=3), max_size=50))
    def test_there_are_never_more_than_its_bound(self, keys: list[str]) -> None:
        denials = Denials(most=5)
        for key in keys:
            denials.remember(key, denial(), NOW)
            assert len(denials) <= 5

    def test_after_a_reset_of_its_key_nothing_is_remembered(self) -> None:
        denials = Denials()
        denials.remember("k", denial(), NOW)
        denials.remember("k", denial("2/minute", 120 * SECOND), NOW)
        denials.remember("l", denial(), NOW)
        denials.forget("k", 0)
        assert len(denials) == 1

    def test_what_was_asked_before_a_reset_is_not_remembered_after_it(self) -> None:
        """Its answer came behind the reset, and says what was before: who waits would wait on."""
        by_key, by_check = Denials(), Denials()
        by_key.forget("k", NOW)
        by_check.forget_check(("k", "1/minute", 1), NOW)
        for denials in (by_key, by_check):
            denials.remember("k", denial(), NOW)
            assert not denials
            denials.remember("k", denial(), NOW + 1)
            assert denials
