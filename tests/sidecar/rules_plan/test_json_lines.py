"""JsonLines: the JSON of nginx, Caddy, Envoy, Traefik, and ours."""

import json
from typing import Any

import pytest

from sidegate.http.request.proxies import NO_PROXIES
from sidegate_sidecar.rules_plan.json_lines import FieldNames, JsonLines
from sidegate_sidecar.rules_plan.logged_request import BadLine, LoggedRequest, NoRequest
from tests.sidecar.rules_plan.logs import BEGIN, SECOND

OURS = {"ts": BEGIN, "client": "192.0.2.1", "method": "GET", "path": "/a?b", "host": "a.example"}
NGINX = {
    "time_iso8601": "2026-09-21T14:13:20+00:00",
    "remote_addr": "192.0.2.1",
    "request_method": "GET",
    "request_uri": "/a?b",
    "uri": "/index.php",
    "http_host": "a.example",
    "status": "429",
    "http_x_api_key": "k1",
    "http_user_agent": "curl",
    "remote_user": "bob",
}
NGINX_WHOLE = {
    "msec": f"{BEGIN}.000",
    "remote_addr": "192.0.2.1",
    "request": "GET /a?b HTTP/1.1",
    "host": "a.example",
}
CADDY = {
    "level": "info",
    "ts": BEGIN + 0.0,
    "logger": "http.log.access",
    "msg": "handled request",
    "request": {
        "remote_ip": "10.0.0.9",
        "remote_port": "41342",
        "client_ip": "192.0.2.1",
        "proto": "HTTP/2.0",
        "method": "GET",
        "host": "a.example",
        "uri": "/a?b",
        "headers": {"User-Agent": ["curl"], "X-Api-Key": ["k1"]},
    },
    "user_id": "bob",
    "status": 429,
}
ISTIO = {
    "start_time": "2026-09-21T14:13:20.000Z",
    "downstream_remote_address": "192.0.2.1:41342",
    "method": "GET",
    "path": "/a?b",
    "authority": "a.example",
    "response_code": 429,
    "user_agent": "curl",
    "x_forwarded_for": "-",
}
TRAEFIK = {
    "StartUTC": "2026-09-21T14:13:20.000000000Z",
    "ClientHost": "192.0.2.1",
    "RequestMethod": "GET",
    "RequestPath": "/a?b",
    "RequestHost": "a.example",
    "DownstreamStatus": 429,
}


def read(data: object, *told: tuple[str, str], host: str = "") -> LoggedRequest:
    return JsonLines(NO_PROXIES, FieldNames(told), host).read(json.dumps(data))


@pytest.mark.parametrize("data", [OURS, NGINX, NGINX_WHOLE, CADDY, ISTIO, TRAEFIK])
def test_what_servers_write(data: dict[str, Any]) -> None:
    request = read(data)
    assert (request.time, request.method, request.path) == (BEGIN * SECOND, "GET", "/a")
    assert request.client.removesuffix(":41342") == "192.0.2.1"
    assert request.header("host") == "a.example"
    assert request.status == (0 if data in (OURS, NGINX_WHOLE) else 429)
    assert request.names()[0] == "host"


@pytest.mark.parametrize("data", [NGINX, CADDY])
def test_header_fields(data: dict[str, Any]) -> None:
    """Those of nginx are variables, Caddy's are an object of lists."""
    request = read(data)
    assert request.header("X-API-Key") == "k1"
    assert request.header("user-agent") == "curl"
    assert request.header("authorization") == "Basic Ym9iOg=="
    assert request.header("x-other") == ""


def test_header_fields_of_ours() -> None:
    """They are an object too, of texts or lists; what differs is malformed as in a request."""
    request = read({**OURS, "headers": {"X-Api-Key": "k", "x-n": 5, "x-two": ["a", "b"]}})
    assert request.lines("x-api-key") == ["k"]
    assert request.lines("x-n") == ["5"]
    assert request.lines("x-two") == ["a", "b"]
    assert request.names() == ["host", "x-api-key", "x-n", "x-two"]
    assert read(ISTIO).header("user-agent") == "curl"
    assert read(ISTIO).lines("x-forwarded-for") == []


def test_other_names() -> None:
    """Told by --field, also those of header fields; dots lead into objects, or are in a name."""
    data = {"when": BEGIN, "a.b": "192.0.2.1", "c": {"verb": "GET", "url": "/x"}, "key": "k"}
    names = [("time", "when"), ("client", "a.b"), ("method", "c.verb"), ("path", "c.url")]
    request = read(data, *names, ("header:x-api-key", "key"), ("host", "none"), host="a.example")
    assert (request.client, request.path) == ("192.0.2.1", "/x")
    assert request.header("x-api-key") == "k"
    assert request.header("host") == "a.example"


def test_a_list_of_clients() -> None:
    """Who the nearest proxy has seen: what is before it may be made up."""
    assert read({**OURS, "client": "198.51.100.7, 192.0.2.1"}).client == "192.0.2.1"
    assert read({**OURS, "client": "-"}).client == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([], "expected an object of JSON"),
        ({}, "no method: expected one of method, request.method"),
        ({**OURS, "path": None}, "no path: expected one of path, request.uri, request_uri"),
        ({**OURS, "ts": None}, "no time: expected one of ts, "),
        ({**OURS, "ts": "x"}, "'x': expected a time"),
        ({**OURS, "client": None}, "or tell its name with --field client=NAME"),
    ],
)
def test_what_is_no_line(data: object, why: str) -> None:
    with pytest.raises(BadLine, match=why):
        read(data)


def test_what_is_no_json() -> None:
    """Nor what is nested so deep that a parser gives up, nor half of a character."""
    for text in ("{", "{}x", "\0", "[" * 60_000, '{"a":' * 10_000, '{"a": NaN}', '"\\ud800"'):
        with pytest.raises(BadLine, match="expected an object of JSON"):
            JsonLines(NO_PROXIES, FieldNames()).read(text)


def test_a_connection_without_a_request() -> None:
    with pytest.raises(NoRequest):
        read({**NGINX_WHOLE, "request": ""})
    with pytest.raises(NoRequest):
        read({**OURS, "method": "G T"})
