"""Which requests are limited, and how much."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import parse_limits
from sidegate.http.keys import bucket_key, client_ip, header
from sidegate.http.patterns import path_matcher
from sidegate.http.request.paths import canonical
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule

GOOD: dict[str, Any] = {"name": "r", "limits": "10/second"}


async def pending(_: Request) -> Any:
    return 1


def of_request(_: Request) -> Any:
    return 1


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*", "/", True),
        ("*", "", True),
        ("/login", "/login", True),
        ("/login", "/login/", True),
        ("/login", "/Login", False),
        ("/login", "/login\n", True),
        ("/api/*", "/api/", True),
        ("/api/*", "/api/v1/users", True),
        ("/api/*", "/api/a\nb", True),
        ("/api/*", "/api", True),
        ("/api/*", "/apis", False),
        ("/api/*", "/v2/api/x", False),
        ("/api*", "/api", True),
        ("*/private", "/a/b/private", True),
        ("*/private", "/private/a", False),
        ("/users/*/orders", "/users/7/orders", True),
        ("/users/*/orders", "/users/7/8/orders", True),
        ("/users/*/orders", "/users/orders", False),
        ("/users/*/orders/*", "/users/7/orders/9", True),
        ("/a*b*b", "/a-b", False),
        ("/a*b*b", "/abb", True),
        ("/a**b", "/ab", True),
        ("/a.c", "/abc", False),
        ("/[ab]", "/a", False),
        ("/a.c*", "/abc", False),
        ("/a.c*", "/a.cd", True),
        ("/é/*", "/é/x", True),
    ],
)
def test_a_path_is_whole_or_has_wildcards(pattern: str, path: str, expected: bool) -> None:
    assert bool(path_matcher("path", pattern)(canonical(path))) is expected
    assert Rule("r", "1/s", path=pattern).matches(canonical(path), "GET") is expected


@given(st.text("/ab*", max_size=6), st.text("/ab", max_size=12))
def test_a_pattern_means_what_the_obvious_expression_means(pattern: str, path: str) -> None:
    """Atomic groups only save time: they find the same as backtracking would."""
    pattern, path = re.sub("/+", "/", f"/{pattern}"), canonical(path)
    obvious = ".*".join(map(re.escape, pattern.removesuffix("/").split("*"))) + "/?"
    found = bool(path_matcher("path", pattern)(path))
    assert found is bool(re.fullmatch(obvious, path))


def test_a_path_made_to_be_slow_is_not() -> None:
    """Backtracking would go through all ways to cut it into nine pieces, and not end in years."""
    assert not path_matcher("path", "/*a*a*a*a*a*a*a*b")("/" + "a" * 20_000)


@pytest.mark.parametrize(
    ("methods", "method", "expected"),
    [
        (None, "DELETE", True),
        (["POST"], "POST", True),
        (["post", "put"], "PUT", True),
        (["POST"], "GET", False),
        (["GET"], "HEAD", True),
        (["HEAD"], "GET", False),
    ],
)
def test_a_rule_may_be_for_some_methods(
    methods: Iterable[str] | None, method: str, expected: bool
) -> None:
    assert Rule("r", "1/s", methods=methods).matches("/", method) is expected


@pytest.mark.parametrize("name", ["login", "a b", "api v1", "x" * 64, "it's", "~"])
def test_a_name_stands_in_fields_as_it_is(name: str) -> None:
    assert Rule(name, "1/s").policy.field[1] == f'"{name}";q=1;w=1'.encode()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"name": ""}, "name=''"),
        ({"name": "x" * 65}, "name='xxx"),
        ({"name": "a:b"}, "name='a:b'"),
        ({"name": 'a"b'}, "name='a\"b'"),
        ({"name": "a\\b"}, "name='a"),
        ({"name": "é"}, "name='é'"),
        ({"name": "a\n"}, "name='a"),
        ({"name": None}, "name=None"),
        ({"limits": "many"}, "limits='many'"),
        ({"limits": None}, "limits=None"),
        ({"path": "login"}, "path='login'"),
        ({"path": ""}, "path=''"),
        ({"path": None}, "path=None"),
        ({"methods": []}, "methods=[]"),
        ({"key": None}, "key=None"),
        ({"key": "ip"}, "key='ip'"),
        ({"cost": -1}, "cost=-1"),
        ({"cost": 11}, "cost=11"),
        ({"cost": 1.5}, "cost=1.5"),
        ({"cost": True}, "cost=True"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        Rule(**(GOOD | options))


def test_limits_may_be_parsed_already() -> None:
    limits = parse_limits("10/second")
    assert Rule("r", limits).limits == limits
    assert Rule("r", "10 per second").limits == limits


@pytest.mark.parametrize("cost", [0, 10, of_request])
def test_a_cost_fits_or_is_asked_for(cost: Any) -> None:
    assert Rule("r", "10/second", cost=cost).cost is cost


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, False),
        ({"key": of_request, "cost": of_request}, False),
        ({"key": pending}, True),
        ({"cost": pending}, True),
        ({"key": header("a", missing=pending)}, True),
    ],
)
def test_a_rule_knows_whether_it_must_be_awaited(options: dict[str, Any], expected: bool) -> None:
    assert Rule("r", "10/second", **options).awaits is expected


def test_the_plainest_rule_finds_its_keys_by_peer() -> None:
    rule = Rule("r", "10/second", key=client_ip(48))
    assert rule.key_of_peer
    assert rule.key_of_peer("192.0.2.1") == "r:192.0.2.1"
    assert rule.key_of_peer("2001:db8:1:2::3") == "r:2001:db8:1::/48"
    assert rule.key_of_peer("a\nb") == bucket_key("r", "a\nb")


@pytest.mark.parametrize("options", [{"key": header("a")}, {"cost": of_request}])
def test_other_rules_need_the_request(options: dict[str, Any]) -> None:
    assert Rule("r", "10/second", **options).key_of_peer is None


def test_a_rule_shows_what_it_is() -> None:
    rule = Rule("r", "10 per second", path="/a", methods=["GET"])
    assert repr(rule) == "Rule('r', '10/second', path='/a')"
