"""Addresses: what is understood, and what can be reached from elsewhere."""

from __future__ import annotations

import pytest

from sidegate.link.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7171", Address("127.0.0.1", 7171)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:7171", Address("::1", 7171)),
        ("sidegate.prod.svc:65535", Address("sidegate.prod.svc", 65_535)),
        ("unix:/run/sidegate.sock", Address(path="/run/sidegate.sock")),
        ("unix:///run/sidegate.sock", Address(path="/run/sidegate.sock")),
        ("unix:sockets/a:1", Address(path="sockets/a:1")),
    ],
)
def test_understood(text: str, address: Address) -> None:
    """HOST:PORT, [IPV6]:PORT and unix:/PATH are addresses."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["127.0.0.1:7171", "[::1]:7171", "unix:/run/sidegate.sock"])
def test_written(text: str) -> None:
    """An address is written the way it is read."""
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "HOST:PORT"),
        ("localhost", "HOST:PORT"),
        (":7171", "HOST:PORT"),
        ("::1:7171", "HOST:PORT"),
        ("[]:7171", "HOST:PORT"),
        ("host:", "port"),
        ("host:http", "port"),
        ("host:-1", "port"),
        ("host:65536", "port"),
        ("host:\uff17\uff11", "port"),
        ("host:" + "9" * 5_000, "port"),
        ("unix:", "path"),
        ("unix://", "path"),
    ],
)
def test_not_understood(text: str, reason: str) -> None:
    """What isn't an address is an error that quotes it and says what was expected."""
    with pytest.raises(ValueError, match=reason) as caught:
        parse_address(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/run/s"]
)
def test_local(text: str) -> None:
    """Loopback addresses and Unix sockets can be reached from this machine only."""
    assert parse_address(text).is_local


@pytest.mark.parametrize(
    "text", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "sidegate:1", "127.1.evil:1"]
)
def test_not_local(text: str) -> None:
    """All others may be reached from elsewhere, host names included."""
    assert not parse_address(text).is_local


@pytest.mark.parametrize(
    ("text", "wildcard"), [("0.0.0.0:1", True), ("[::]:1", True), ("127.0.0.1:1", False)]
)
def test_wildcard(text: str, wildcard: bool) -> None:
    """Two addresses mean all of this machine's."""
    assert parse_address(text).is_wildcard is wildcard


@pytest.mark.parametrize(
    ("where", "dialled"),
    [
        ("0.0.0.0:7172", "127.0.0.1:7172"),
        ("[::]:7172", "[::1]:7172"),
        ("10.0.0.1:7172", "10.0.0.1:7172"),
        ("unix:/run/sidegate.sock", "unix:/run/sidegate.sock"),
    ],
)
def test_reached_from_here(where: str, dialled: str) -> None:
    """What listens everywhere is dialled on this machine; other addresses are as they are."""
    assert str(parse_address(where).from_here()) == dialled
