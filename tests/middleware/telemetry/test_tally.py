"""A tally counts each check once, under its own outcome, in whatever order they come."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.errors import CheckError
from sidegate.telemetry.tally import outcome_of, tally

LIMITS = parse_limits("5/hour")
KEYS = st.sampled_from(["api:ann", "api:bea", "apis:ann", "api", "ann", ":ann", "", "shop/api:ann"])
SOURCES = st.sampled_from([Source.OWNER, Source.BACKUP, Source.OPEN])
DECISIONS = st.builds(
    Decision, st.booleans(), st.just(LIMITS), st.just(1), st.just(list[int]()), SOURCES
)
MADE = st.one_of(DECISIONS, st.builds(CheckError, st.just("no")))


@given(st.lists(st.tuples(KEYS, MADE)))
def test_it_is_the_count_of_outcomes(checks: list[tuple[str, Decision | CheckError]]) -> None:
    assert tally(checks) == Counter(outcome_of(key, made) for key, made in checks)


def test_outcomes_have_the_words_of_spans() -> None:
    assert outcome_of("api:ann", Decision(True, LIMITS, 1, [], Source.BACKUP)) == (
        "api",
        "allowed",
        "backup",
    )
    assert outcome_of("ann", Decision(False, LIMITS, 1, [], Source.OWNER)) == (
        "other",
        "denied",
        "owner",
    )
    assert outcome_of("api:ann", CheckError("no")) == ("api", "error", "")
