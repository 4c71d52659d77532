"""Whom a rule of a file counts by, with which limits, and for which keys it refuses."""

from typing import Any

import pytest

from sidegate.errors import RepeatedField
from sidegate.http.request.proxies import NO_PROXIES, Proxies
from sidegate.ruleset.moments import seconds_of
from tests.middleware.ruleset.asked import (
    NOW,
    PROXY,
    TRUSTED,
    Lines,
    RequestOf,
    asgi,
    asked,
    both,
    rules,
)

LINES = [("x-api-key", "k"), ("authorization", "Bearer t"), ("host", "A.example:80")]
PLANS = {
    "plans": {"free": {"api": "60/minute"}, "pro": {"api": "600/minute"}},
    "tenants": {
        "id": "header:x-tenant",
        "plan": "header:X-Plan",
        "default": "free",
        "overrides": {
            "acme": {"plan": "pro", "until": "2027-01-31"},
            "big": {"api": "5000/minute"},
        },
    },
}
API: dict[str, Any] = {"limits": "plan:api"}


@both
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("client", "192.0.2.1"),
        ("header:X-Api-Key", "x-api-key=k"),
        ("header:x-other", "192.0.2.1"),
        ("bearer", "bearer=t"),
        ("basic", "192.0.2.1"),
        ("host", "a.example"),
        ("path", "/a/c/"),
        ("global", "global"),
        (["client", "path"], "192.0.2.1,/a/c/"),
        (["header:x-api-key", "header:x-other"], "x-api-key=k,192.0.2.1"),
    ],
)
def test_who_is_counted(request_of: RequestOf, key: str | list[str], expected: str) -> None:
    """What is missing counts by address; several are one key."""
    request = request_of("/a/./c", lines=LINES)
    assert asked(rules({"key": key}), request) == [(f"r0:{expected}", "5/minute")]


def test_no_two_lists_make_one_key() -> None:
    """What parts them is written otherwise within a part."""
    found = rules({"key": ["header:a", "path"]})
    one = asgi("/y", lines=[("a", "x")])
    other = asgi("/,/y", lines=[("a", "x%2C")])
    keys = {asked(found, it)[0][0] for it in (one, other, asgi("/%2C/y", lines=[("a", "x")]))}
    assert len(keys) == 3
    long = asked(found, asgi("/" + "y" * 9_000))[0][0]
    assert long.startswith("r0:sha256=")


@both
@pytest.mark.parametrize(
    ("lines", "limits"),
    [
        ([], "60/minute"),
        ([("x-plan", "pro")], "600/minute"),
        ([("x-plan", "gold")], "60/minute"),
        ([("x-tenant", "acme")], "600/minute"),
        ([("x-tenant", "acme"), ("x-plan", "free")], "600/minute"),
        ([("x-tenant", "big"), ("x-plan", "pro")], "5000/minute"),
        ([("x-tenant", "Acme")], "60/minute"),
    ],
)
def test_a_trusted_proxy_says_which_plan(request_of: RequestOf, lines: Lines, limits: str) -> None:
    """An override is more than the plan that a header names."""
    request = request_of("/", "GET", lines, PROXY, TRUSTED)
    assert asked(rules(API, **PLANS), request) == [(f"r0:{PROXY}", limits)]


@both
@pytest.mark.parametrize("proxies", [NO_PROXIES, TRUSTED])
@pytest.mark.parametrize("name", ["x-plan", "x-tenant"])
def test_a_stranger_gets_no_better_plan(request_of: RequestOf, name: str, proxies: Proxies) -> None:
    """By no field of its own, even one that a proxy is believed in."""
    lines = [(name, "pro" if name == "x-plan" else "big"), ("x-forwarded-for", PROXY)]
    request = request_of("/", "GET", lines, "192.0.2.1", proxies)
    assert asked(rules(API, **PLANS), request) == [("r0:192.0.2.1", "60/minute")]


@both
def test_a_field_beside_that_of_the_proxy_is_refused(request_of: RequestOf) -> None:
    """A proxy that adds a line instead of setting the field is noticed, on WSGI too."""
    lines = [("x-plan", "pro"), ("x-plan", "free")]
    with pytest.raises(RepeatedField):
        rules(API, **PLANS).questions(request_of("/", "GET", lines, PROXY, TRUSTED), 0)


def test_an_override_ends() -> None:
    """After the whole of its last day, by UTC."""
    found, end = rules(API, **PLANS), seconds_of("2027-02-01T00:00:00Z")
    request = asgi(lines=[("x-tenant", "acme")], peer=PROXY, proxies=TRUSTED)
    assert asked(found, request, end - 1) == [(f"r0:{PROXY}", "600/minute")]
    assert asked(found, request, end) == [(f"r0:{PROXY}", "60/minute")]


def test_a_tenant_is_a_key() -> None:
    """Where a trusted proxy names it; for others the address is."""
    found = rules({"key": "tenant"}, **PLANS)
    told = [("x-tenant", "acme")]
    assert asked(found, asgi(lines=told, peer=PROXY, proxies=TRUSTED))[0][0] == "r0:tenant=acme"
    assert asked(found, asgi(lines=told))[0][0] == "r0:192.0.2.1"


# --- modes


def enforced(mode: str) -> set[int]:
    found = rules({"mode": mode, "key": "header:k"})
    asks = {n: found.questions(asgi(lines=[("k", str(n))]), 0) for n in range(1_000)}
    return {n for n, (it,) in asks.items() if not it.rule.shadow}


def test_a_share_of_the_keys_is_refused() -> None:
    """The same ones each time, and they stay when the share grows; the others are in shadow."""
    few, more = enforced("10 %"), enforced("30%")
    assert 60 < len(few) < 150 < len(more)
    assert few == enforced("10 %")
    assert few < more


def test_all_or_none_of_the_keys_are_refused() -> None:
    everyone = set(range(1_000))
    assert enforced("enforce") == enforced("100 %") == everyone
    assert enforced("shadow") == enforced("0 %") == set()


def test_the_cost_is_asked() -> None:
    (question,) = rules({"cost": 3}).questions(asgi(), 0)
    assert question.cost == 3


def test_a_key_in_lines_that_differ_is_refused() -> None:
    """But not by a rule that refuses nobody."""
    lines, key = [("k", "a"), ("k", "b")], {"key": "header:k"}
    with pytest.raises(RepeatedField):
        rules(key).questions(asgi(lines=lines), 0)
    assert rules({**key, "mode": "shadow"}).questions(asgi(lines=lines), 0) == []


@pytest.mark.parametrize(
    ("key", "lines", "carries"),
    [
        ("client", [], False),
        ("client", [("x-tenant", "acme")], False),
        (["client", "path"], [("x-tenant", "acme")], False),
        ("global", [("x-plan", "pro")], False),
        ("tenant", [("x-plan", "pro")], False),  # by address
        ("tenant", [("x-tenant", "acme")], True),
        (["client", "tenant"], [("x-tenant", "acme")], True),
        ("header:x-user", [("x-user", "ann"), ("x-plan", "pro")], True),
        ("bearer", [("authorization", "Bearer t")], True),
    ],
)
def test_plans_that_share_an_address_are_no_change(
    key: str | list[str], lines: Lines, carries: bool
) -> None:
    """Whoever has another plan there has what is left of it, whatever the others have spent."""
    found = rules({"key": key, "limits": "plan:api"}, **PLANS)
    (question,) = found.questions(asgi(lines=lines, peer=PROXY, proxies=TRUSTED), NOW)
    assert question.rule.limits.carries == carries
    (fixed,) = rules({"key": key}, **PLANS).questions(asgi(lines=lines), NOW)
    assert fixed.rule.limits.carries
