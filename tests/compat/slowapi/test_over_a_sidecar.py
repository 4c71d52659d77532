"""An app that a sidecar counts for is limited as with slowapi, but for what time brings back.

Ours counts by buckets here: a window of the clock might end meanwhile.
"""

import time
from calendar import timegm
from pathlib import Path

import pytest

from tests.compat.slowapi.libraries import OURS, THEIRS, Answer, Bench, Clock
from tests.compat.slowapi.scenarios import STAND_STILL, Scenario, a_shared_limit
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.processes.services import Sidecar


def without_fields(answers: list[Answer]) -> list[tuple[int, object]]:
    return [(answer.status, answer.body) for answer in answers]


@pytest.mark.parametrize("scenario", STAND_STILL, ids=lambda it: it.__name__)
def test_both_let_the_same_pass(scenario: Scenario, sidecar: Sidecar) -> None:
    theirs = scenario(Bench(THEIRS, Clock(0)))
    counted = {"storage_uri": f"sidegate://{sidecar.link}", "storage_options": {"budget": 20}}
    ours = scenario(Bench(OURS, Clock(0), options={**counted, "strategy": "moving-window"}))
    assert without_fields(ours) == without_fields(theirs)


def test_a_unix_socket(tmp_path: Path) -> None:
    with SidecarDouble(f"unix:{tmp_path}/s") as double:
        options = {"storage_uri": f"sidegate+unix://{tmp_path}/s", "strategy": "moving-window"}
        seen = a_shared_limit(Bench(OURS, Clock(0), options=options))
        assert [answer.status for answer in seen] == [200, 200, 200, 429, 429]
        assert double.asked


def test_a_window_of_the_clock(sidecar: Sidecar) -> None:
    """Its fields tell when it ends: here with the year."""
    options = {"storage_uri": f"sidegate://{sidecar.link}", "storage_options": {"budget": 20}}
    bench = Bench(OURS, Clock(0), options=options)
    limiter = bench.limiter(headers_enabled=True, default_limits=["2/year"])

    @bench.app.get("/yearly")
    async def yearly() -> None: ...

    seen = bench.get("/yearly", 3)
    assert [answer.status for answer in seen] == [200, 200, 429]
    year = time.gmtime().tm_year + 1
    end = time.strptime(f"{year} UTC", "%Y %Z")
    _, left, reset, wait = seen[-1].fields
    assert (left, reset) == (0, 1 + timegm(end))
    assert wait is not None
    assert 0 < wait < 367 * 86_400
    assert limiter._storage.get("LIMITER/testclient//yearly/2/1/year") == 3
