"""What a reader is warned of who sees a verdict."""

import pytest

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.plan.scenario import Expect
from sidegate_sidecar.loadtest.send.outcome import Outcome
from tests.sidecar.loadtest.records import ADMITTED, DENIED, facts, note, report


@pytest.mark.parametrize(
    ("expect", "warned"),
    [(Expect.ANY, True), (Expect.WITHIN, True), (Expect.ALLOWED, False), (Expect.LIMITED, False)],
)
def test_a_limit_that_was_never_reached_is_warned_of(expect: Expect, *, warned: bool) -> None:
    """Unless it was not to be reached, or that is a promise by itself."""
    run = facts("5/second", expect)
    note(run.records, 1.0)
    text = "one: the limit was never reached: this proves nothing of it"
    assert (text in report(run).warnings) is warned


@pytest.mark.parametrize(
    ("limit", "source", "outcome", "warned"),
    [
        ("5/second", None, ADMITTED, True),
        ("5/second", None, DENIED, True),
        ("5/second", Source.OWNER, ADMITTED, False),
        ("5/second", None, Outcome.TIMEOUT, False),  # there was no answer to name one
        ("", None, ADMITTED, False),  # nobody said that there is a limiter
    ],
)
def test_a_stream_without_any_sign_of_a_limiter_is_warned_of(
    limit: str, source: Source | None, outcome: Outcome, *, warned: bool
) -> None:
    run = facts(limit)
    note(run.records, 1.0, outcome, source=source)
    found = [text for text in report(run).warnings if "no answer names a source" in text]
    assert bool(found) is warned
