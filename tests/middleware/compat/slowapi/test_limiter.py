"""A Limiter's options and settings."""

import logging
from pathlib import Path
from typing import Any

import pytest

from sidegate.client.config import log_once
from sidegate.compat.slowapi import Limiter
from sidegate.compat.slowapi.counts.counts import ProcessCounts, SidecarCounts
from sidegate.compat.slowapi.util import get_remote_address
from tests.compat.slowapi.libraries import OURS, Bench, Clock


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have no `.env` read but one that the test writes."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def limiter(**options: Any) -> Any:
    return Limiter(get_remote_address, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"default_limits": ["5/fortnight"]}, "5/fortnight"),
        ({"application_limits": "often"}, "often"),
        ({"in_memory_fallback": [""]}, "expected a limit"),
        ({"strategy": "fixed"}, "strategy='fixed': expected one of fixed-window, moving-window"),
        ({"key_style": "path"}, "key_style='path': expected one of url, endpoint"),
        ({"storage_uri": "redis://h"}, "storage_uri='redis://': expected sidegate://HOST:PORT"),
    ],
)
def test_mistakes_are_errors_at_import(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        limiter(**options)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("ENABLED", "false", "enabled", False),
        ("ENABLED", "1", "enabled", True),
        ("HEADERS_ENABLED", "true", "_headers_enabled", True),
        ("SWALLOW_ERRORS", "TRUE", "_swallow_errors", True),
        ("IN_MEMORY_FALLBACK_ENABLED", "1", "_in_memory_fallback_enabled", True),
        ("IN_MEMORY_FALLBACK", "1/minute", "_in_memory_fallback_enabled", True),
    ],
)
def test_settings_of_the_environment(
    name: str, value: str, attribute: str, *, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"RATELIMIT_{name}", value)
    assert getattr(limiter(), attribute) is expected


def test_settings_of_a_file(elsewhere: Path) -> None:
    (elsewhere / ".env").write_text("RATELIMIT_ENABLED=false\n")
    assert not limiter().enabled
    (elsewhere / "other").write_text("RATELIMIT_STRATEGY=moving-window\n")
    assert limiter(config_filename="other").limiter.strategy == "moving-window"
    assert (
        limiter(config_filename="other", strategy="fixed-window").limiter.strategy == "fixed-window"
    )


@pytest.mark.parametrize("name", ["ENABLED", "HEADERS_ENABLED", "STRATEGY", "STORAGE_OPTIONS"])
def test_a_setting_that_cannot_be_read_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"RATELIMIT_{name}", "perhaps")
    with pytest.raises(ValueError, match="perhaps"):
        limiter()


def test_limits_names_and_the_place_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "STORAGE_URL": "memory://",
        "DEFAULT": "2/minute",
        "HEADERS_ENABLED": "true",
        "HEADER_LIMIT": "X-Limit",
        "HEADER_RETRY_AFTER": "X-Wait",
        "KEY_PREFIX": "shop",
    }.items():
        monkeypatch.setenv(f"RATELIMIT_{name}", value)
    monkeypatch.setenv("SIDEGATE_SIDECAR", "127.0.0.1:1")
    bench = Bench(OURS, Clock(0))
    made = bench.limiter()

    @bench.app.get("/")
    async def view() -> None: ...

    assert [it.status for it in bench.get("/", 3)] == [200, 200, 429]
    assert made._storage.get("LIMITER/shop/testclient///2/1/minute") == 3


def test_options_of_the_environment_are_those_of_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELIMIT_STORAGE_OPTIONS", '{"budget": -1}')
    with pytest.raises(ValueError, match=r"budget=-1"):
        limiter(storage_uri="sidegate://127.0.0.1:1", storage_options={"budget": 1})


def test_the_sidecar_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(limiter()._storage.counts, ProcessCounts)
    monkeypatch.setenv("SIDEGATE_SIDECAR", "127.0.0.1:1")
    assert isinstance(limiter()._storage.counts, SidecarCounts)
    assert isinstance(limiter(storage_uri="memory://")._storage.counts, ProcessCounts)
    monkeypatch.setenv("SIDEGATE_SIDECAR", "off")
    assert not limiter().enabled
    assert limiter(storage_uri="memory://").enabled


def test_a_service_has_keys_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEGATE_SERVICE", "shop")
    assert limiter()._storage.key(["me", "/a"]) == "shop//a:me"
    assert limiter(key_prefix="other")._storage.key(["me", "/a"]) == "other//a:me"


def test_what_differs_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    log_once.cache_clear()
    with caplog.at_level(logging.WARNING, "sidegate"):
        for _ in range(3):
            limiter()
            limiter(strategy="moving-window")
    fixed, moving = [it.message for it in caplog.records if it.name == "sidegate"]
    assert "windows of slowapi's strategy fixed-window are those of the clock" in fixed
    assert "slowapi's strategy moving-window is a token bucket here" in moving
