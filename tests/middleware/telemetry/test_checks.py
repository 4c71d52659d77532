"""What is told of a client's checks: in bounds, and at nobody's expense."""

from collections.abc import Callable

import pytest

from sidegate.client import config
from sidegate.client.blocking import BlockingClient
from sidegate.telemetry.checks import MAX_POLICIES, CheckTelemetry
from sidegate.testing import isolated
from tests.support.telemetry import sdk


def test_rules_beyond_the_bound_count_as_other() -> None:
    """Those that were counted before keep their own count."""
    sdk()
    telemetry = CheckTelemetry()
    before = sdk().counts("other").get(("denied", "backup"), 0)
    for at in range(MAX_POLICIES + 3):
        telemetry.count({(f"bounded.{at}", "denied", "backup"): 2})
    telemetry.count({("bounded.0", "denied", "backup"): 1})
    assert sdk().counts("bounded.0") == {("denied", "backup"): 3}
    assert sdk().counts(f"bounded.{MAX_POLICIES - 1}") == {("denied", "backup"): 2}
    assert sdk().counts(f"bounded.{MAX_POLICIES}") == {}
    assert sdk().counts("other")["denied", "backup"] == before + 3 * 2


def test_clients_of_one_process_share_a_counter() -> None:
    sdk()
    for _ in range(2):
        CheckTelemetry().count({("shared", "allowed", "owner"): 1})
    assert sdk().counts("shared") == {("allowed", "owner"): 2}


class Broken:
    """A part of an SDK that fails, whatever it is asked."""

    def __getattr__(self, _: str) -> Callable[..., object]:
        def fail(*_: object, **__: object) -> object:
            raise RuntimeError("out of order")

        return fail


@pytest.mark.parametrize("part", ["_tracer", "_requests"])
def test_what_fails_there_is_logged_once_and_checks_go_on(
    part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[CheckTelemetry] = []

    def broken() -> CheckTelemetry:
        made.append(CheckTelemetry())
        setattr(made[-1], part, Broken())
        return made[-1]

    monkeypatch.setattr(config, "_new_telemetry", broken)
    with isolated(), sdk().request(), BlockingClient(otel=True) as asking:
        assert [asking.check("broken:ann", "1/hour").allowed for _ in range(2)] == [True, False]
    told = [it.getMessage() for it in caplog.records if "OpenTelemetry" in it.getMessage()]
    assert told == ["sidegate: OpenTelemetry has failed; checks go on, this is said once"]
