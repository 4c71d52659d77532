"""Addresses of clients: from fields that proxies set, and IPv4 inside IPv6."""

from collections.abc import Callable
from typing import Any

import pytest

from sidegate import Limiter
from sidegate.http.keys import client_ip, header
from sidegate.http.request.proxies import forwarded_for, parse_proxies
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule
from tests.middleware.http.requests import asgi, both


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),  # mapped
        ("::ffff:0:192.0.2.1", "192.0.2.1"),  # translated
        ("64:ff9b::192.0.2.1", "192.0.2.1"),  # NAT64
        ("64:ff9b::c000:201", "192.0.2.1"),
        ("64:ff9b:1::192.0.2.1", "192.0.2.1"),  # NAT64 of a local prefix
        ("64:ff9b:1:fffe::192.0.2.1", "192.0.2.1"),
        ("2002:c000:201::1", "192.0.2.1"),  # 6to4
        ("2002:c000:201:ffff::1", "192.0.2.1"),
        ("64:ff9b:2::192.0.2.1", "64:ff9b:2::/64"),
        ("2001:db8::192.0.2.1", "2001:db8::/64"),
        ("::192.0.2.1", "::/64"),
    ],
)
def test_ipv4_inside_ipv6_counts_as_ipv4(address: str, inside: str) -> None:
    assert client_ip()(asgi([], address)) == inside
    forwarded = asgi([("X-Forwarded-For", address)], "10.0.0.1", parse_proxies(1))
    assert client_ip()(forwarded) == inside


@both
@pytest.mark.parametrize(
    ("value", "identity"),
    [
        ("192.0.2.9", "192.0.2.9"),
        (" 192.0.2.9 ", "192.0.2.9"),
        ("192.0.2.9:4711", "192.0.2.9"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3::5]:80", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("64:ff9b::192.0.2.9", "192.0.2.9"),
        ("nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("192.0.2.9, 192.0.2.10", "10.0.0.1"),
        ("1" * 100, "10.0.0.1"),
    ],
)
def test_a_field_s_address_is_grouped_like_any_other(
    request_of: Callable[..., Request], value: str, identity: str
) -> None:
    by_field = client_ip(from_header="CF-Connecting-IP")
    assert by_field(request_of([("cf-connecting-ip", value)], "10.0.0.1")) == identity


@pytest.mark.parametrize(
    ("trusted", "peer", "identity"),
    [
        (0, "203.0.113.1", "192.0.2.9"),
        (1, "203.0.113.1", "192.0.2.9"),
        (["10.0.0.0/8"], "10.0.0.1", "192.0.2.9"),
        (["10.0.0.0/8"], "203.0.113.1", "203.0.113.1"),
        (["unix:"], "", "192.0.2.9"),
        (["10.0.0.0/8"], "", "unknown"),
    ],
)
def test_a_field_is_believed_from_whom_proxies_are_trusted(
    trusted: Any, peer: str, identity: str
) -> None:
    request = asgi([("cf-connecting-ip", "192.0.2.9")], peer, parse_proxies(trusted))
    assert client_ip(from_header="cf-connecting-ip")(request) == identity


@pytest.mark.parametrize(
    ("field", "addresses"),
    [
        ("for=192.0.2.60", ["192.0.2.60"]),
        ('For="[2001:db8:cafe::17]:4711"', ["[2001:db8:cafe::17]:4711"]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", ["192.0.2.60"]),
        ("for=192.0.2.43, for=198.51.100.17", ["192.0.2.43", "198.51.100.17"]),
        ("for=192.0.2.43,, for=198.51.100.17", ["192.0.2.43", "198.51.100.17"]),
        ("for=unknown, for=_hidden", ["unknown", "_hidden"]),
        ("by=203.0.113.43", [""]),
        ("for=1.1.1.1;for=2.2.2.2", [""]),
        ('host="a;for=6.6.6.6";for=192.0.2.1', ["192.0.2.1"]),
        ("", []),
    ],
)
def test_forwarded_has_the_addresses_that_proxies_noted(field: str, addresses: list[str]) -> None:
    assert forwarded_for(field) == addresses


@pytest.mark.parametrize(
    ("field", "identity"),
    [
        ("for=6.6.6.6, for=192.0.2.9", "192.0.2.9"),
        ('for="6.6.6.6, for=192.0.2.9', "192.0.2.9"),
        ('for=6.6.6.6;host=", for="[2001:db8:1:2::3]:1"', "2001:db8:1:2::/64"),
        ("for=6.6.6.6, for=_hidden", "10.0.0.1"),
        ("for=6.6.6.6, by=10.0.0.1", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_of_forwarded_only_what_a_trusted_proxy_added_counts(field: str, identity: str) -> None:
    request = asgi([("forwarded", field)], "10.0.0.1", parse_proxies(1))
    assert client_ip(from_header="Forwarded")(request) == identity


@pytest.mark.parametrize("name", ["forwarded", "X-Forwarded-For"])
def test_a_field_that_proxies_append_to_needs_to_know_them(name: str) -> None:
    key = client_ip(from_header=name)
    for given in (key, header("x-api-key", missing=key)):
        with pytest.raises(ValueError, match="expected trusted_proxies="):
            Limiter(rules=[Rule("r", "1/s", key=given)])
        Limiter(rules=[Rule("r", "1/s", key=given)], trusted_proxies=1)


@pytest.mark.parametrize("name", ["", "a b", 7, b"x", "a:b"])
def test_a_field_has_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match=r"from_header=.* must be the name of a header field"):
        client_ip(from_header=name)


@pytest.mark.parametrize("trusted", [None, 1.5, b"10.0.0.0/8", object(), ["nonsense"], [7]])
def test_what_names_no_proxies_is_refused(trusted: Any) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        parse_proxies(trusted)
