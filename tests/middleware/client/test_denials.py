"""Remembered denials: never denied what would have passed, bounded, and gone after a second."""

from __future__ import annotations

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

    def test_a_second_at_most(self) -> None:
        """Even a denial for an hour is asked about again after a second: it may have been reset."""
        denials, limits = Denials(), parse_limits("1/minute")
        denials.remember("k", denial(), NOW)
        assert denials.recall("k", limits, 1, NOW + SECOND - 1) is not None
        assert denials.recall("k", limits, 1, NOW + SECOND) is None

    def test_only_the_same_question(self) -> None:
        """Another key, cost or limit is another question."""
        denials = Denials()
        denials.remember("k", denial(), NOW)
        assert denials.recall("k", parse_limits("1/minute"), 1, NOW) is not None
        assert denials.recall("l", parse_limits("1/minute"), 1, NOW) is None
        assert denials.recall("k", parse_limits("1/minute"), 0, NOW) is None
        assert denials.recall("k", parse_limits("2/minute"), 1, NOW) is None

    def test_as_of_now(self) -> None:
        """The debts have shrunk by the time that has passed; the rest is as it was."""
        denials = Denials()
        denials.remember("k", denial(debt=70 * SECOND), NOW)
        recalled = denials.recall("k", parse_limits("1/minute"), 1, NOW + SECOND // 2)
        assert recalled is not None
        assert (recalled.debts, recalled.node) == ([70 * SECOND - SECOND // 2], "n1")

    @pytest.mark.parametrize("source", [Source.LOCAL, Source.CLOSED, Source.OPEN])
    def test_only_promises(self, source: Source) -> None:
        """What a node decided without the owner is no promise: the owner may be back."""
        denials = Denials()
        debts = [60 * SECOND] if source is Source.LOCAL else []
        denials.remember("k", Decision(False, parse_limits("1/minute"), 1, debts, source), NOW)
        assert len(denials) == 0

    def test_allowed(self) -> None:
        """A decision that allowed is no denial."""
        denials = Denials()
        denials.remember("k", ask(BucketTable(), "k", parse_limits("1/minute"), 1, NOW), NOW)
        assert len(denials) == 0


class TestBound:
    def test_oldest_goes_first(self) -> None:
        """A full table forgets the denial that came first, and no other."""
        denials, limits = Denials(most=3), parse_limits("1/minute")
        for at, key in enumerate("abcd"):
            denials.remember(key, denial(), NOW + at)
        held = [key for key in "abcd" if denials.recall(key, limits, 1, NOW + 9)]
        assert held == ["b", "c", "d"]

    def test_again(self) -> None:
        """A denial that is renewed takes nobody's place, and is the youngest then."""
        denials, limits = Denials(most=3), parse_limits("1/minute")
        for key in "abcad":
            denials.remember(key, denial(), NOW)
        held = [key for key in "abcd" if denials.recall(key, limits, 1, NOW)]
        assert held == ["a", "c", "d"]

    def test_renewed_in_a_full_table(self) -> None:
        """Nothing is forgotten for it even when the table is full."""
        denials = Denials(most=2)
        for key in "abb":
            denials.remember(key, denial(), NOW)
        assert len(denials) == 2

    @given(st.lists(st.text(max_size=3), max_size=50))
    def test_never_more(self, keys: list[str]) -> None:
        """However many keys are denied, the table holds no more than its bound."""
        denials = Denials(most=5)
        for key in keys:
            denials.remember(key, denial(), NOW)
            assert len(denials) <= 5

    def test_forget(self) -> None:
        """After a reset of the key nothing of it is remembered."""
        denials = Denials()
        denials.remember("k", denial(), NOW)
        denials.remember("k", denial("2/minute", 120 * SECOND), NOW)
        denials.remember("l", denial(), NOW)
        denials.forget("k")
        assert len(denials) == 1
