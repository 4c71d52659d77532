"""Whose bucket a request is counted in."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.asgi.middleware import ScopeRequest
from sidegate.http import keys as identity
from sidegate.http.keys import (
    MAX_IDENTITY_BYTES,
    Header,
    Identity,
    bucket_key,
    client_ip,
    header,
    is_async,
)
from sidegate.http.request import proxies
from sidegate.http.request.proxies import NO_PROXIES, parse_proxies
from sidegate.http.request.request import Request
from sidegate.wsgi import EnvironRequest
from tests.middleware.http.requests import Lines, asgi, both, wsgi


@both
def test_a_request_looks_the_same_from_both_sides(request_of: Callable[..., Request]) -> None:
    lines = [
        ("Host", "example.org"),
        ("X-Forwarded-For", "1.1.1.1"),
        ("Content-Type", "text/plain"),
        ("x-forwarded-for", "192.0.2.9"),
    ]
    request = request_of(lines, proxies=parse_proxies(1))
    assert request.method == "POST"
    assert request.path == "/a/é"
    assert request.peer == "192.0.2.1"
    assert request.client == "192.0.2.9"
    assert request.headers == {
        "host": "example.org",
        "x-forwarded-for": "1.1.1.1, 192.0.2.9",
        "content-type": "text/plain",
    }
    assert request.headers is request.headers
    assert request.header("Content-Type") == "text/plain"
    assert request.header("x-missing") == ""


def test_raw_is_what_the_server_gave() -> None:
    scope: dict[str, object] = {"type": "websocket", "path": "/", "headers": []}
    request = ScopeRequest(scope, NO_PROXIES)
    assert request.raw is scope
    assert request.method == "GET"
    assert not request.peer
    environ = {"REQUEST_METHOD": "GET"}
    assert EnvironRequest(environ, NO_PROXIES).raw is environ


def test_a_path_that_is_not_utf_8_is_still_a_path() -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/\xff"}
    assert EnvironRequest(environ, NO_PROXIES).path == "/\ufffd"


@pytest.mark.parametrize(
    ("peer", "identity"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_counts_by_its_address(peer: str, identity: str) -> None:
    assert client_ip()(asgi([], peer)) == identity
    assert client_ip()(wsgi([], peer)) == identity


def test_only_what_may_be_an_address_is_cached() -> None:
    """A header field may be 64 kB long, and a cache must not keep thousands of those."""
    caches: list[Any] = [identity._group, proxies._written, proxies._parse]
    before = [cache.cache_info().currsize for cache in caches]
    long = "1" * 65
    assert identity.group(long, 64) == long
    assert proxies.canonical(long) == ""
    assert proxies.parse_ip(long) is None
    assert [cache.cache_info().currsize for cache in caches] == before


@pytest.mark.parametrize(
    ("prefix", "identity"),
    [
        (48, "2001:db8:1::/48"),
        (128, "2001:db8:1:2:3:4:5:6/128"),
        (1, "::/1"),
        (56, "2001:db8:1::/56"),
    ],
)
def test_ipv6_counts_by_its_prefix(prefix: int, identity: str) -> None:
    assert client_ip(prefix)(asgi([], "2001:db8:1:2:3:4:5:6")) == identity
    assert client_ip(prefix)(asgi([], "192.0.2.1")) == "192.0.2.1"


@both
def test_behind_proxies_the_client_is_theirs(request_of: Callable[..., Request]) -> None:
    lines = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "[2001:db8::1]:80, 10.0.0.2")]
    assert client_ip()(request_of(lines, "10.0.0.1", parse_proxies(2))) == "2001:db8::/64"
    assert client_ip()(request_of(lines, "10.0.0.1", NO_PROXIES)) == "10.0.0.1"
    assert client_ip()(request_of(lines, "", parse_proxies(["unix:"]))) == "10.0.0.2"


@both
@pytest.mark.parametrize(
    ("key", "lines", "identity"),
    [
        (header("X-API-Key"), [("x-api-key", "abc")], "x-api-key=abc"),
        (header("x-api-key"), [("X-Api-Key", " abc ")], "x-api-key=abc"),
        (header("x-api-key"), [("x-api-key", "a, b")], "x-api-key=a"),
        (header("x-api-key"), [("x-api-key", "a"), ("x-api-key", "a")], "x-api-key=a"),
        (header("x-api-key"), [("x-api-key", ",b")], "192.0.2.1"),
        (header("k", normalize=str.lower), [("k", "A,B")], "k=a,b"),
        (header("k", normalize=lambda _: None), [("k", "A")], "192.0.2.1"),
        (header("x-api-key"), [("x-api-key", "192.0.2.1")], "x-api-key=192.0.2.1"),
        (header("x-api-key"), [], "192.0.2.1"),
        (header("x-api-key"), [("x-api-key", "  ")], "192.0.2.1"),
        (header("x-api-key", missing=None), [], None),
        (header("a", missing=header("b")), [("b", "1")], "b=1"),
        (header("a", missing=lambda _: "nobody"), [], "nobody"),
    ],
)
def test_a_header_tells_clients_apart(
    request_of: Callable[..., Request], key: Identity, lines: Lines, identity: str | None
) -> None:
    """And a request without it counts by its address, so leaving it out is no way around."""
    assert key(request_of(lines)) == identity


@pytest.mark.parametrize("name", ["", "x y", "a:b", "a=b", "ä", "a\n"])
def test_a_header_needs_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="name="):
        header(name)


@pytest.mark.parametrize("prefix", [0, 129, True])
def test_a_prefix_has_bits(prefix: int) -> None:
    with pytest.raises(ValueError, match=f"v6_prefix={prefix}"):
        client_ip(prefix)


async def pending(_: Request) -> str:
    return "someone"


class Pending:
    async def __call__(self, request: Request) -> str:
        return await pending(request)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (pending, True),
        (Pending(), True),
        (partial(pending), True),
        (header("a", missing=pending), True),
        (header("a", missing=header("b", missing=pending)), True),
        (header("a"), False),
        (header("a", missing=None), False),
        (client_ip(), False),
        (len, False),
        (3, False),
    ],
)
def test_coroutine_functions_are_recognised(key: object, expected: bool) -> None:
    assert is_async(key) is expected


FITTING = "x" * MAX_IDENTITY_BYTES


@pytest.mark.parametrize(
    ("identity", "kept"),
    [
        ("192.0.2.1", True),
        ("", True),
        ("two words", True),
        ("ключ", True),
        (FITTING, True),
        (FITTING + "x", False),
        ("€" * 21, True),
        ("€" * 22, False),
        ("a\nb", False),
        ("a\x00", False),
        ("\ud800", False),
        ("\u202e", False),
    ],
)
def test_a_key_is_readable_where_it_can_be(identity: str, kept: bool) -> None:
    hashed = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    assert bucket_key("api", identity) == f"api:{identity if kept else f'sha256={hashed[:32]}'}"


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=600))
def test_there_is_a_key_for_every_identity(identity: str) -> None:
    key = bucket_key("n" * 64, identity)
    assert key.isprintable()
    assert len(key.encode()) <= 64 + 1 + MAX_IDENTITY_BYTES


def test_identities_show_what_they_are() -> None:
    assert isinstance(header("A"), Header)
    assert repr(header("A")) == "header('a', missing=client_ip(v6_prefix=64))"
