"""TextLines: lines of the Common Log Format, of Combined, and of what servers make of them."""

import pytest

from sidegate.http.request.proxies import NO_PROXIES
from sidegate.http.request.request import Request
from sidegate_sidecar.rules_plan.logged_request import BadLine, NoRequest
from sidegate_sidecar.rules_plan.text_lines import TextLines
from tests.sidecar.rules_plan.logs import BEGIN, SECOND, request_of

TIME = "[21/Sep/2026:14:13:20 +0000]"


def test_a_line_of_nginx() -> None:
    """Its default, combined, has the referer and the user agent."""
    line = (
        f'192.0.2.1 - bob {TIME} "GET /a/b%20c?q=%2F HTTP/2.0" 429 512 "https://a.example/"'
        r' "Mozilla/5.0 \x22quoted\x22 caf\xC3\xA9"'
    )
    request = request_of(line)
    assert (request.method, request.path, request.client) == ("GET", "/a/b c", "192.0.2.1")
    assert (request.time, request.status) == (BEGIN * SECOND, 429)
    assert request.lines("User-Agent") == ['Mozilla/5.0 "quoted" café']
    assert request.lines("referer") == ["https://a.example/"]
    assert request.lines("authorization") == ["Basic Ym9iOg=="]
    assert request.names() == ["authorization", "referer", "user-agent"]
    assert request.lines("host") == request.lines("x-api-key") == []


@pytest.mark.parametrize(
    ("before", "client", "host"),
    [
        ("192.0.2.1", "192.0.2.1", []),
        ("::1", "::1", []),
        ("2001:db8::7:80", "2001:db8::7:80", []),
        ("shop.example:443 192.0.2.1", "192.0.2.1", ["shop.example"]),
        ("[2001:db8::1]:443 2001:db8::2", "2001:db8::2", ["[2001:db8::1]"]),
        ("unix:", "", []),
        ("-", "", []),
        ("client.example.com", "client.example.com", []),
    ],
)
def test_who_asks_and_for_which_host(before: str, client: str, host: list[str]) -> None:
    """The host is Apache's, of vhost_combined; a Unix socket has no address."""
    request = request_of(f'{before} - - {TIME} "GET / HTTP/1.1" 200 -')
    assert (request.client, request.lines("host")) == (client, host)


@pytest.mark.parametrize(
    ("asked", "method", "path"),
    [
        ("GET /", "GET", "/"),
        ("GET /a b HTTP/1.1", "GET", "/a b"),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*"),
        ("CONNECT a.example:443 HTTP/1.1", "CONNECT", "a.example:443"),
        ("GET http://a.example/x?y HTTP/1.1", "GET", "http://a.example/x"),
        ("GET //a/%2e%2e/b%2Fc HTTP/1.1", "GET", "//a/../b/c"),
        ("GET /%ff%00 HTTP/1.1", "GET", "/\ufffd\0"),
        (r"GET /\"x\" HTTP/1.1", "GET", '/"x"'),
        (r"GET /caf\xC3\xA9\n HTTP/1.1", "GET", "/café\n"),
        ("M-SEARCH /x HTTP/1.1", "M-SEARCH", "/x"),
    ],
)
def test_what_is_asked_for(asked: str, method: str, path: str) -> None:
    """The path is decoded once, without its query."""
    request = request_of(f'192.0.2.1 - - {TIME} "{asked}" 200 5')
    assert (request.method, request.path) == (method, path)


@pytest.mark.parametrize("asked", ["-", "", r"\x16\x03\x01\x00", "G\u00e9T / HTTP/1.1", "GET "])
def test_a_connection_without_a_request(asked: str) -> None:
    """It sent nothing, or TLS to a port without, or what is no method."""
    with pytest.raises(NoRequest):
        request_of(f'192.0.2.1 - - {TIME} "{asked}" 400 150 "-" "-"')


@pytest.mark.parametrize(
    "line",
    [
        "",
        "garbage",
        "\0" * 1_000,
        f'192.0.2.1 - - {TIME} "GET / HTTP/1.1',
        f'192.0.2.1 - - {TIME} "GET / HTTP/1.1" abc 5',
        '192.0.2.1 - - "GET / HTTP/1.1" 200 5',
        '192.0.2.1 - - [yesterday] "GET / HTTP/1.1" 200 5',
        "192.0.2.1 - - [" + "1" * 100 + '] "GET / HTTP/1.1" 200 5',
    ],
)
def test_what_is_no_line(line: str) -> None:
    """The error says what stands there, and what was expected."""
    with pytest.raises(BadLine, match=r"^'.*expected"):
        request_of(line)


def test_a_line_takes_no_longer_than_it_is_long() -> None:
    """However it is made: 64 KiB of what could be begun again at each character."""
    for text in ("1:1" * 21_000, "a " * 32_000, '- - - [x] "' + "\\x" * 32_000, "[" * 64_000):
        with pytest.raises(BadLine):
            request_of(text)


def test_a_host_for_lines_that_have_none() -> None:
    """Those that have one keep it."""
    reader = TextLines(NO_PROXIES, "www.example.com")
    plain: Request = reader.read(f'192.0.2.1 - - {TIME} "GET / HTTP/1.1" 200 5')
    assert plain.header("host") == "www.example.com"
    other = reader.read(f'shop.example:80 192.0.2.1 - - {TIME} "GET / HTTP/1.1" 200 5')
    assert other.header("host") == "shop.example"
