"""What both middlewares do with options, requests and decisions."""

import asyncio
import logging
import re
import time
from ipaddress import ip_address
from typing import Any, cast
from uuid import UUID

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.errors import CostError, RepeatedField
from sidegate.http.keys import header
from sidegate.http.request.request import Request
from sidegate.http.request_limiter import RequestLimiter
from sidegate.http.rules import Rule
from sidegate.middleware_options import Options, settings_of

RULE = Rule("api", "100/minute")
LIMITS = RULE.limits


def limiting(**options: Any) -> RequestLimiter:
    return RequestLimiter(
        settings_of(cast("Options[object]", options or {"limits": "100/minute"})), time.monotonic
    )


def firsts(chosen: RequestLimiter, path: str, method: str = "GET", root: str = "") -> list[str]:
    """Return the names of the rules that are asked first, one for each reading of the path."""
    return [chain[0].name for chain in chosen.chains(path, root, method)]


def decided(
    source: Source = Source.OWNER, *, allowed: bool = True, debt: float | None = 0.6, cost: int = 1
) -> Decision:
    debts = () if debt is None else (round(debt * SECOND),)
    return Decision(allowed, LIMITS, cost, debts, source)


def test_limits_are_one_rule_for_every_request() -> None:
    key = header("a")
    (rule,) = limiting(limits="100/minute", key=key, cost=5).rules
    assert (rule.name, rule.limits.text, rule.key, rule.cost) == ("default", "100/minute", key, 5)
    assert rule.matches("/anything", "DELETE")


@pytest.mark.parametrize(
    ("path", "method", "name"),
    [
        ("/login", "POST", "login"),
        ("/login", "GET", "rest"),
        ("/api/users", "GET", "api"),
        ("/api/private", "GET", "private"),
        ("/healthz", "GET", None),
        ("/static/a.css", "GET", None),
        ("/api/health", "GET", None),
        ("/elsewhere", "GET", "rest"),
        ("/elsewhere", "PATCH", None),
    ],
)
def test_the_first_rule_that_matches_applies(path: str, method: str, name: str | None) -> None:
    rules = [
        Rule("login", "5/minute", path="/login", methods=["POST"]),
        Rule("private", "1/minute", path="/api/private"),
        Rule("api", "100/minute", path="/api/*"),
        Rule("rest", "1000/minute", methods=["GET", "POST"]),
    ]
    exempt = ["/healthz", "/static/*", "/api/health"]
    assert firsts(limiting(rules=rules, exempt=exempt), path, method) == ([name] if name else [])


@pytest.mark.parametrize(
    ("options", "applies"),
    [
        ({}, True),
        ({"path": "/api/*"}, True),
        ({"path": "/login"}, False),
        ({"methods": ["GET"]}, True),
        ({"methods": ["POST"]}, False),
    ],
)
@pytest.mark.parametrize("exempt", [[], ["/healthz"]])
def test_a_rule_alone_applies_where_it_matches(
    options: dict[str, Any], applies: bool, exempt: list[str]
) -> None:
    alone = limiting(rules=[Rule("alone", "1/s", **options)], exempt=exempt)
    assert firsts(alone, "/api/x") == ["alone"] * applies
    assert not firsts(alone, "/healthz") or not exempt


POLICY = (b"ratelimit-policy", b'"api";q=100;w=60')


@pytest.mark.parametrize(
    ("decision", "status", "fields"),
    [
        pytest.param(decided(), 0, {b"ratelimit": b'"api";r=99;t=1'}, id="owner"),
        pytest.param(
            decided(Source.BACKUP),
            0,
            {b"ratelimit": b'"api";r=99;t=1', b"sidegate-source": b"backup"},
            id="backup",
        ),
        pytest.param(decided(Source.OPEN, debt=None), 0, {b"sidegate-source": b"open"}, id="open"),
        pytest.param(
            decided(allowed=False, debt=60),
            429,
            {b"ratelimit": b'"api";r=0;t=1', b"retry-after": b"1"},
            id="denied",
        ),
        pytest.param(
            decided(Source.REMEMBERED, allowed=False, debt=60),
            429,
            {
                b"ratelimit": b'"api";r=0;t=1',
                b"retry-after": b"1",
                b"sidegate-source": b"remembered",
            },
            id="remembered",
        ),
        pytest.param(
            decided(Source.CLOSED, allowed=False, debt=None),
            503,
            {b"sidegate-source": b"closed", b"retry-after": b"1"},
            id="closed",
        ),
        pytest.param(decided(allowed=False, debt=None, cost=101), 429, {}, id="never fits"),
    ],
)
def test_a_decision_becomes_a_response(
    decision: Decision, status: int, fields: dict[bytes, bytes]
) -> None:
    verdict = limiting().verdict(RULE, decision, 0.0)
    refusal = {
        b"content-type": b"application/problem+json",
        b"cache-control": b"no-store",
        b"content-length": b"%d" % len(verdict.body),
    }
    assert verdict.status == status
    assert bool(verdict.body) == bool(status)
    assert dict(verdict.fields) == dict([POLICY]) | fields | (refusal if status else {})
    assert len(verdict.fields) == len(dict(verdict.fields))


@pytest.mark.parametrize(
    ("options", "shadow"), [({"rules": [RULE], "shadow": True}, False), ({"rules": [RULE]}, True)]
)
@pytest.mark.parametrize(
    ("decision", "marked"),
    [
        (decided(), False),
        (decided(allowed=False, debt=60), True),
        (decided(Source.CLOSED, allowed=False, debt=None), True),
        (decided(allowed=False, debt=None, cost=101), True),
    ],
)
def test_a_shadow_marks_what_it_would_refuse(
    options: dict[str, Any], shadow: bool, decision: Decision, marked: bool
) -> None:
    verdict = limiting(**options).verdict(Rule("api", LIMITS, shadow=shadow), decision, 0.0)
    fields = dict(verdict.fields)
    assert verdict.status == 0
    assert (fields.get(b"sidegate-shadow") == b"denied") is marked
    assert b"retry-after" not in fields


@pytest.mark.parametrize("decision", [decided(), decided(allowed=False, debt=60)])
def test_legacy_headers_come_by_option(decision: Decision) -> None:
    with_them = dict(limiting(limits="1/s", headers="both").verdict(RULE, decision, 999.5).fields)
    assert with_them[b"x-ratelimit-limit"] == b"100"
    assert with_them[b"x-ratelimit-reset"] == b"1001"
    without = limiting().verdict(RULE, decision, 999.5).fields
    assert not any(name.startswith(b"x-") for name, _ in without)


@pytest.mark.parametrize(
    ("text", "parts", "policy", "current"),
    [
        ("100/minute", 4, b'"api";q=25;w=60', b'"api";r=24;t=3'),
        (
            "100/second; 1000/minute",
            4,
            b'"api 25/second";q=25;w=1, "api 250/minute";q=250;w=60',
            b'"api 25/second";r=24;t=1, "api 250/minute";r=249;t=1',
        ),
        ("2/hour; 2/hour burst 1", 2, b'"api";q=1;w=3600', b'"api";r=0;t=3600'),
    ],
)
def test_a_node_that_decides_alone_shows_its_share(
    text: str, parts: int, policy: bytes, current: bytes
) -> None:
    rule = Rule("api", text)
    share = rule.limits.divided(parts)
    debts = [-(-limit.interval // limit.scale) for limit in share]
    decision = Decision(True, share, 1, debts, Source.LOCAL)
    fields = dict(limiting().verdict(rule, decision, 0.0).fields)
    assert fields[b"ratelimit-policy"] == policy
    assert fields[b"ratelimit"] == current
    assert fields[b"sidegate-source"] == b"local"


def test_a_node_that_decides_alone_refuses_by_its_share() -> None:
    share = RULE.limits.divided(4)
    denial = Decision(False, share, 1, (60 * SECOND,), Source.LOCAL)
    refused = limiting().verdict(RULE, denial, 0.0)
    assert dict(refused.fields)[b"ratelimit-policy"] == b'"api";q=25;w=60'
    assert refused.detail == "The limit is 25/minute. Retry in 3 s."


def test_equal_limits_parsed_twice_are_the_rules_own() -> None:
    limits = parse_limits("100 per minute")
    decision = Decision(True, limits, 1, (SECOND,), Source.OWNER)
    assert limiting().verdict(RULE, decision, 0.0).fields[0] == POLICY


def test_a_key_is_the_rule_and_the_identity() -> None:
    assert limiting().key_of(RULE, "192.0.2.1") == "api:192.0.2.1"
    assert limiting().key_of(RULE, "") == "api:"


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (42, "api:42"),
        (0, "api:0"),
        (1, "api:1"),
        (UUID(int=1), "api:00000000-0000-0000-0000-000000000001"),
        (ip_address("192.0.2.1"), "api:192.0.2.1"),
    ],
)
def test_ids_of_other_types_are_keys(identity: object, key: str) -> None:
    assert limiting().key_of(RULE, identity) == key


@pytest.mark.parametrize(
    ("identity", "error"),
    [
        (b"x", "the key is b'x' of type bytes, expected a text"),
        (True, "of type bool"),
        (False, "of type bool"),
        (1.0, "of type float"),
        (object(), "of type object"),
        (["x"] * 999, "of type list"),
    ],
)
def test_nonsense_is_no_key(identity: object, error: str) -> None:
    with pytest.raises(TypeError, match=re.escape(error)) as caught:
        limiting().key_of(RULE, identity)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(("cost", "charged"), [(0, 0), (3, 3), (1.0, 1)])
def test_a_cost_is_a_whole_number(cost: object, charged: int) -> None:
    made = limiting().cost_of(RULE, cost)
    assert (made, type(made)) == (charged, int)


@pytest.mark.parametrize("cost", ["1", -1, 1.5, float("nan"), float("inf"), True, None])
def test_nonsense_is_no_cost(cost: object) -> None:
    with pytest.raises(TypeError, match=re.escape(f"the cost is {cost!r}, expected a whole")):
        limiting().cost_of(RULE, cost)


@pytest.mark.parametrize("place", ["key_of", "cost_of"])
def test_a_coroutine_is_nonsense_and_leaves_no_warning(place: str) -> None:
    with pytest.raises(TypeError, match="coroutine object sleep"):
        getattr(limiting(), place)(RULE, asyncio.sleep(0))


@pytest.mark.parametrize(
    ("options", "status", "source"),
    [
        ({}, 0, b"open"),
        ({"on_unreachable": "local"}, 0, b"open"),
        ({"on_unreachable": "closed"}, 503, b"closed"),
        ({"on_unreachable": "closed", "on_key_error": "open"}, 0, b"open"),
        ({"on_key_error": "closed"}, 503, b"closed"),
    ],
)
def test_a_key_that_fails_is_decided_by_its_own_policy(
    options: dict[str, Any], status: int, source: bytes
) -> None:
    chosen = limiting(limits="1/s", **options)
    verdict = chosen.key_failed(RULE, KeyError("x"), function=RULE.key)
    assert (verdict.status, dict(verdict.fields)[b"sidegate-source"]) == (status, source)


@pytest.mark.parametrize("on_unreachable", ["open", "local", "closed"])
def test_a_cost_that_never_fits_is_denied_by_any_policy(on_unreachable: str) -> None:
    """Else a client that can choose the cost could choose not to be limited."""
    chosen = limiting(limits="1/s", on_unreachable=on_unreachable)
    with pytest.raises(CostError) as caught:
        chosen.cost_of(RULE, 101)
    verdict = chosen.key_failed(RULE, caught.value, function=RULE.cost)
    assert verdict.status == 429
    assert b"retry-after" not in dict(verdict.fields)
    assert b"cost 101 never fits in 100/minute" in verdict.body


def test_a_key_that_fails_is_logged_with_its_rule_and_what_was_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen, other = limiting(), Rule("other", "1/s")
    for rule in (RULE, RULE, other):
        for error in (KeyError("x"), KeyError("y"), TimeoutError()):
            chosen.key_failed(rule, error, function=key_of_tests)
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("sidegate", logging.ERROR)
    ] * 4
    first = caplog.records[0].getMessage()
    assert first.startswith("rule 'api': key_of_tests (")
    assert "test_request_limiter.py" in first
    assert "KeyError: \"'x'\"; the request was let through (on_key_error=open)" in first


def test_a_key_that_fails_is_counted_and_what_a_client_did_wrong_is_not() -> None:
    counted: list[str] = []
    chosen = limiting()
    chosen.count = counted.append
    for error in (KeyError("x"), RepeatedField("x-api-key"), CostError(101, 100)):
        chosen.key_failed(RULE, error, function=RULE.key)
    assert counted == ["key-error"]


def key_of_tests(request: Request) -> str:
    return request.client


def test_a_repeated_field_is_the_clients_fault(caplog: pytest.LogCaptureFixture) -> None:
    verdict = limiting().key_failed(RULE, RepeatedField("x-api-key"), function=RULE.key)
    assert verdict.status == 400
    assert b"the field x-api-key came in several lines that differ" in verdict.body
    assert dict(verdict.fields)[b"content-type"] == b"application/problem+json"
    assert not caplog.records
    shadowed = limiting(limits="1/s", shadow=True)
    verdict = shadowed.key_failed(RULE, RepeatedField("x-api-key"), function=RULE.key)
    assert (verdict.status, dict(verdict.fields)) == (0, {b"sidegate-shadow": b"denied"})
