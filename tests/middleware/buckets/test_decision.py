"""What a decision says about itself, for each way in which it can come about."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from tests.middleware.buckets.model import BucketModel

START = 10**15
# Most of these have several ticks in a nanosecond, so that a debt in ns was rounded.
TEXTS = ["10/second", "7/second", "3/minute", "7/3 hours burst 2", "1/day burst 3", "999983/minute"]


def decided(text: str, *costs: int, key: str = "key") -> Decision:
    """Take each cost from a full bucket at the same moment: the last decision."""
    limits, buckets = parse_limits(text), BucketTable()
    for cost in costs[:-1]:
        buckets.take(key, limits, cost, START)
    allowed, debts = buckets.take(key, limits, costs[-1], START)
    return Decision(allowed, limits, costs[-1], debts, Source.OWNER)


def test_an_allowed_check_needs_no_wait_and_says_what_is_left() -> None:
    decision = decided("10/second", 4)
    assert decision.allowed
    assert (decision.limit, decision.remaining) == (10, 6)
    assert (decision.retry_after, decision.wait, decision.reset_after) == (0.0, 0, 0.4)


def test_denied() -> None:
    """A denied check says when it would pass: here when 3 of the 4 tokens it lacks have come."""
    decision = decided("10/second", 8, 5)
    assert not decision.allowed
    assert (decision.limit, decision.remaining) == (10, 2)
    assert (decision.retry_after, decision.wait) == (0.3, 300_000_000)
    assert decision.reset_after == 0.8


def test_a_cost_of_0_tells_and_changes_nothing() -> None:
    assert decided("10/second", 0).remaining == 10
    assert decided("10/second", 3, 0).remaining == 7
    assert decided("10/second", 3, 0).retry_after == 0.0


@pytest.mark.parametrize(
    ("allowed", "source"), [(True, Source.OPEN), (False, Source.CLOSED)], ids=["open", "closed"]
)
def test_nobody_decided(allowed: bool, source: Source) -> None:
    """What nobody knows is None, except for numbers that a caller adds up or waits for."""
    decision = Decision(allowed, parse_limits("5/second; 9/hour"), 1, (), source)
    assert (decision.binding, decision.remaining, decision.reset_after) == (None, None, None)
    assert (decision.limit, decision.retry_after, decision.wait) == (5, 0.0, 0)
    assert decision.node == ""


@pytest.mark.parametrize(
    ("text", "costs", "binding"),
    [
        pytest.param("10/second; 100/hour", [1], "10/second", id="9/10 left before 99/100"),
        pytest.param("100/second; 10/hour", [1], "10/hour", id="9/10 left after 99/100"),
        pytest.param("10/second; 10/hour", [1], "10/second", id="equal shares: the first"),
        pytest.param("10/hour; 10/second", [1], "10/hour", id="equal shares: still the first"),
        pytest.param("5/second; 5/hour", [5, 1], "5/hour", id="denied by both: the longest wait"),
        pytest.param("5/hour; 9/hour", [5, 1], "5/hour", id="denied by one"),
        pytest.param("9/hour; 5/second", [5, 1], "5/second", id="denied by the other"),
        pytest.param("9/hour; 10/second", [9, 2], "9/hour", id="denied by the lesser share"),
        pytest.param("10/hour; 20/minute burst 4", [4, 4, 1], "20/minute burst 4", id="by burst"),
    ],
)
def test_the_binding_limit(text: str, costs: list[int], binding: str) -> None:
    """The limit that a caller should look at: what denies longest, or has the least share left."""
    decision = decided(text, *costs)
    assert decision.binding
    assert str(decision.binding[0]) == binding
    at = list(map(str, decision.limits)).index(binding)
    assert decision.binding[1] == decision.debts[at]
    assert decision.limit == decision.limits.items[at].burst
    assert decision.remaining == decision.remaining_of(at)
    assert decision.reset_after == decision.reset_of(at)


def test_each_limit_has_its_own_figures() -> None:
    decision = decided("5/second; 100/minute", 5, 1)
    assert [decision.remaining_of(at) for at in (0, 1)] == [0, 95]
    assert [decision.reset_of(at) for at in (0, 1)] == [1.0, 3.0]
    assert [decision.retry_of(at) for at in (0, 1)] == [0.2, 0.0]
    assert decision.retry_after == 0.2


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_charged_at_once_are_missing_exactly(text: str) -> None:
    """A debt is rounded up to a nanosecond, which must not cost a token: 7/second less 1 is 6."""
    limits = parse_limits(text)
    burst = limits.smallest_burst
    for cost in range(min(burst, 50) + 1):
        assert decided(text, cost).remaining == burst - cost


def test_a_denial_never_shows_the_token_that_it_refused() -> None:
    """1 ns before 1/7 s the token isn't there, though the rounded debt can't tell."""
    limits, buckets = parse_limits("7/second"), BucketTable()
    buckets.take("key", limits, 7, START)
    now = START + 10**9 // 7
    allowed, debts = buckets.take("key", limits, 1, now)
    decision = Decision(allowed, limits, 1, debts, Source.OWNER)
    assert (decision.allowed, decision.remaining, decision.wait) == (False, 0, 1)
    assert buckets.take("key", limits, 1, now + 1)[0] is True


@given(
    st.sampled_from(TEXTS),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(-2, 2)), max_size=12),
)
def test_remaining_is_that_of_the_exact_model(text: str, steps: list[tuple[int, int, int]]) -> None:
    """Over any sequence: never less than is there now, never more than is there 1 ns later."""
    limits, buckets, model, now = parse_limits(text), BucketTable(), BucketModel(), START
    limit = limits.items[0]
    for cost, intervals, shift in steps:
        now += max(intervals * limit.interval // limit.scale + shift, 0)
        paid = min(cost, limit.burst)
        allowed, debts = buckets.take("key", limits, paid, now)
        model.take("key", limits, paid, now)
        decision = Decision(allowed, limits, paid, debts, Source.OWNER)
        left = decision.remaining
        assert left is not None
        assert model.remaining("key", limit, now) <= left <= model.remaining("key", limit, now + 1)
        assert allowed or left < paid
        if limit.scale == 1:
            assert left == model.remaining("key", limit, now)


@given(
    st.sampled_from([*TEXTS, "7/second; 3/minute", "7/second burst 3; 11/second; 13/minute"]),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2 * 10**8)), min_size=1, max_size=12),
)
def test_the_same_check_passes_after_the_wait_and_not_before(
    text: str, steps: list[tuple[int, int]]
) -> None:
    """`retry_after` is a promise, to the nanosecond and for all limits together."""
    limits, buckets, now = parse_limits(text), BucketTable(), START
    for cost, pause in steps:
        now += pause
        paid = min(cost, limits.smallest_burst)
        allowed, debts = buckets.take("key", limits, paid, now)
        if not allowed:
            decision = Decision(allowed, limits, paid, debts, Source.OWNER)
            early, late = _passes_at(buckets, decision, now)
            assert (early, late) == (False, True)


def _passes_at(buckets: BucketTable, decision: Decision, now: int) -> tuple[bool, bool]:
    """Whether the check passes 2 ns before the wait is over, and after it; charges neither."""
    limits, cost, wait = decision.limits, decision.cost, decision.wait
    assert wait > 0
    assert ceil(decision.retry_after * 10**9) >= wait
    early, _ = buckets.take("key", limits, cost, now + wait - 2) if wait > 1 else (False, [])
    late, _ = buckets.take("key", limits, cost, now + wait)
    buckets.refund("key", limits, cost, now + wait)
    return early, late


def test_a_debt_beyond_the_bucket_leaves_nothing() -> None:
    """A clock that went back can make a debt look larger than a bucket: still no negative rest."""
    limits = parse_limits("7/second")
    assert Decision(False, limits, 0, [10**10], Source.OWNER).remaining == 0


def test_sources_are_the_words_of_the_protocol() -> None:
    """They stand in headers, metrics and the wire as they are."""
    words = ["owner", "backup", "lease", "local", "open", "closed", "remembered", "memory"]
    assert list(map(str, Source)) == words
