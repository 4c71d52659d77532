"""Refusals whose parts are kept ready: they say what they would say made anew."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.http.headers import _MAX_TOLD, CURRENT, Policy, refusal, retry_after

OWN = ((b"sidegate-source", b"remembered"),)
TEXTS = (
    "1/hour",
    "100/minute",
    "3/7 seconds burst 1",
    "1000/second burst 1",
    "100/day window",
    "0/minute",
    "10/second; 100/day",
    "10/second; 1000/day window; 5/minute burst 1",
)


@st.composite
def denials(draw: st.DrawFn) -> Decision:
    limits = parse_limits(draw(st.sampled_from(TEXTS)))
    cost = draw(st.integers(1, 3))
    debts: list[int] = []
    for limit in limits.items:
        full = limit.capacity // limit.scale
        near = st.integers(max(full - 2, 0), full + 2)
        debts.append(draw(near | st.integers(0, 2 * full)))
    for _ in limits.windows:
        debts += draw(st.integers(1, 86_400 * SECOND)), 20_000
    if limits.is_blocked or draw(st.booleans()):
        debts = []
    return Decision(False, limits, cost, debts, draw(st.sampled_from(Source)))


@given(denials())
def test_what_is_kept_ready_says_what_would_be_said_anew(denial: Decision) -> None:
    policy, retry = Policy("api", denial.limits), retry_after(denial)
    detail = policy.detail(denial, retry)
    body = policy.problem(denial, detail)
    for _ in range(2):  # the first time, and once it is there
        assert policy.refusal(denial, retry) == (detail, body)
        if plain := policy.plain_refusal(denial, OWN):
            told = (CURRENT, policy.current(denial, retry))
            assert plain == (detail, body, [policy.field, told, *OWN, *refusal(retry, body)])


def test_most_refusals_are_plain_and_others_are_not() -> None:
    def is_plain(text: str, debt: int, cost: int = 1) -> bool:
        denial = Decision(False, parse_limits(text), cost, (debt * SECOND,), Source.OWNER)
        return Policy("api", denial.limits).plain_refusal(denial, ()) is not None

    assert is_plain("1/hour", 3_600)
    assert not is_plain("1/hour", 0)  # it would pass by now
    assert not is_plain("10/hour", 3_600, 5)  # some are left, and too few
    assert not is_plain("1/hour; 5/day", 3_600)


def test_the_sentence_of_the_app_takes_the_place_of_the_usual_one() -> None:
    denial = Decision(False, parse_limits("1/hour"), 1, (3_600 * SECOND,), Source.OWNER)
    policy = Policy("api", denial.limits)
    detail, body = policy.refusal(denial, 3_600, 'Not "now"')
    assert (detail, body) == ('Not "now"', policy.problem(denial, 'Not "now"'))


def test_no_more_are_kept_than_a_few() -> None:
    """Which of eight limits refuse is 255 different things."""
    limits = parse_limits("; ".join(f"1/{hours} hours" for hours in range(1, 9)))
    policy = Policy("api", limits)
    for chosen in itertools.product((0, 1), repeat=8):
        debts = [
            limit.capacity // limit.scale * it for limit, it in zip(limits, chosen, strict=True)
        ]
        denial = Decision(False, limits, 1, debts, Source.OWNER)
        policy.refusal(denial, retry_after(denial))
        assert len(policy._told) <= _MAX_TOLD
