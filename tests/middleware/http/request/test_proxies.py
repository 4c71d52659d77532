"""Which part of X-Forwarded-For is believed."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.http.request.proxies import NO_PROXIES, canonical, parse_proxies

PROXY, OTHER, STRANGER = "10.0.0.1", "10.0.0.2", "198.51.100.9"
INSIDE = ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("  192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:567", "192.0.2.1"),
        ('"192.0.2.1:567"', "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ('"[2001:db8::1]:80"', "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("unknown", ""),
        ("_hidden", ""),
        ("for=192.0.2.1", ""),
        ("192.0.2", ""),
        ("192.0.2.01", ""),
        ("192.0.2.1:", ""),
        ("192.0.2.1:http", ""),
        ("192.0.2.1:1234567", ""),
        ("192.0.2.1%eth0", ""),
        ("[2001:db8::1", ""),
        ("[2001:db8::1]x", ""),
        ("2001:db8::1]", ""),
        ("192.0.2.1 192.0.2.2", ""),
        ("٢.1.1.1", ""),
        ("1" * 100_000, ""),
    ],
)
def test_an_entry_is_an_address_however_it_is_written(entry: str, address: str) -> None:
    assert canonical(entry) == address


@pytest.mark.parametrize(
    ("hops", "forwarded", "client"),
    [
        pytest.param(0, "192.0.2.1", PROXY, id="no proxy: the field is ignored"),
        pytest.param(1, "192.0.2.1", "192.0.2.1", id="one"),
        pytest.param(1, "1.1.1.1, 192.0.2.1", "192.0.2.1", id="what the client invents is ignored"),
        pytest.param(2, "1.1.1.1, 192.0.2.1, 10.0.0.2", "192.0.2.1", id="two"),
        pytest.param(1, "", PROXY, id="missing: the peer"),
        pytest.param(2, "192.0.2.1", PROXY, id="too short: the peer"),
        pytest.param(1, "1.1.1.1, unknown", PROXY, id="no address: its right neighbour"),
        pytest.param(2, "1.1.1.1, garbage, 10.0.0.2", OTHER, id="no address: what was vouched for"),
        pytest.param(1, "1.1.1.1,, 192.0.2.1 , ,", "192.0.2.1", id="empty entries don't count"),
        pytest.param(2, ", 192.0.2.1", PROXY, id="nor make it longer"),
        pytest.param(1, '"1.1.1.1, 192.0.2.1', "192.0.2.1", id="a quote can't swallow a comma"),
        pytest.param(1, "1.1.1.1," * 9_999 + "192.0.2.1", "192.0.2.1", id="very long"),
    ],
)
def test_by_count_the_client_is_the_nth_from_the_right(
    hops: int, forwarded: str, client: str
) -> None:
    assert parse_proxies(hops).client(PROXY, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param(STRANGER, "192.0.2.1", STRANGER, id="a stranger is the client itself"),
        pytest.param(PROXY, "192.0.2.1", "192.0.2.1", id="one proxy"),
        pytest.param("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1", id="IPv4 written as IPv6"),
        pytest.param("fd00::1", "2001:db8::1", "2001:db8::1", id="IPv6"),
        pytest.param(PROXY, "1.1.1.1, 192.0.2.1, 10.0.0.2", "192.0.2.1", id="two proxies"),
        pytest.param(PROXY, "10.9.9.9, 192.0.2.1", "192.0.2.1", id="invented proxies don't count"),
        pytest.param(PROXY, "", PROXY, id="missing: the peer"),
        pytest.param(PROXY, "10.0.0.3, 10.0.0.2", "10.0.0.3", id="all trusted: the leftmost"),
        pytest.param(PROXY, "1.1.1.1, unknown, 10.0.0.2", OTHER, id="no address: its neighbour"),
        pytest.param(PROXY, "1.1.1.1, unknown", PROXY, id="no address: the peer"),
        pytest.param("testclient", "192.0.2.1", "testclient", id="a peer without an address"),
        pytest.param("", "192.0.2.1", "", id="a Unix socket isn't trusted"),
    ],
)
def test_by_network_the_client_is_the_first_outside(peer: str, forwarded: str, client: str) -> None:
    assert parse_proxies(INSIDE).client(peer, forwarded) == client


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        (["unix:"], "192.0.2.1", "192.0.2.1"),
        (["unix:"], "", ""),
        (["unix:", *INSIDE], "192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "", ""),
    ],
)
def test_a_unix_socket_is_trusted_when_named_or_counted(
    trusted: int | list[str], forwarded: str, client: str
) -> None:
    assert parse_proxies(trusted).client("", forwarded) == client


@given(st.text(alphabet='0123456789.:,[]"% abcf', max_size=80), st.integers(1, 3))
def test_whatever_a_client_invents_it_is_told_by_what_the_proxies_wrote(
    invented: str, hops: int
) -> None:
    """The left end is the client's own, so it must not change who it is."""
    written = ["192.0.2.1", "10.0.0.3", "10.0.0.2"][:hops]
    forwarded = ", ".join([invented, *written])
    assert parse_proxies(hops).client(PROXY, forwarded) == "192.0.2.1"
    assert parse_proxies(INSIDE).client(PROXY, forwarded) == "192.0.2.1"


@pytest.mark.parametrize("trusted", [0, [], ()])
def test_nobody_is_trusted_by_default(trusted: int | list[str]) -> None:
    assert parse_proxies(trusted) is NO_PROXIES


@pytest.mark.parametrize(
    ("trusted", "named"),
    [
        (-1, "trusted_proxies=-1"),
        (33, "trusted_proxies=33"),
        (True, "trusted_proxies=True"),
        (["10.0.0.1/8"], "'10.0.0.1/8'"),
        (["proxy.local"], "'proxy.local'"),
        ("*", "'*'"),
    ],
)
def test_a_wrong_option_is_named(trusted: int | Iterable[str], named: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies") as caught:
        parse_proxies(trusted)
    assert named in str(caught.value)


def test_one_network_needs_no_list() -> None:
    assert parse_proxies("10.0.0.0/8").client(PROXY, "192.0.2.1") == "192.0.2.1"
