"""Buckets against the exact model: whatever is done to both, they answer the same."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limits, parse_limits
from tests.middleware.buckets.contents import counted_anew, entries, keys_by_text
from tests.middleware.buckets.model import BucketModel

SECOND = 10**9
TEXTS = [
    "5/second",
    "7/second",
    "7/second; 3/minute",
    "3/minute; 11/hour burst 4; 7/second",
    "999983/month burst 2",
    "1/day burst 3",
]
KEYS = st.sampled_from(["a", "b", "c"])
LIMITS = st.sampled_from([parse_limits(text) for text in TEXTS])


def around(interval: int, times: int, shift: int) -> int:
    """Return a pause of so many intervals, and a little less or more."""
    return max(interval * times + shift, 0)


PAUSES = st.one_of(
    st.integers(0, 2),
    st.integers(0, 3 * SECOND),
    st.integers(0, 400 * 86_400 * SECOND),
    # around the moments at which a token comes
    st.builds(
        around,
        st.sampled_from([SECOND // 5, SECOND // 7, 20 * SECOND, 3_600 * SECOND // 11]),
        st.integers(0, 8),
        st.integers(-1, 2),
    ),
)


class BucketsAgainstTheModel(RuleBasedStateMachine):
    """Equal in every answer, which is stronger than what is promised: 1 ns less at most."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets = BucketTable()
        self.model = BucketModel()
        self.now = 10**15

    @rule(pause=PAUSES)
    def wait(self, pause: int) -> None:
        self.now += pause

    @rule(key=KEYS, limits=LIMITS, cost=st.integers(0, 7))
    def take(self, key: str, limits: Limits, cost: int) -> None:
        cost = min(cost, limits.smallest_burst)
        ours = self.buckets.take(key, limits, cost, self.now)
        assert ours == self.model.take(key, limits, cost, self.now)

    @rule(key=KEYS, limits=LIMITS)
    def take_all_there_is(self, key: str, limits: Limits) -> None:
        cost = min(self.model.remaining(key, limit, self.now) for limit in limits)
        is_over = any(self.model.level(key, limit, self.now) < 0 for limit in limits)
        assert self.buckets.take(key, limits, cost, self.now)[0] is not is_over
        self.model.take(key, limits, cost, self.now)
        if cost < limits.smallest_burst:
            allowed, debts = self.buckets.take(key, limits, cost + 1, self.now)
            expected, exact = self.model.take(key, limits, cost + 1, self.now)
            assert (allowed, debts) == (expected, exact)

    @rule(key=KEYS, limits=LIMITS, cost=st.integers(0, 7))
    def refund(self, key: str, limits: Limits, cost: int) -> None:
        cost = min(cost, limits.smallest_burst)
        ours = self.buckets.refund(key, limits, cost, self.now)
        assert ours == self.model.refund(key, limits, cost, self.now)

    @rule(key=KEYS)
    def reset(self, key: str) -> None:
        self.buckets.reset(key)
        self.model.reset(key)

    @rule(key=KEYS, limits=LIMITS, debt=st.integers(0, 3 * SECOND) | PAUSES)
    def merge(self, key: str, limits: Limits, debt: int) -> None:
        for limit in limits:
            self.buckets.merge(key, limit, debt, self.now)
            self.model.merge(key, limit, debt, self.now)

    @rule(most=st.integers(1, 10))
    def sweep(self, most: int) -> None:
        assert self.buckets.sweep(self.now, most) <= most

    @precondition(lambda self: len(self.buckets) > 0)
    @rule()
    def move_to_another_node(self) -> None:
        """All is exported and merged into new buckets, and into the model, on another clock."""
        there, now = BucketTable(), 10**15
        for listed in self.buckets.export(self.now, 2):
            for key, limit, debt in listed:
                assert debt == self.model.debt(key, limit, self.now)
                there.merge(key, limit, debt, now)
        model = BucketModel()
        for key in "abc":
            for limit, debt in there.held(key, now):
                model.merge(key, limit, debt, now)
        self.buckets, self.model, self.now = there, model, now

    @rule(key=KEYS)
    def look(self, key: str) -> None:
        held = dict(self.buckets.held(key, self.now))
        for limit in {limit for text in TEXTS for limit in parse_limits(text)}:
            assert held.get(limit, 0) == self.model.debt(key, limit, self.now)

    @invariant()
    def every_bucket_has_one_entry_and_every_table_a_bucket(self) -> None:
        keys = keys_by_text(self.buckets)
        assert sorted(entries(self.buckets)) == sorted(keys)
        assert len(self.buckets) == len(keys)
        assert {text for text, _ in keys} == set(self.buckets._tables)
        assert self.buckets.bytes == counted_anew(self.buckets)


TestBucketsAgainstTheModel = BucketsAgainstTheModel.TestCase
TestBucketsAgainstTheModel.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
