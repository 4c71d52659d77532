"""What the address and the options of a storage say."""

from typing import Any

import pytest
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from sidegate.compat.limits import AsyncSidegateStorage, SidegateStorage
from sidegate.compat.limits.settings import StorageSettings, read_settings


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIDEGATE_SIDECAR", "SIDEGATE_SERVICE"):
        monkeypatch.delenv(name, raising=False)


def read(uri: str | None, **options: Any) -> StorageSettings:
    return read_settings(uri, options)


@pytest.mark.parametrize(
    ("uri", "sidecar"),
    [
        ("sidegate://127.0.0.1:7171", "127.0.0.1:7171"),
        ("sidegate://[::1]:7171/", "[::1]:7171"),
        ("async+sidegate://localhost:7171", "localhost:7171"),
        ("sidegate+unix:///run/sidegate.sock", "unix:/run/sidegate.sock"),
        ("async+sidegate+unix:///run/sidegate.sock", "unix:/run/sidegate.sock"),
    ],
)
def test_the_address_is_the_sidecars(uri: str, sidecar: str) -> None:
    settings = read(uri)
    assert (settings.client, settings.where) == ({"sidecar": sidecar}, sidecar)
    assert (settings.in_memory, settings.prefix, settings.raises) == (False, "limits", False)


def test_without_one_it_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (read("sidegate://").client, read(None).where) == ({}, "127.0.0.1:7171")
    monkeypatch.setenv("SIDEGATE_SIDECAR", "10.0.0.7:7171")
    assert (read("sidegate://").client, read(None).where) == ({}, "10.0.0.7:7171")


def test_options_stand_behind_the_address_or_beside_it() -> None:
    """Those beside it count, where there are both."""
    settings = read(
        "sidegate://a:1?budget=0.2&remember_denials=no&name=shop&key_prefix=x", key_prefix="api"
    )
    assert settings.client == {
        "sidecar": "a:1",
        "budget": 0.2,
        "remember_denials": False,
        "name": "shop",
    }
    assert settings.prefix == "api"


def test_a_service_keeps_its_buckets_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("sidegate://?service=shop").prefix == "shop/limits"
    monkeypatch.setenv("SIDEGATE_SERVICE", "forum")
    assert read("sidegate://").prefix == "forum/limits"


def test_raise_refuses_first() -> None:
    settings = read("sidegate://?on_unreachable=raise")
    assert (settings.raises, settings.client) == (True, {"on_unreachable": "closed"})


@pytest.mark.parametrize(
    ("uri", "options", "says"),
    [
        ("sidegate://a:1/0", {}, "address 'sidegate://a:1/0': expected sidegate://HOST:PORT"),
        ("sidegate+unix://a:1", {}, "address 'sidegate\\+unix://a:1': expected"),
        ("sidegate+memory://a:1", {}, "address 'sidegate\\+memory://a:1': expected"),
        ("sidegate+unix://", {}, "sidecar='unix:': expected a path after unix:"),
        ("sidegate://nowhere", {}, "sidecar='nowhere': expected HOST:PORT"),
        ("sidegate://[::1", {}, "Invalid IPv6 URL"),
        ("sidegate://?budgte=1", {}, "budgte is no option of sidegate's storage; did you mean"),
        ("sidegate://?budget=soon", {}, "budget='soon': expected seconds"),
        (
            "sidegate://",
            {"on_unreachable": "up"},
            "on_unreachable='up': expected one of open, closed, local, raise",
        ),
        ("sidegate://?key_prefix=a:b", {}, "key_prefix='a:b': must be 1 to 64"),
        ("sidegate://?service=a/b", {}, "service='a/b': "),
        ("sidegate://", {"db": 3}, "db is no option of sidegate's storage"),
    ],
)
@pytest.mark.parametrize("kind", [SidegateStorage, AsyncSidegateStorage])
def test_what_is_wrong_is_named(
    kind: type[SidegateStorage | AsyncSidegateStorage], uri: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^sidegate's storage: {says}"):
        kind(uri, **options)


@pytest.mark.parametrize(
    "uri",
    ["sidegate://:hush-hush@a:1", "sidegate://hush-hush@a:1", "sidegate://a:1?secret=hush-hush"],
)
def test_a_secret_belongs_not_into_an_address(uri: str) -> None:
    """Addresses are logged; so it isn't shown either."""
    with pytest.raises(ConfigurationError) as caught:
        storage_from_string(uri)
    assert "secret" in str(caught.value)
    assert "hush" not in str(caught.value)
