"""An app answers the same with either import line, to the last field."""

import pytest

from tests.compat.slowapi.libraries import OURS, THEIRS, Answer, Bench, Clock
from tests.compat.slowapi.scenarios import MOVE_TIME, STAND_STILL, Scenario

BEGIN = 1_800_000_000.0  # an hour begins: windows of the clock as well as slowapi's


@pytest.mark.parametrize("middleware", ["SlowAPIMiddleware", "SlowAPIASGIMiddleware"])
@pytest.mark.parametrize("scenario", MOVE_TIME + STAND_STILL, ids=lambda it: it.__name__)
def test_both_answer_the_same(
    scenario: Scenario, middleware: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[Answer]] = {}
    for library in (THEIRS, OURS):
        clock = Clock(BEGIN)
        monkeypatch.setattr("time.time", clock)
        seen[library] = scenario(Bench(library, clock, middleware))
    assert seen[OURS] == seen[THEIRS]
    assert 200 in {answer.status for answer in seen[OURS]}
