"""What a response says about its limits, in draft-11 syntax."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import MAX_DEBT, SECOND, Limit, Limits, parse_limits
from sidegate.http.headers import Policy, legacy, refusal, retry_after
from tests.support.middleware.checker import items

TYPES = "https://iana.org/assignments/http-problem-types#"


def decided(
    text: str, *seconds: float, allowed: bool = True, cost: int = 1, source: Source = Source.OWNER
) -> Decision:
    debts = [round(debt * SECOND) for debt in seconds]
    return Decision(allowed, parse_limits(text), cost, debts, source)


def current(decision: Decision) -> str:
    return Policy("api", decision.limits).current(decision, retry_after(decision)).decode()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("100/minute", '"api";q=100;w=60'),
        ("1000/day", '"api";q=1000;w=86400'),
        ("10/second burst 25", '"api";q=25;w=3'),
        ("1000/second burst 1", '"api";q=1;w=1'),
        ("3/7 seconds burst 1", '"api";q=1;w=3'),
        ("100/second; 10000/hour", '"api 100/second";q=100;w=1, "api 10000/hour";q=10000;w=3600'),
    ],
)
def test_a_policy_gives_its_burst_and_the_time_to_refill_it(limits: str, expected: str) -> None:
    name, value = Policy("api", parse_limits(limits)).field
    assert name == b"ratelimit-policy"
    assert value.decode() == expected


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        pytest.param(decided("100/minute", 0), "r=100;t=0", id="full"),
        pytest.param(decided("100/minute", 0.6), "r=99;t=1", id="one taken, rounded up"),
        pytest.param(decided("100/minute", 30.1), "r=49;t=31", id="half: until it is full"),
        pytest.param(decided("100/minute", 60), "r=0;t=1", id="last one taken: until the next"),
        pytest.param(decided("1/hour", 3600), "r=0;t=3600", id="only one taken"),
        pytest.param(decided("100/minute", 59.5), "r=0;t=1", id="less than one left"),
        pytest.param(decided("1/hour", 1800.2, allowed=False), "r=0;t=1801", id="denied"),
        pytest.param(
            decided("10/minute", 36, allowed=False, cost=5),
            "r=4;t=6",
            id="too dear for what is left",
        ),
        pytest.param(decided("10/minute", 12, cost=0), "r=8;t=12", id="peek"),
    ],
)
def test_ratelimit_tells_what_is_left_and_for_how_long(decision: Decision, expected: str) -> None:
    assert current(decision) == f'"api";{expected}'


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        pytest.param(decided("10/second; 100/hour", 0.1, 36), [(9, 1), (99, 36)], id="allowed"),
        pytest.param(
            decided("10/second; 100/hour", 0.1, 3600, allowed=False),
            [(9, 1), (0, 36)],
            id="the hour denies",
        ),
        pytest.param(
            decided("10/second; 100/hour", 1, 3000, allowed=False),
            [(0, 1), (16, 1)],
            id="the second denies: no window ends after Retry-After",
        ),
        pytest.param(
            decided("100/minute; 100/hour", 60, 3600, allowed=False),
            [(0, 1), (0, 36)],
            id="both deny: each its own wait",
        ),
    ],
)
def test_each_limit_has_its_own_item(decision: Decision, expected: list[tuple[int, int]]) -> None:
    parsed = items(current(decision))
    assert [(item["r"], item["t"]) for item in parsed.values()] == expected
    assert list(parsed) == [f"api {limit}" for limit in decision.limits]


@pytest.mark.parametrize(
    ("decision", "seconds"),
    [
        (decided("100/minute", 60), 0),
        (decided("100/minute", 60, allowed=False), 1),
        (decided("1/hour", 3600, allowed=False), 3600),
        (decided("1/hour", 3599.000000001, allowed=False), 3600),
        (decided("1/second; 1/hour", 1, 90, allowed=False), 90),
        (decided("100/minute", allowed=False, source=Source.CLOSED), 1),
        (decided("100/minute", allowed=True, source=Source.OPEN), 0),
        (decided("100/minute", allowed=False, cost=101), 0),
    ],
)
def test_retry_after_is_the_longest_wait_rounded_up(decision: Decision, seconds: int) -> None:
    assert retry_after(decision) == seconds


TITLES = {429: "Quota Exceeded", 503: "Temporary Reduced Capacity"}


@pytest.mark.parametrize(
    ("decision", "status", "detail", "violated"),
    [
        (
            decided("100/minute", 60, allowed=False),
            429,
            "The limit is 100/minute. Retry in 1 s.",
            [""],
        ),
        (
            decided("10/second; 100/hour", 0.1, 3600, allowed=False),
            429,
            "The limit is 100/hour. Retry in 36 s.",
            [" 100/hour"],
        ),
        (
            decided("100/minute; 100/hour", 60, 3600, allowed=False),
            429,
            "The limit is 100/minute, 100/hour. Retry in 36 s.",
            [" 100/minute", " 100/hour"],
        ),
        (
            decided("10/second; 50/hour", allowed=False, cost=50),
            429,
            "A request of cost 50 never fits in 10/second.",
            [" 10/second"],
        ),
        (
            decided("100/minute", allowed=False, source=Source.CLOSED),
            503,
            "The limits can't be checked now. Retry in 1 s.",
            [],
        ),
    ],
    ids=["denied", "only the limit that denies", "both", "can never pass", "closed"],
)
def test_a_refusal_explains_itself(
    decision: Decision, status: int, detail: str, violated: list[str]
) -> None:
    policy = Policy("api", decision.limits)
    body = policy.problem(decision, policy.detail(decision, retry_after(decision)))
    assert json.loads(body) == {
        "type": TYPES + TITLES[status].lower().replace(" ", "-"),
        "title": TITLES[status],
        "status": status,
        "detail": detail,
        "violated-policies": [f"api{limit}" for limit in violated],
    }


@pytest.mark.parametrize(("retry", "field"), [(5, [(b"retry-after", b"5")]), (0, [])])
def test_a_refusal_is_not_stored_and_says_when_to_retry(
    retry: int, field: list[tuple[bytes, bytes]]
) -> None:
    assert refusal(retry, b"{}") == [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"2"),
        *field,
    ]


@pytest.mark.parametrize(
    ("decision", "limit", "remaining", "reset"),
    [
        (decided("100/minute", 30), b"100", b"50", b"1031"),
        (decided("100/minute", 60, allowed=False), b"100", b"0", b"1002"),
        (decided("10/second; 100/hour", 0.1, 3600), b"100", b"0", b"1037"),
        (decided("10/second; 100/hour", 1, 36), b"10", b"0", b"1002"),
    ],
)
def test_legacy_headers_show_the_binding_limit(
    decision: Decision, limit: bytes, remaining: bytes, reset: bytes
) -> None:
    """Reset is a moment, rounded up: here it is 1000.5 seconds since 1970."""
    assert legacy(decision, retry_after(decision), 1000.5) == [
        (b"x-ratelimit-limit", limit),
        (b"x-ratelimit-remaining", remaining),
        (b"x-ratelimit-reset", reset),
    ]


def test_legacy_headers_are_missing_when_nobody_knows() -> None:
    assert legacy(decided("100/minute", source=Source.OPEN), 0, 1000.5) == []


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Draw limits of all sizes that are allowed."""
    drawn: list[Limit] = []
    for _ in range(draw(st.integers(1, 8))):
        tokens, window = draw(st.integers(1, 10**12)), draw(st.integers(1, MAX_DEBT // SECOND))
        most = min(MAX_DEBT * tokens // (window * SECOND), 10**12)
        drawn.append(Limit(tokens, window, draw(st.integers(1, most))))
    return Limits(dict.fromkeys(drawn))


@given(st.data(), limits(), st.booleans())
def test_fields_always_parse_and_agree(data: st.DataObject, limits: Limits, allowed: bool) -> None:
    """Whatever the buckets hold, both fields are well formed and contradict nothing."""
    cost = data.draw(st.integers(0 if allowed else 1, limits.smallest_burst))
    debts = [data.draw(st.integers(0, -(-limit.capacity // limit.scale))) for limit in limits]
    decision = Decision(allowed, limits, cost, debts, Source.OWNER)
    policy, retry = Policy("a b", limits), retry_after(decision)
    quotas, states = items(policy.field[1]), items(policy.current(decision, retry))
    assert list(quotas) == list(states)
    for name, limit in zip(quotas, limits, strict=True):
        quota, state = quotas[name], states[name]
        assert quota == {"q": limit.burst, "w": -(-limit.capacity // limit.scale // SECOND)}
        assert 0 <= state["r"] <= quota["q"]
        assert 0 <= state["t"] <= (quota["w"] if allowed else retry)
