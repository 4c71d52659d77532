"""The switch of OpenTelemetry: in code, in the environment, and where it isn't installed."""

import logging
import subprocess
import sys

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import client_options
from sidegate.limiter.limiter import Limiter
from sidegate.link.endpoint import Endpoint

INSTALL = "expected opentelemetry-api to be installed, which is what the extra sidegate[otel] has"

# What apps import, made and asked with no word of tracing.
_PROGRAM = """
import sys
from sidegate import BlockingClient, Client, Limiter, RateLimitMiddleware, RateLimitWSGIMiddleware
BlockingClient("memory").check("k", "1/hour")
Client(), Limiter("1/hour")
print(*[name for name in sys.modules if "opentelemetry" in name or "telemetry.checks" in name])
"""


def options(otel: object = None) -> Endpoint:
    return client_options(None, 0.05, None, None, "web-1", otel=otel)


@pytest.fixture
def _not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "sidegate.telemetry.checks", raising=False)


class TestSwitch:
    def test_it_is_off_unless_something_says_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert options().telemetry is None
        for text in ("", "0", "false", "No", " off "):
            monkeypatch.setenv("SIDEGATE_OTEL", text)
            assert options().telemetry is None
            assert options(True).telemetry is not None

    @pytest.mark.parametrize("text", ["1", "true", "YES", "on "])
    def test_the_environment_says_on_and_code_has_the_last_word(
        self, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SIDEGATE_OTEL", text)
        assert options().telemetry is not None
        assert options(False).telemetry is None

    def test_it_is_the_same_where_nobody_is_asked(self) -> None:
        assert client_options("memory", 1, None, None, "app", otel=True).telemetry is not None

    def test_off_imports_nothing_of_it(self) -> None:
        said = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True)
        assert said.stdout.decode().strip() == ""

    def test_off_a_check_is_the_plain_function(self) -> None:
        assert "check" not in vars(Client("memory"))
        assert "check" in vars(Client("memory", otel=True))


class TestMistakes:
    @pytest.mark.parametrize("value", [1, "on", "1", []])
    def test_in_code_they_are_errors_with_the_value(self, value: object) -> None:
        with pytest.raises(ValueError, match=r"otel=.*: expected True, False or None"):
            options(value)

    def test_in_the_environment_they_are_told_and_nothing_is_traced(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("SIDEGATE_OTEL", "maybe")
        assert options().telemetry is None
        assert options().telemetry is None
        (told,) = caplog.messages
        assert told == (
            "sidegate: SIDEGATE_OTEL='maybe': expected 1, true, yes or on; or 0, false, no or off."
            " Nothing is traced or counted"
        )

    @pytest.mark.usefixtures("_not_installed")
    def test_in_code_it_says_what_to_install(self) -> None:
        for kind in (Client, BlockingClient, Limiter):
            with pytest.raises(ValueError, match="otel=True: expected opentelemetry-api") as raised:
                kind(otel=True)
            assert str(raised.value) == f"otel=True: {INSTALL}"

    @pytest.mark.usefixtures("_not_installed")
    def test_in_the_environment_the_log_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("SIDEGATE_OTEL", "1")
        decision = BlockingClient("off").check("k", "1/hour")
        assert decision.allowed
        told = [it.getMessage() for it in caplog.records if it.levelno == logging.ERROR]
        assert told == [f"sidegate: SIDEGATE_OTEL='1': {INSTALL}. Nothing is traced or counted"]
