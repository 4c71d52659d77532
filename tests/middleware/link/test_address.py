"""Addresses: what is understood, and what can be reached from elsewhere."""

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
def test_host_and_port_ipv6_and_unix_paths_are_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["127.0.0.1:7171", "[::1]:7171", "unix:/run/sidegate.sock"])
def test_an_address_is_written_the_way_it_is_read(text: str) -> None:
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
def test_what_is_no_address_is_quoted_with_what_was_expected(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse_address(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/run/s"]
)
def test_loopback_and_unix_sockets_are_reached_from_this_machine_only(text: str) -> None:
    assert parse_address(text).is_local


@pytest.mark.parametrize(
    "text", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "sidegate:1", "127.1.evil:1"]
)
def test_all_others_may_be_reached_from_elsewhere_host_names_included(text: str) -> None:
    assert not parse_address(text).is_local


@pytest.mark.parametrize(
    ("text", "wildcard"), [("0.0.0.0:1", True), ("[::]:1", True), ("127.0.0.1:1", False)]
)
def test_two_addresses_mean_all_of_this_machines(text: str, wildcard: bool) -> None:
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
def test_what_listens_everywhere_is_dialled_on_this_machine(where: str, dialled: str) -> None:
    assert str(parse_address(where).from_here()) == dialled
