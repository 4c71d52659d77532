"""Imported: what an envoyproxy/ratelimit configuration comes to as rules of ours."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.ruleset.ruleset import RuleSet, read_rules
from sidegate_sidecar.cli.rules.imported_text import rules_text
from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import read_ratelimit_yaml
from sidegate_sidecar.rules_file.rules_file import rules_in
from sidegate_sidecar.rules_import.imported import Imported, imported
from tests.middleware.ruleset.asked import NOW, asgi
from tests.sidecar.ratelimit_yaml.examples import (
    DEPTH,
    MESSAGING,
    PATTERNS,
    PER_IP,
    long_domain,
)

A_DAY: Final = {"unit": "day", "requests_per_unit": 5}


def domain_of(*descriptors: dict[str, Any]) -> str:
    return json.dumps({"domain": "d", "descriptors": descriptors})


def imported_of(text: str, **named: str) -> Imported:
    found = imported(read_ratelimit_yaml(text.encode()), named)
    written = rules_in("rules.yaml", rules_text(found, "limits.yaml").encode())
    assert written == read_rules(found.document)
    return found


def rules(text: str) -> list[dict[str, Any]]:
    found = imported_of(text)
    assert found.rest == []
    return [it.rule for it in found.rules]


def rest(*descriptors: dict[str, Any]) -> list[str]:
    return [f"{it.path}: {it.why}" for it in imported_of(domain_of(*descriptors)).rest]


def test_a_documented_example_becomes_rules() -> None:
    """The rule that wants more of a request stands first; a key without a value is counted by."""
    assert rules(MESSAGING) == [
        {
            "name": "messaging.message_type_marketing.to_number",
            "match": {"headers": {"message-type": "marketing", "to-number": "*"}},
            "limits": "5/day",
            "key": "header:to-number",
        },
        {
            "name": "messaging.to_number",
            "match": {"headers": {"to-number": "*"}},
            "limits": "100/day",
            "key": "header:to-number",
        },
    ]


def test_values_and_patterns() -> None:
    """All values of a pattern have their buckets, but where they share one."""
    by_name = {it["name"]: it for it in rules(PATTERNS)}
    assert by_name["patterns.path_%2Fapi%2Flogin"]["key"] == "global"
    assert by_name["patterns.path_%2Fapi%2F*"]["key"] == "path"
    assert by_name["patterns.host_*.example.com"] == {
        "name": "patterns.host_*.example.com",
        "match": {"host": "*.example.com"},
        "limits": "7/minute",
        "key": "host",
    }
    assert by_name["patterns.tenant_t*.file_x*"]["key"] == "header:tenant"
    names = list(by_name)
    assert names.index("patterns.path_%2Fapi%2Flogin") < names.index("patterns.path_%2Fapi%2F*")
    assert names[-1] == "patterns.path"


def limits(rule_set: RuleSet, path: str, headers: dict[str, str]) -> list[str]:
    lines = [("host", "h.example"), *headers.items()]
    return [it.rule.limits.text for it in rule_set.questions(asgi(path, lines=lines), NOW)]


@pytest.mark.parametrize(
    ("text", "path", "headers", "entries"),
    [
        (MESSAGING, "/", {"message-type": "marketing", "to-number": "1"}, "message_type,to_number"),
        (MESSAGING, "/", {"to-number": "1"}, "to_number"),
        (MESSAGING, "/", {"message-type": "marketing"}, "message_type"),
        (DEPTH, "/", {"a": "one"}, "a"),
        (DEPTH, "/", {"a": "two", "b": "x"}, "a,b"),
        (DEPTH, "/", {"a": "two"}, "a"),
        (DEPTH, "/", {"b": "x"}, "b"),
        (PATTERNS, "/api/login", {}, "path"),
        (PATTERNS, "/api/other", {}, "path"),
        (PATTERNS, "/other", {}, "path"),
        (PATTERNS, "/", {"mid": "a-b-c"}, "mid"),
        (PATTERNS, "/", {"tenant": "t1", "file": "x1"}, "tenant,file"),
    ],
)
def test_a_request_has_the_limit_that_its_descriptor_has(
    text: str, path: str, headers: dict[str, str], entries: str
) -> None:
    """Of a request that Envoy would ask about by one descriptor."""
    domain = read_ratelimit_yaml(text.encode())
    said = {"path": path, **{name.replace("-", "_"): it for name, it in headers.items()}}
    found = domain.match([(key, said[key]) for key in entries.split(",")])
    expected = [str(found.limit.limits)] if found else []
    assert limits(read_rules(imported_of(text).document), path, headers) == expected


def test_who_is_let_off_is_exempt() -> None:
    """Explicitly, or as a value without a limit beside its key."""
    free = {"key": "remote_address", "value": "50.0.0.6"}
    unlimited = {"key": "path", "value": "/healthz", "rate_limit": {"unlimited": True}}
    found = imported_of(domain_of({"key": "remote_address", "rate_limit": A_DAY}, free, unlimited))
    assert found.document["exempt"] == ["cidr:50.0.0.6", "/healthz"]
    assert found.rest == []
    assert [it.rule["key"] for it in found.rules] == ["client"]
    assert imported_of(domain_of(free)).document == {"version": 1, "rules": []}


def test_modes_methods_and_names_of_fields() -> None:
    inner = {"key": "api_key", "rate_limit": A_DAY, "shadow_mode": True}
    chain = {"key": ":method", "value": "POST", "descriptors": [inner]}
    text = domain_of(chain, {"key": "api_key", "rate_limit": A_DAY})
    found = imported_of(text, api_key="x-api-key")
    assert [it.rule for it in found.rules] == [
        {
            "name": "d.%3Amethod_POST.api_key",
            "match": {"methods": ["POST"], "headers": {"x-api-key": "*"}},
            "limits": "5/day",
            "key": "header:x-api-key",
            "mode": "shadow",
        },
        {
            "name": "d.api_key",
            "match": {"headers": {"x-api-key": "*"}},
            "limits": "5/day",
            "key": "header:x-api-key",
        },
    ]
    assert "is taken for" not in rules_text(found, "f")
    assert "# api_key is taken for the header api-key" in rules_text(imported_of(text), "f")


def test_the_order_of_rules() -> None:
    """What wants a field stands before what wants nothing, whatever the file's order."""
    text = domain_of(
        {"key": "remote_address", "rate_limit": A_DAY},
        {"key": "a", "rate_limit": A_DAY},
        {"key": "a", "value": "x*", "rate_limit": A_DAY},
        {"key": "a", "value": "xy", "rate_limit": A_DAY},
    )
    assert [it["name"] for it in rules(text)] == ["d.a_xy", "d.a_x*", "d.a", "d.remote_address"]


def test_names_and_keys_are_not_said_twice() -> None:
    below = {"key": "remote_address", "value": "", "rate_limit": A_DAY}
    inner = {"key": "b", "rate_limit": A_DAY}
    text = domain_of(
        {"key": "remote_address", "descriptors": [below]},
        {"key": "a", "descriptors": [inner]},
        {"key": "a.b", "rate_limit": A_DAY},
    )
    assert [(it["name"], it["key"]) for it in rules(text)] == [
        ("d.a.b", ["header:a", "header:b"]),
        ("d.a.b-2", "header:a.b"),
        ("d.remote_address.remote_address", "client"),
    ]


def test_what_is_left_out_is_told_in_the_order_of_the_file() -> None:
    descriptors = [{"key": "path", "value": "/a?b"}, {"key": "generic_key"}]
    text = "domain: d\ndescriptors:\n" + "".join(
        f"- {json.dumps({**it, 'rate_limit': A_DAY})}\n" for it in descriptors
    )
    assert [it.line for it in imported_of(text).rest] == [3, 4]


def test_a_value_that_yaml_would_not_have_as_it_is() -> None:
    (rule,) = rules(domain_of({"key": "a", "value": "b\x7f'\"\\\ufeff", "rate_limit": A_DAY}))
    assert rule["match"]["headers"] == {"a": "b\x7f'\"\\\ufeff"}


def test_an_address_has_no_limit_of_its_own() -> None:
    found = imported_of(PER_IP)
    assert [it.rule["limits"] for it in found.rules] == ["10/second"]
    assert [(it.line, it.path) for it in found.rest] == [(6, "descriptors[1]")]


@pytest.mark.parametrize(
    ("descriptor", "why"),
    [
        ({"key": "generic_key", "value": "a"}, "generic_key: which requests have it is said in"),
        ({"key": "path", "value": "/a?b"}, "'/a?b' can never match: the query is no part"),
        ({"key": "path", "value": "a"}, "'a': expected a path that begins with / or *"),
        ({"key": "method"}, "method: a rule wants methods by their names"),
        ({"key": "a b"}, "'a b': must be the name of a header field"),
        ({"key": "x_forwarded_for"}, "clients add to it what they like"),
        ({"key": "cookie"}, "each cookie that a client adds"),
        ({"key": "a", "quota_mode": True}, "quota_mode: each rule of ours refuses by itself"),
        ({"key": "a", "rate_limit": {"unlimited": True}}, "unlimited: leave it out"),
        ({"key": "a", "value": "b", "rate_limit": {"unlimited": True}}, "unlimited: exempt has"),
    ],
)
def test_what_a_rule_cant_say(descriptor: dict[str, Any], why: str) -> None:
    """Is told by its place and why, and left out."""
    (told,) = rest({"rate_limit": A_DAY, **descriptor})
    assert told.startswith("descriptors[0]: ")
    assert why in told


def test_what_would_never_be_reached() -> None:
    """Of two that every request comes to, one is left out."""
    by_host = {"key": "host", "rate_limit": A_DAY}
    (told,) = rest({"key": "remote_address", "rate_limit": A_DAY}, by_host)
    assert told.startswith("descriptors[1]: no request would come to it")
    twice = {"key": "path", "value": "/a", "descriptors": [{"key": "path", "rate_limit": A_DAY}]}
    assert rest(twice) == ["descriptors[0].descriptors[0]: path: a rule has one path"]


def test_what_replaces_others_is_told() -> None:
    """The limit itself is a rule."""
    limit = {**A_DAY, "replaces": [{"name": "other"}]}
    found = imported_of(domain_of({"key": "a", "rate_limit": limit}))
    assert len(found.rules) == 1
    assert [it.path for it in found.rest] == ["descriptors[0].rate_limit.replaces"]


def test_what_is_too_much_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes than a file may mean, more rules than it has."""
    found = imported(read_ratelimit_yaml(long_domain(56).encode()), {})
    assert 40 < len(found.rules) < 56
    assert "of what it means" in found.rest[0].why
    read_rules(found.document)
    monkeypatch.setattr("sidegate_sidecar.rules_import.imported.MAX_RULES", 3)
    many = [{"key": "path", "value": f"/{at}", "rate_limit": A_DAY} for at in range(5)]
    found = imported_of(domain_of(*many))
    assert [it.rule["match"]["path"] for it in found.rules] == ["/0", "/1", "/2"]
    assert [it.why for it in found.rest] == ["more than 3 of them"] * 2


TEXTS = st.text("aZ0/*?:é \n\"'\\#{}[]%\x85\x7f\u2028", min_size=1, max_size=6)
KEYS = TEXTS | st.sampled_from(["path", "remote_address", "host", ":method", "generic_key"])


def node(below: list[dict[str, Any]], key: str, value: str | None, limit: object) -> dict[str, Any]:
    return {"key": key, "value": value, "rate_limit": limit, "descriptors": below}


def nodes(
    below: st.SearchStrategy[list[dict[str, Any]]],
) -> st.SearchStrategy[list[dict[str, Any]]]:
    limits_there = st.sampled_from([None, A_DAY, {"unlimited": True}])
    one = st.builds(node, below, KEYS, st.none() | TEXTS, limits_there)
    return st.lists(one, max_size=3)


NODES = nodes(nodes(nodes(st.just([]))))


@given(TEXTS, NODES)
def test_whatever_stands_there_a_valid_file_is_written(
    name: str, descriptors: list[dict[str, Any]]
) -> None:
    whole = {"domain": name, "descriptors": descriptors}
    try:
        domain = read_ratelimit_yaml(json.dumps(whole).encode())
    except ValueError:
        return
    found = imported(domain, {})
    text = rules_text(found, name)
    assert rules_in("rules.yaml", text.encode()) == read_rules(found.document)
