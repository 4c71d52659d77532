"""LogClock: time that never goes back, whatever the lines of a log say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.rules_plan.log_clock import JUMP, LogClock
from tests.sidecar.rules_plan.logs import common, request_of

HOUR = JUMP // 10**9


def timed(*seconds: int) -> tuple[list[int], LogClock]:
    clock = LogClock()
    requests = [request_of(common())] * 0
    for at in seconds:
        request = request_of(common())
        request.time = at * 10**9
        requests.append(request)
    found = list(clock.timed(requests))
    assert [request for request, _ in found] == requests
    return [now // 10**9 for _, now in found], clock


@pytest.mark.parametrize(
    ("written", "counted", "late", "ahead"),
    [
        ((), [], 0, 0),
        ((50_000,), [50_000], 0, 0),
        ((50_000, 50_001, 50_001), [50_000, 50_001, 50_001], 0, 0),
        ((50_000, 49_990, 50_002), [50_000, 50_000, 50_002], 1, 0),  # written when it ended
        ((50_000, 50_000 + 9 * HOUR), [50_000, 50_000 + 9 * HOUR], 0, 0),  # a night
        ((50_000, 10**9, 50_001, 50_002), [50_000, 50_000, 50_001, 50_002], 0, 1),
        ((10**9, 50_000, 50_001), [50_000, 50_000, 50_001], 0, 1),  # the first one is wrong
        ((0, 10**9, 10**9 + 1), [0, 10**9, 10**9 + 1], 0, 0),  # 1970 and then the truth
        ((50_000, 50_000, 0, 50_001), [50_000, 50_000, 50_000, 50_001], 1, 0),
        ((50_000, 10**9, 10**9), [50_000, 10**9, 10**9], 0, 0),  # confirmed
    ],
)
def test_the_time_of_each_line(
    written: tuple[int, ...], counted: list[int], late: int, ahead: int
) -> None:
    found, clock = timed(*written)
    assert (found, clock.late, clock.ahead) == (counted, late, ahead)
    assert clock.begin == (counted[0] * 10**9 if counted else None)


def test_how_late_is_told() -> None:
    _, clock = timed(50_000, 49_990, 49_970, 50_010, 50_005)
    assert (clock.late, clock.latest) == (3, 30 * 10**9)


@given(st.lists(st.integers(0, 20 * HOUR), max_size=30))
def test_it_never_goes_back(written: list[int]) -> None:
    found, _ = timed(*written)
    assert found == sorted(found)
    assert len(found) == len(written)
