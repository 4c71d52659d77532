"""What a plan can come to, known before anything is sent."""

import re

import pytest

from sidegate_sidecar.loadtest.plan.arrivals import Arrivals
from sidegate_sidecar.loadtest.plan.feasibility import require_prospects
from sidegate_sidecar.loadtest.plan.keys import Pick
from sidegate_sidecar.loadtest.plan.scenario import Expect, Scenario, ScenarioError, Stream

LIMIT = "20/minute"


def above(rate: float, seconds: float, **more: object) -> Scenario:
    """Return a scenario whose stream is to go over its limit, beside one that has none."""
    stream = Stream("above", rate=rate, limit=LIMIT, expect=Expect.LIMITED, **more)  # type: ignore[arg-type]
    return Scenario(seconds, [Stream("free", rate=rate), stream])


def refusal(scenario: Scenario, seed: int = 1) -> str:
    with pytest.raises(ScenarioError) as caught:
        require_prospects(scenario, seed)
    return str(caught.value)


@pytest.mark.parametrize("arrivals", Arrivals)
def test_a_stream_that_plans_nothing_is_refused(arrivals: Arrivals) -> None:
    """Of several, the one is named."""
    streams = [Stream("much", rate=5), Stream("little", rate=1e-6, arrivals=arrivals)]
    assert refusal(Scenario(10, streams)) == (
        "stream 'little': no request is planned in 10 s at 1e-06 a second, expected at least one"
    )


@pytest.mark.parametrize("arrivals", Arrivals)
@pytest.mark.parametrize("pick", Pick)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("start", [0.0, 1.5])
def test_a_run_that_is_too_short_is_told_how_long_would_do(
    arrivals: Arrivals, pick: Pick, seed: int, start: float
) -> None:
    """And hardly a shorter one would."""
    scenario = above(8, 3, keys=2, arrivals=arrivals, pick=pick, start=start)
    told = re.fullmatch(
        r"stream 'above' never goes over 20/minute in [0-9.]+ s; give --seconds (\d+) or more",
        refusal(scenario, seed),
    )
    assert told
    needed = int(told[1])
    assert needed > 3
    require_prospects(scenario.scaled(seconds=needed), seed)
    assert refusal(scenario.scaled(seconds=needed - 2), seed)


def test_a_stream_whose_keys_come_too_seldom_is_told_so() -> None:
    """No length would do: each key once in four seconds, and its limit is once in three."""
    found = refusal(above(5, 3, keys=20))
    assert found.endswith("in 3 s; give it a higher rate, or fewer keys")


def test_no_length_is_told_that_has_too_many_requests() -> None:
    """It would be refused in turn; a single key is helped by the rate of all."""
    streams = [
        Stream("above", rate=20, limit="1000/hour", expect=Expect.LIMITED),
        Stream("free", rate=1e6),
    ]
    assert refusal(Scenario(3, streams)).endswith("in 3 s; give a higher --rate")


@pytest.mark.parametrize("expect", [Expect.ANY, Expect.ALLOWED, Expect.WITHIN])
def test_only_what_promises_to_go_over_a_limit_has_to(expect: Expect) -> None:
    require_prospects(Scenario(3, [Stream("a", rate=5, limit=LIMIT, expect=expect)]), 1)
