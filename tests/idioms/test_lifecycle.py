"""Tests of an app, no limits at all, no sidecar; and limits that code asks for itself."""

import time
from collections.abc import Generator

import pytest
from fastapi.testclient import TestClient

from sidegate.testing import Memory
from tests.idioms.fastapi_apps import routes
from tests.idioms.fastapi_apps.unreachable import POLICIES
from tests.idioms.rows import shows
from tests.support.processes.caller import Caller
from tests.support.processes.services import UVICORN, App, Port, running, until

UNREACHABLE = "tests.idioms.fastapi_apps.unreachable:app"


@shows("test client")
@pytest.mark.parametrize("is_entered", [True, False])
def test_the_test_client_needs_no_sidecar(sidegate: Memory, is_entered: bool) -> None:
    """With and without `with`; the buckets are of this test, and so is the time."""
    client = TestClient(routes.app)
    if is_entered:
        with client:
            statuses = [client.get("/decorated/1").status_code for _ in range(3)]
    else:
        statuses = [client.get("/decorated/1").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    sidegate.advance(43_200)
    assert client.get("/decorated/1").status_code == 200


@shows("switched off")
def test_the_environment_switches_limits_off(address: str) -> None:
    app = App("off", "off", *UVICORN, UNREACHABLE)
    with running(app):
        assert [Caller(app.url, address).passed(f"/{it}/", 5) for it in POLICIES] == [5, 5, 5]


@pytest.fixture(scope="module")
def without_sidecar() -> Generator[App]:
    """Run an app whose sidecar isn't there."""
    nobody = Port()
    app = App("unreachable", str(nobody), *UVICORN, UNREACHABLE)
    try:
        with running(app):
            yield app
    finally:
        nobody.close()


@shows("policy for failures")
def test_each_policy_does_what_it_says(without_sidecar: App, address: str) -> None:
    """Let through, refuse, or give this process's share: never a 500."""
    caller = Caller(without_sidecar.url, address)
    assert caller.statuses("/open/", 5) == [200] * 5
    assert caller.statuses("/closed/", 5) == [503] * 5
    assert caller.statuses("/local/", 5) == [200] * 3 + [429] * 2
    sources = [caller.ask(f"/{it}/").headers["sidegate-source"] for it in POLICIES]
    assert sources == list(POLICIES)


@shows("switched off")
def test_an_option_switches_one_limiter_off(without_sidecar: App, address: str) -> None:
    """It asks nobody."""
    assert Caller(without_sidecar.url, address).statuses("/disabled/", 5) == [200] * 5


@shows("check in a handler")
def test_a_handler_checks_a_limit_itself(fastapi: Caller, address: str) -> None:
    assert fastapi.passed(f"/usage/mails/{address}", 3, "POST") == 2


@shows("wait for a turn")
def test_a_handler_waits_for_its_turn(fastapi: Caller, address: str) -> None:
    """Five, of which the first needn't wait, by whichever of the two ways."""
    begun = time.monotonic()
    for path in ("paced", "paced-in-threads", "paced", "paced-in-threads", "paced"):
        assert fastapi.ask(f"/usage/{path}/{address}").status_code == 200
    assert time.monotonic() - begun >= 4 / 20


@shows("wait for a turn")
def test_a_wait_that_would_be_too_long_ends_at_once(fastapi: Caller, address: str) -> None:
    assert fastapi.statuses(f"/usage/impatient/{address}", 2) == [200, 503]


@shows("usage", "reset")
def test_a_client_s_usage_is_shown_and_forgotten(fastapi: Caller, address: str) -> None:
    """Of a route."""
    assert fastapi.passed("/usage/limited", 3) == 2
    assert fastapi.ask(f"/usage/spent/{address}").json() == {"2/day": 2}
    assert fastapi.ask(f"/usage/spent/{address}", "DELETE").json() == {"2/day": 2}
    assert fastapi.ask(f"/usage/spent/{address}").json() == {}
    assert fastapi.passed("/usage/limited", 3) == 2


@shows("limit of breaches")
def test_who_is_refused_too_often_is_refused_everything(fastapi: Caller) -> None:
    path = "/usage/strict"
    assert fastapi.passed(f"{path}/login", 2) == 1
    assert fastapi.passed(f"{path}/other", 2) == 2
    assert fastapi.passed(f"{path}/login", 1) == 0
    until(lambda: fastapi.passed(f"{path}/other", 1) == 0)
