"""Which fields are believed at which path."""

import pytest

from sidegate.errors import WrongHost
from sidegate.http.request.hosts import host_of
from sidegate.http.request.proxies import parse_proxies
from sidegate_sidecar.fronts.forward_auth.heads import HeadError, HeadReader
from sidegate_sidecar.fronts.forward_auth.proxied_request import AskingPeer, ProxiedRequest
from sidegate_sidecar.fronts.forward_auth.styles import denial_of, request_of, style_of
from tests.sidecar.fronts.forward_auth.asking_proxies import by_nginx, forwarded, request

PROXIES = parse_proxies(["127.0.0.1", "10.0.0.0/8"])
PEER = AskingPeer("127.0.0.1", PROXIES, PROXIES.client)


def asked(data: bytes) -> ProxiedRequest:
    """Return the request that is meant."""
    head = HeadReader().read(data)
    return request_of(style_of(head.target), head, PEER)


def by_haproxy(target: str, *lines: str) -> bytes:
    """Return what HAProxy asks."""
    return by_nginx(target, *lines).replace(b"/v1/auth/nginx", b"/v1/auth/haproxy")


ORIGINAL = "X-Original-Method: PUT", "X-Original-URI: /original", "X-Original-Host: original"
FORWARDED = "X-Forwarded-Method: PATCH", "X-Forwarded-Uri: /forwarded", "X-Forwarded-Host: forw"


@pytest.mark.parametrize(
    ("data", "method", "path", "host"),
    [
        (request("/a%2Fb?c", method="POST"), "POST", "/a/b", "a.example"),
        (request("", *ORIGINAL, *FORWARDED), "GET", "/", "a.example"),
        (request("*", method="OPTIONS"), "OPTIONS", "*", "a.example"),
        (request("?x", *ORIGINAL), "GET", "/", "a.example"),
        (by_haproxy("/h?x", *FORWARDED, "X-Original-Host: b"), "GET", "/h", "b"),
        (by_nginx("/n?x", *FORWARDED, "X-Original-Host: b"), "GET", "/n", "b"),
        (by_nginx("/\xc3\xa9%C3%A9", "X-Original-Host: b", method="get"), "GET", "/éé", "b"),
        (by_nginx("http://c/n", "X-Original-Host: c"), "GET", "http://c/n", "c"),
        (forwarded("caddy", "/c?x", *ORIGINAL, "X-Forwarded-Host: d"), "GET", "/c", "d"),
        (forwarded("traefik", "/t", FORWARDED[2], method="DELETE"), "DELETE", "/t", "forw"),
    ],
)
def test_each_proxy_says_it_in_its_own_fields(
    data: bytes, method: str, path: str, host: str
) -> None:
    """And what others would say there is a field of the client's."""
    found = asked(data)
    assert (found.method, found.path, found.client) == (method, path, "192.0.2.1")
    assert host_of(found) == host


def test_who_named_no_host_has_none() -> None:
    """That of the call itself is the sidecar's."""
    with pytest.raises(WrongHost):
        host_of(asked(by_nginx("/")))
    two = forwarded("caddy", "/", "X-Forwarded-Host: a", "X-Forwarded-Host: b")
    with pytest.raises(WrongHost):
        host_of(asked(two))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (by_nginx("/").replace(b"X-Original-URI: /\r\n", b""), "X-Original-Uri"),
        (by_nginx("/").replace(b"X-Original-URI: /\r\n", b"X-Original-URI: \r\n"), "Uri"),
        (by_nginx("/", "X-Original-URI: /"), "X-Original-Uri: expected one line, got 2"),
        (by_nginx("/", "X-Original-Method: GET"), "X-Original-Method: expected one line"),
        (by_nginx("/", method="GE T"), "X-Original-Method: expected a method, got b'GE T'"),
        (by_nginx("/", method="G" * 33), "X-Original-Method"),
        (by_nginx("/", client=" , ,"), "X-Forwarded-For: expected the address of the client"),
        (by_nginx("/").replace(b"X-Forwarded-For", b"X-Real-Ip"), "nginx has to write it"),
        (forwarded("caddy", "/").replace(b"X-Forwarded-Uri", b"X-Uri"), "caddy has to write it"),
        (forwarded("traefik", "/", "X-Forwarded-Uri: /b"), "traefik has to write it"),
        (request().replace(b"X-Forwarded-For", b"X"), "X-Forwarded-For"),
    ],
)
def test_a_proxy_that_does_not_say_it_asks_in_vain(data: bytes, field: str) -> None:
    with pytest.raises(HeadError) as caught:
        asked(data)
    assert (caught.value.status, caught.value.reason) == (400, "proxy")
    assert field in caught.value.why


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/v1/auth", "/v1/auth/", "/v1/auth/nginx/", "/v1/auth/nginx/x", "/v1/auth/envoyer"),
        *("/v1/auth/apache", "//v1/auth/nginx", "/v1/auth/../auth/nginx", "http://a/v1/auth/nginx"),
        *("/v1/auth/NGINX", "/v1/auth/nginx%20", "/v1/auth;/nginx", "/v1/auth/caddy#"),
    ],
)
def test_there_are_no_other_paths(target: str) -> None:
    with pytest.raises(HeadError) as caught:
        style_of(target.encode())
    assert (caught.value.status, caught.value.reason) == (404, "path")


def test_the_client_is_the_last_that_is_no_proxy() -> None:
    """Whatever it writes itself stands further left."""
    for said, client in (
        ("192.0.2.7, 198.51.100.1", "198.51.100.1"),
        ("192.0.2.7, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("unknown", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
    ):
        assert asked(by_nginx("/", client=said)).client == client


def test_rules_see_no_secret() -> None:
    found = asked(request("/", "Sidegate-Secret: x", "X-Api-Key: k"))
    assert found.lines("sidegate-secret") == []
    assert found.header("x-api-key") == "k"
    assert set(found.headers) == {"host", "x-forwarded-for", "x-api-key"}


def test_what_nginx_asks_is_denied_in_its_way_though_it_cannot_be_read() -> None:
    for begins, status in (
        (b"GET /v1/auth/nginx HTTP/1.1\r\nX: \0", 403),
        (b"GET /v1/auth/nginx?x HTTP/1.1\n", 403),
        (b"GET /v1/auth/nginxes HTTP/1.1", 0),
        (b"GET /v1/auth/envoy/v1/auth/nginx HTTP/1.1", 0),
        (b"", 0),
    ):
        assert denial_of(begins) == status
