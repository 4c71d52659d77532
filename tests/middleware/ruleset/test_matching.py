"""Which rule of a file a request falls under, and that no spelling is a way around it."""

import pytest

from sidegate.errors import RepeatedField, WrongHost
from sidegate.http.request.proxies import NO_PROXIES, Proxies, parse_proxies
from tests.middleware.ruleset.asked import (
    PROXY,
    TRUSTED,
    RequestOf,
    asgi,
    asked,
    both,
    names,
    rules,
)

LOGIN = {"match": {"path": "/login", "methods": ["POST"]}}
REST = {"limits": "100/minute"}
ADMIN = {"match": {"host": "admin.example.com"}}
BETA = {"match": {"headers": {"X-Beta": "1"}}}


@both
def test_the_first_that_matches_applies(request_of: RequestOf) -> None:
    """By path and method; what none matches isn't limited."""
    found = rules(LOGIN, {"match": {"path": "/api/*"}})
    assert names(found, request_of("/login", "POST")) == ["r0"]
    assert names(found, request_of("/login")) == []
    assert names(found, request_of("/api/x", "DELETE")) == ["r1"]
    assert asked(found, request_of("/api")) == [("r1:192.0.2.1", "5/minute")]


@both
@pytest.mark.parametrize("path", ["/login/", "//login", "/x/../login", "/log%69n", "/login\n"])
@pytest.mark.parametrize("method", ["POST", "post"])
def test_no_spelling_of_a_path_gets_around_a_rule(
    request_of: RequestOf, path: str, method: str
) -> None:
    found = rules(LOGIN, REST)
    assert "r0" in names(found, request_of(path, method))


def test_readings_that_come_to_different_rules_are_all_asked() -> None:
    """The stricter one has its say, whichever the framework goes by."""
    found = rules({"match": {"path": "/a/*"}}, {"match": {"path": "/b"}})
    assert sorted(names(found, asgi("/a/../b"))) == ["r0", "r1"]


def test_a_mounted_app_may_be_named_by_whole_paths() -> None:
    """Behind a rule for all paths with a condition, too; and a rule for the rest adds nothing."""
    found = rules(
        {"match": {"host": "a.example"}}, {"match": {"path": "/v1/items"}}, {"match": {"path": "*"}}
    )
    asks = found.questions(asgi("/items", lines=[("host", "b.example")]), 0, "/v1")
    assert "r1" in [it.rule.name for it in asks]
    login = rules({"match": {"path": "/login"}}, REST)
    assert [it.rule.name for it in login.questions(asgi("/login"), 0, "/v1")] == ["r0"]


@both
@pytest.mark.parametrize(
    "host",
    ["admin.example.com", "ADMIN.Example.COM", "admin.example.com.", "admin.example.com:8080",
     "Admin.example.com.:443", " admin.example.com ", "admin.example.com:"],
)  # fmt: skip
def test_no_spelling_of_a_host_gets_around_a_rule(request_of: RequestOf, host: str) -> None:
    """Case, port and a dot at its end make no difference."""
    found = rules(ADMIN, REST)
    assert names(found, request_of(lines=[("Host", host)])) == ["r0"]
    assert names(found, request_of(lines=[("Host", "www.example.com")])) == ["r1"]


@both
@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("host", "")],
        [("host", "www.example.com"), ("host", "admin.example.com")],
        [("host", "a@admin.example.com")],
        [("host", "admin.example.com/x")],
        [("host", "[::zz]")],
        [("host", "ädmin.example.com")],
        [("host", "admin%2eexample.com")],
        [("host", "*.example.com")],
        [("host", "a" * 254)],
    ],
)
def test_a_host_that_nobody_can_tell_is_refused(
    request_of: RequestOf, lines: list[tuple[str, str]]
) -> None:
    """With 400, but only where a rule goes by the host, and refuses."""
    with pytest.raises(WrongHost):
        rules(ADMIN, REST).questions(request_of(lines=lines), 0)
    assert names(rules(REST), request_of(lines=lines)) == ["r0"]
    assert names(rules({**ADMIN, "mode": "shadow"}, REST), request_of(lines=lines)) == ["r1"]
    before = rules({"match": {"path": "/login"}}, ADMIN)
    assert names(before, request_of("/login", lines=lines)) == ["r0"]


def test_an_absolute_target_may_not_name_another_host() -> None:
    """Frameworks differ in which they believe (RFC 9112, 3.2.2)."""
    target, found = "http://admin.example.com:80/", rules(ADMIN, REST)
    assert names(found, asgi(target, lines=[("host", "admin.example.com")])) == ["r0"]
    assert names(found, asgi(target)) == ["r0"]
    with pytest.raises(WrongHost):
        found.questions(asgi(target, lines=[("host", "www.example.com")]), 0)


def test_hosts_may_have_stars() -> None:
    """For any characters, dots too; an address in brackets is one in all of its spellings."""
    found = rules({"match": {"host": "*.Example.com"}}, {"match": {"host": "[2001:DB8::1]"}})
    assert names(found, asgi(lines=[("host", "a.b.example.com:1")])) == ["r0"]
    assert names(found, asgi(lines=[("host", "example.com")])) == []
    assert names(found, asgi(lines=[("host", "[2001:db8:0:0::1]:80")])) == ["r1"]


@both
@pytest.mark.parametrize("value", ["Internal  Tools", "internal tools ", "other, INTERNAL tools"])
def test_header_fields_are_compared_in_all_letters(request_of: RequestOf, value: str) -> None:
    """With single blanks, and member by member."""
    found = rules({"match": {"headers": {"X-App": "Internal Tools"}}}, REST)
    assert names(found, request_of(lines=[("x-APP", value)])) == ["r0"]
    assert names(found, request_of(lines=[("x-app", "internal")])) == ["r1"]
    assert names(found, request_of()) == ["r1"]


def test_a_star_is_for_any_value_but_none() -> None:
    found = rules({"match": {"headers": {"x-beta": "*"}}}, REST)
    assert names(found, asgi(lines=[("x-beta", "")])) == ["r1"]
    assert names(found, asgi(lines=[("x-beta", "no")])) == ["r0"]


def test_lines_that_differ_are_refused() -> None:
    """Equal ones are one; WSGI servers have joined them before, and each member counts."""
    twice = [("x-beta", "0"), ("x-beta", "1")]
    with pytest.raises(RepeatedField):
        rules(BETA, REST).questions(asgi(lines=twice), 0)
    assert names(rules(BETA, REST), asgi(lines=[("x-beta", "1"), ("x-beta", "1")])) == ["r0"]
    assert names(rules({**BETA, "mode": "0 %"}, REST), asgi(lines=twice)) == ["r1"]


@both
def test_preflights_are_left_alone(request_of: RequestOf) -> None:
    """Unless the methods of a rule name OPTIONS."""
    lines = [("origin", "https://a"), ("access-control-request-method", "POST")]
    assert names(rules(REST), request_of("/", "OPTIONS", lines)) == []
    assert names(rules(REST), request_of("/", "OPTIONS")) == ["r0"]
    named = rules({"match": {"methods": ["options"]}})
    assert names(named, request_of("/", "OPTIONS", lines)) == ["r0"]


# --- exempt


@both
@pytest.mark.parametrize(
    ("path", "limited"),
    [("/healthz", []), ("/healthz/", []), ("//healthz", ["r0"]), ("/x", ["r0"])],
)
def test_paths_are_exempt_as_they_are_spelled(
    request_of: RequestOf, path: str, limited: list[str]
) -> None:
    assert names(rules(REST, exempt=["/healthz"]), request_of(path)) == limited


FORWARDED = [("x-forwarded-for", "198.51.100.7")]
HOPS = Proxies(hops=2)


@both
@pytest.mark.parametrize(
    ("peer", "lines", "proxies", "is_exempt"),
    [
        ("10.1.2.3", [], NO_PROXIES, True),
        ("::ffff:10.1.2.3", [], NO_PROXIES, True),
        ("192.0.2.1", [], NO_PROXIES, False),
        ("10.1.2.3", FORWARDED, NO_PROXIES, False),  # a proxy that nobody named: all are its
        ("10.1.2.3", [("forwarded", "for=1.2.3.4")], NO_PROXIES, False),
        ("10.1.2.3", [("via", "1.1 x")], TRUSTED, False),
        (PROXY, FORWARDED, TRUSTED, False),
        (PROXY, [("x-forwarded-for", "10.1.2.3")], TRUSTED, True),
        (PROXY, [("x-forwarded-for", "10.1.2.3, 198.51.100.7")], TRUSTED, False),
        ("192.0.2.1", [("x-forwarded-for", "10.1.2.3")], TRUSTED, False),
        ("10.1.2.3", FORWARDED, HOPS, False),  # it came around one of the proxies
        ("", [], NO_PROXIES, False),
        ("testclient", [], NO_PROXIES, False),
    ],
)
def test_clients_of_a_network_are_exempt(
    request_of: RequestOf,
    peer: str,
    lines: list[tuple[str, str]],
    proxies: Proxies,
    is_exempt: bool,
) -> None:
    """By the address behind trusted proxies; never by that of a proxy."""
    found = rules(REST, exempt=["cidr:10.0.0.0/8"])
    assert (names(found, request_of("/", "GET", lines, peer, proxies)) == []) is is_exempt


def test_a_network_of_ipv6_is_exempt() -> None:
    found = rules(REST, exempt=["cidr:2001:db8::/32"])
    assert names(found, asgi(peer="2001:db8::5")) == []
    assert names(found, asgi(peer="2001:db9::5", proxies=parse_proxies(1))) == ["r0"]
