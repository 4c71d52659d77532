"""The answer when nobody can be asked: open, closed, or this node's share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Source
from sidegate.buckets.limits import SECOND, Limit, Limits, parse_limits
from sidegate.client.unreachable.fallback import MAX_MEMORY, Fallback

NOW = 10**15
MINUTE = parse_limits("100/minute")


class TestPolicies:
    def test_open_lets_everything_through_and_owes_nothing(self) -> None:
        decision = Fallback("open").decide("k", MINUTE, 3, 5, NOW)
        assert (decision.allowed, decision.source) == (True, Source.OPEN)
        assert (decision.limits, decision.cost, list(decision.debts)) == (MINUTE, 3, [])
        assert (decision.remaining, decision.retry_after) == (None, 0.0)

    def test_closed_lets_nothing_through(self) -> None:
        decision = Fallback("closed").decide("k", MINUTE, 1, 5, NOW)
        assert (decision.allowed, decision.source) == (False, Source.CLOSED)
        assert (decision.limits, decision.retry_after) == (MINUTE, 0.0)

    def test_local_lets_the_share_through_and_shows_it(self) -> None:
        fallback = Fallback("local")
        decisions = [fallback.decide("k", MINUTE, 1, 5, NOW) for _ in range(21)]
        assert [decision.allowed for decision in decisions] == [True] * 20 + [False]
        assert {decision.source for decision in decisions} == {Source.LOCAL}
        assert decisions[0].limits == MINUTE.divided(5)
        assert decisions[-1].retry_after == 3.0
        assert fallback.parts(5) == 5

    @pytest.mark.parametrize("policy", ["open", "closed", "local"])
    def test_trouble_of_ones_own_goes_by_the_share_always(self, policy: str) -> None:
        fallback = Fallback(policy)
        decisions = [fallback.share("k", MINUTE, 1, 5, NOW) for _ in range(21)]
        assert [decision.allowed for decision in decisions] == [True] * 20 + [False]
        assert {decision.source for decision in decisions} == {Source.LOCAL}

    @pytest.mark.parametrize("policy", ["open", "closed"])
    def test_the_other_policies_divide_no_limits(self, policy: str) -> None:
        assert Fallback(policy).parts(5) == 1

    @pytest.mark.parametrize("policy", ["", "Open", "allow", "owner", "backup"])
    def test_an_unknown_policy_is_named_with_those_that_there_are(self, policy: str) -> None:
        with pytest.raises(ValueError, match=f"on_unreachable='{policy}': .*open, closed, local"):
            Fallback(policy)


class TestShare:
    @given(
        nodes=st.integers(1, 20),
        tokens=st.integers(1, 200),
        burst=st.integers(1, 200),
        data=st.data(),
    )
    def test_sum(self, nodes: int, tokens: int, burst: int, data: st.DataObject) -> None:
        """Nodes that decide alone admit no more than the limit together, but 1 token a node.

        A burst is divided with rounding down, to at least 1; the refill is divided exactly.
        """
        limits = Limits([Limit(tokens, 10, burst)])
        fallbacks = [Fallback("local") for _ in range(nodes)]
        now = admitted = 0
        for gap in data.draw(st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=12)):
            now += gap
            for fallback in fallbacks:
                while fallback.decide("k", limits, 1, nodes, NOW + now).allowed:
                    admitted += 1
        assert admitted <= burst + now * tokens // (10 * SECOND) + nodes

    def test_a_cost_above_the_share_is_charged_as_all_of_it(self) -> None:
        fallback = Fallback("local")
        decision = fallback.decide("k", MINUTE, 50, 10, NOW)
        assert (decision.allowed, decision.cost, decision.remaining) == (True, 10, 0)
        again = fallback.decide("k", MINUTE, 50, 10, NOW)
        assert (again.allowed, again.retry_after) == (False, 60.0)

    def test_a_cost_of_0_looks_and_charges_nothing(self) -> None:
        fallback = Fallback("local")
        looks = [fallback.decide("k", MINUTE, 0, 2, NOW) for _ in range(2)]
        assert [look.remaining for look in looks] == [50, 50]

    def test_limits_whose_shares_are_equal_are_one_in_answer_and_decision(self) -> None:
        limits = parse_limits("10/second burst 2; 10/second burst 3")
        fallback = Fallback("local")
        assert len(fallback.answer("k", limits, 1, 2, NOW)) == 2
        assert len(fallback.decide("k", limits, 1, 2, NOW).limits) == 1

    def test_it_charges_the_buckets_that_it_is_given(self) -> None:
        buckets = BucketTable()
        Fallback("local", buckets).decide("k", MINUTE, 1, 1, NOW)
        assert [debt for _, debt in buckets.held("k", NOW)] == [600_000_000]

    def test_its_own_buckets_are_swept_as_others_are_taken_from(self) -> None:
        fallback = Fallback("local")
        for at in range(1_000):
            fallback.decide(f"k{at}", MINUTE, 1, 1, NOW + at * SECOND)
        assert len(fallback._buckets) < 10

    def test_a_flood_of_keys_fills_no_more_than_24_mib(self) -> None:
        fallback = Fallback("local")
        assert fallback._buckets.max_memory == MAX_MEMORY == 24 << 20
