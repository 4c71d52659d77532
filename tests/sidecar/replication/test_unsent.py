"""Unsent: what is counted of frames, and which of their checks are at risk."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import UNSENT_PART, parse_limits
from sidegate.protocol.messages import Check
from sidegate_sidecar.replication.unsent import Unsent

HOURLY = f"{3 * UNSENT_PART}/hour"  # three tokens of it may be unsent
LIMITS = (HOURLY, f"{UNSENT_PART}/minute", f"{HOURLY}; {UNSENT_PART}/minute")

checks = st.tuples(st.sampled_from("ab"), st.sampled_from(LIMITS), st.sampled_from([0, 1, 1, 1, 2]))
alike = st.lists(st.tuples(st.sampled_from("abc"), st.just(HOURLY), st.just(1)), min_size=1)
frames = st.lists(st.lists(checks, min_size=1) | alike)


@given(frames)
def test_frames_are_counted_as_check_by_check(frames: list[list[Check]]) -> None:
    """Whichever way is taken; and a bucket is at risk if it is so by the end of its frame."""
    unsent, plain = Unsent(), Counter[tuple[str, str]]()
    for frame in frames:
        at_risk = unsent.charge(frame)
        for key, text, cost in frame:
            plain[key, text] += cost
        over = {
            (key, text)
            for key, text, cost in frame
            if cost and plain[key, text] > parse_limits(text).max_unsent
        }
        assert {(key, text) for key, text, _ in at_risk} == over
    counted = {(key, text): tokens for key, text, tokens in unsent}
    assert counted == +plain
    taken = [(key, text) for text, keys in unsent.take() for key in keys]
    assert sorted(taken) == sorted(counted)
    assert not unsent


def test_what_costs_nothing_is_not_unsent() -> None:
    unsent = Unsent()
    assert unsent.charge([("a", HOURLY, 0)]) == []
    assert unsent.charge([("a", HOURLY, 0), ("a", HOURLY, 0)]) == []
    assert not unsent


def test_what_is_sent_is_counted_anew_and_nothing_is_kept_of_limits_without_keys() -> None:
    unsent = Unsent()
    assert not unsent.charge([("a", HOURLY, 3)])
    unsent.sent("a", HOURLY)
    assert not unsent
    assert not unsent.charge([("a", HOURLY, 3)])
    assert [*unsent.charge([("a", HOURLY, 1)])] == [("a", HOURLY, 1)]
