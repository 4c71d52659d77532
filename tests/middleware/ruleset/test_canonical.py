"""What a rules file may not say, and that files which mean the same have the same digest."""

from typing import Any

import msgspec
import pytest

from sidegate.ruleset import document
from sidegate.ruleset.invalid import MAX_INVALID, RulesError, path_text
from sidegate.ruleset.ruleset import RuleSet, decode_rules, read_rules
from sidegate.ruleset.schema import json_schema
from tests.middleware.ruleset.asked import rules

RULE = {"name": "api", "limits": "5/minute"}
PLANS = {"free": {"api": "60/minute"}, "pro": {"api": "600/minute"}}
TENANTS = {"id": "header:x-tenant", "default": "free"}
PLANNED = {"plans": PLANS, "tenants": TENANTS}


def wrong(given: object) -> list[str]:
    with pytest.raises(RulesError) as caught:
        read_rules(given)
    return str(caught.value).splitlines()


def with_rule(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "rules": [{**RULE, **fields}], **PLANNED}


def with_tenants(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "rules": [RULE], "plans": PLANS, "tenants": {**TENANTS, **fields}}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (3, "the file: 3: expected a mapping with version, rules and more"),
        ({"version": 1}, "the file: {'version': 1}: expected the field rules in it"),
        ({"version": 2, "rules": []}, "version: 2: expected 1, the only one there is"),
        ({"version": True, "rules": []}, "version: True: expected a whole number"),
        ({"version": 1, "rules": {}}, "rules: {}: expected a list"),
        ({"version": 1, "rules": [7]}, "rules[0]: 7: expected a mapping"),
        (
            {"version": 1, "rules": [], "rule": 1},
            (
                "rule: 1: expected no such field here, but one of"
                " version, rules, defaults, exempt, plans, tenants; did you mean rules?"
            ),
        ),
        (
            with_rule(mod="x"),
            (
                "rules[0].mod: 'x': expected no such field here, but one of name, limits,"
                " match, key, cost, max_fraction, mode, in_flight, lease, sync; did you mean mode?"
            ),
        ),
        (
            with_rule(match={"pth": 1}),
            (
                "rules[0].match.pth: 1: expected no such field here, but one"
                " of path, methods, host, headers; did you mean path?"
            ),
        ),
        (
            with_rule(match={"headers": {"a": "b", "x y": 1}}),
            (
                'rules[0].match.headers["x y"]: 1:'
                " expected a text (in quotes, if it looks like something else)"
            ),
        ),
        (with_rule(match=None), "rules[0].match: nothing: expected a mapping"),
        (
            with_rule(limits="plan:apy"),
            (
                "rules[0].limits: 'plan:apy': expected limits of that name"
                " in each plan; free has none; did you mean api?"
            ),
        ),
        (
            with_rule(name="a:b"),
            (
                "rules[0].name: 'a:b': must be 1 to 64 printable ASCII characters"
                " without colons, slashes, double quotes and backslashes"
            ),
        ),
        (
            with_rule(in_flight=0),
            "rules[0].in_flight: 0: expected a whole number from 1 to 1000000, or nothing for any",
        ),
        (with_rule(in_flight="4"), "rules[0].in_flight: '4': expected a whole number or nothing"),
        (with_rule(key=[]), "rules[0].key: '0 selectors': expected 1 to 8"),
        (
            with_rule(key=["client", "client"]),
            ("rules[0].key[1]: 'client': expected each selector once"),
        ),
        (
            with_rule(key="json:model"),
            (
                "rules[0].key: 'json:model': the body of a request is known"
                " to the app only, not to proxies: write it in code"
            ),
        ),
        (
            with_rule(key="header:x-forwarded-for"),
            (
                "rules[0].key: 'header:x-forwarded-for': clients"
                " add to it what they like, expected client"
            ),
        ),
        (
            with_rule(cost=6),
            (
                "rules[0].cost: 6: expected a whole number from 0 to 5, the smallest"
                " burst of 5/minute"
            ),
        ),
        (
            with_rule(limits="plan:api", cost=61),
            (
                "rules[0].cost: 61: expected a whole number from 0"
                " to 60, the smallest burst of 60/minute"
            ),
        ),
        (
            with_rule(cost=-1),
            (
                "rules[0].cost: -1: expected a whole number from 0 to 5, the smallest"
                " burst of 5/minute"
            ),
        ),
        (
            with_rule(mode="101 %"),
            ("rules[0].mode: '101 %': expected enforce, shadow, or a share such as \"10 %\""),
        ),
        (
            with_rule(match={"host": "a/b"}),
            (
                "rules[0].match.host: 'a/b': expected a host in ASCII"
                " such as api.example.com or *.example.com"
            ),
        ),
        (
            with_rule(match={"host": "a:80"}),
            ("rules[0].match.host: 'a:80': expected no port, since rules are for all ports: a"),
        ),
        (
            with_rule(match={"headers": {"Host": "a"}}),
            ("rules[0].match.headers.Host: 'host': expected match.host beside headers, not in it"),
        ),
        (
            with_rule(match={"headers": {"a": "1", "A": "2"}}),
            ("rules[0].match.headers.A: 'A': expected each header field once, in whatever letters"),
        ),
        (
            with_rule(match={"headers": {"a": " "}}),
            ("rules[0].match.headers.a: ' ': expected the value of the field, or \"*\" for any"),
        ),
        (
            with_tenants(default="fre"),
            ("tenants.default: 'fre': expected one of the plans (free, pro); did you mean free?"),
        ),
        (
            with_tenants(default=None),
            ("tenants.default: nothing: expected one of the plans (free, pro)"),
        ),
        (with_tenants(plan="claim:plan"), "tenants.plan: 'claim:plan': expected header:NAME"),
        (
            with_tenants(id=None, overrides={"a": {}}),
            ("tenants.id: nothing: expected header:NAME, to know whom overrides are for"),
        ),
        (
            with_tenants(overrides={"a": {"plan": "gold"}}),
            ("tenants.overrides.a.plan: 'gold': expected one of the plans (free, pro)"),
        ),
        (
            with_tenants(overrides={"a": {"ap": "1/s"}}),
            (
                "tenants.overrides.a.ap: 'ap': expected"
                " plan, until, or what a plan has (api); did you mean api?"
            ),
        ),
        (
            with_tenants(overrides={"a": {"until": "2027-02-30"}}),
            (
                "tenants.overrides.a.until:"
                " '2027-02-30': expected a day such as 2027-01-31, which is the last, or a"
                " moment such as"
                " 2027-01-31T12:00:00Z"
            ),
        ),
        (
            with_tenants(overrides={"a,b": {}}),
            (
                "tenants.overrides[\"a,b\"]: 'a,b': expected a tenant"
                " of 1 to 128 characters, without commas and blanks around it"
            ),
        ),
        (
            {"version": 1, "rules": [RULE, RULE]},
            (
                "rules[1].name: 'api': expected another name than"
                " that of rules[0], or they would share buckets"
            ),
        ),
        (
            {"version": 1, "rules": [RULE, {**RULE, "name": "b"}]},
            ("rules[1]: 'b': expected it before rules[0], which takes all of its requests"),
        ),
        (
            {"version": 1, "rules": [{**RULE, "key": "tenant"}]},
            ("rules[0].key: 'tenant': expected tenants.id to say which header names the tenant"),
        ),
        (
            {"version": 1, "rules": [{**RULE, "limits": "plan:api"}]},
            ("rules[0].limits: 'plan:api': expected plans in the file, to say what this is"),
        ),
        (
            {"version": 1, "rules": [], "exempt": ["cidr:10.0.0.1/8"]},
            ('exempt[0]: "cidr:10.0.0.1/8" is no network: 10.0.0.1/8 has host bits set'),
        ),
        (
            {"version": 1, "rules": [], "defaults": {"on_unreachable": "opn"}},
            (
                "defaults.on_unreachable: 'opn': expected one of open, closed, local; did you"
                " mean open?"
            ),
        ),
        (
            {
                "version": 1,
                "rules": [],
                "plans": {"a": {"until": "1/s"}},
                "tenants": {"default": "a"},
            },
            (
                "plans.a.until: 'until': expected another name, since overrides have until for"
                " themselves"
            ),
        ),
        (
            {"version": 1, "rules": [{**RULE, "match": {"path": "/a"}}], "exempt": ["/a"]},
            "rules[0]: 'api': expected a path that isn't exempt",
        ),
    ],
)
def test_what_is_wrong_is_told(given: object, line: str) -> None:
    """With its place, its value, and what was expected."""
    assert wrong(given) == [line]


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Of different rules and sections; of very many mistakes the first hundred."""
    lines = wrong({"version": 1, "exempt": ["x"], "rules": [{**RULE, "mode": "x", "key": "y"}]})
    assert [it.partition(":")[0] for it in lines] == ["rules[0].key", "rules[0].mode", "exempt[0]"]
    assert len(wrong({"version": 1, "rules": [1] * 500})) == MAX_INVALID


def test_conditions_make_rules_reachable() -> None:
    """A rule with a host or a header takes only what has it."""
    one = {"match": {"headers": {"x-a": "1"}}}
    both = {"match": {"headers": {"x-a": "1", "x-b": "1"}}}
    assert len(rules({"match": {"host": "a"}}, one, {}).rules) == 3
    with pytest.raises(RulesError, match="takes all of its requests"):
        rules(one, both)
    assert len(rules(both, one).rules) == 2


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of everything that may be many."""
    many = {str(n): "a" for n in range(17)}
    assert "at most 16" in wrong(with_rule(match={"headers": many}))[0]
    assert "at most 32" in wrong(with_rule(match={"methods": ["A"] * 33}))[0]
    assert "1 to 8" in wrong(with_rule(key=["path"] * 9))[0]
    long = "/" + "*a" * 512
    for given in (
        with_rule(match={"path": long}),
        with_rule(match={"headers": {"a": long}}),
        {"version": 1, "rules": [], "exempt": [long]},
    ):
        assert wrong(given)[0].endswith("expected at most 1,024 characters")
    nothing: dict[str, str] = {}
    tenants = {**TENANTS, "overrides": {str(n): nothing for n in range(10_001)}}
    cases: list[tuple[int, dict[str, Any]]] = [
        (document.MAX_RULES, {"rules": [RULE] * 1_001}),
        (document.MAX_EXEMPT, {"rules": [], "exempt": ["/a"] * 1_001}),
        (document.MAX_PLANS, {"rules": [], "plans": {str(n): nothing for n in range(101)}}),
        (document.MAX_OVERRIDES, {"rules": [], "plans": PLANS, "tenants": tenants}),
    ]
    for bound, given in cases:
        assert f"at most {bound:,}" in wrong({"version": 1, **given})[0]
    monkeypatch.setattr("sidegate.ruleset.ruleset.MAX_ENCODED", 10)
    assert "at most 10" in wrong({"version": 1, "rules": []})[0]


# --- canonical


def digest(**more: Any) -> str:
    return read_rules({"version": 1, "rules": [RULE], **more}).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"limits": "5/minute; 20/hour"}, {"limits": ["5 per min", "20/h"]}),
        ({"match": {"path": "/a/"}}, {"match": {"path": "/a"}}),
        ({"match": {"methods": ["get", "POST"]}}, {"match": {"methods": ["POST", "GET", "HEAD"]}}),
        ({"match": {"host": "A.example."}}, {"match": {"host": "a.example"}}),
        ({"match": {"host": "*"}}, {"match": {}}),
        ({"match": {"headers": {"X-A": "B  c"}}}, {"match": {"headers": {"x-a": "b c"}}}),
        ({"key": "client"}, {}),
        ({"key": ["header:X-A"]}, {"key": "header:x-a"}),
        ({"mode": "10%"}, {"mode": "10 %"}),
        ({"mode": "100 %"}, {"mode": "enforce", "cost": 1}),
    ],
)
def test_spelling_makes_no_difference(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert rules(one).digest == rules(other).digest


def test_order_of_mappings_makes_no_difference() -> None:
    plans = {"pro": PLANS["pro"], "free": PLANS["free"]}
    moment = {"a": {"until": "2027-02-01T01:00:00+01:00"}}
    assert digest(**PLANNED) == digest(plans=plans, tenants=TENANTS)
    assert digest(exempt=["/a", "/b/"]) == digest(exempt=["/b", "/a", "/a/"])
    one = digest(plans=PLANS, tenants={**TENANTS, "overrides": {"a": {"until": "2027-01-31"}}})
    assert one == digest(plans=PLANS, tenants={**TENANTS, "overrides": moment})
    assert digest(defaults={"key": "bearer"}) == rules({"name": "api", "key": "bearer"}).digest


def test_another_meaning_is_another_digest() -> None:
    others: list[dict[str, Any]] = [PLANNED, {"exempt": ["/a"]}, {"defaults": {"key": "host"}}]
    others += [{"defaults": {"on_unreachable": "closed"}}, {"rules": []}]
    assert len({digest(), *(digest(**it) for it in others)}) == 6
    one, two = {"match": {"path": "/a"}}, {"match": {"path": "*a"}}
    assert (
        rules({"name": "x", **one}, {"name": "y", **two}).digest
        != rules({"name": "y", **two}, {"name": "x", "match": {"path": "/b"}}).digest
    )


def test_a_set_travels() -> None:
    """Encoded and decoded it means the same, and is within a frame."""
    found = read_rules({
        **with_tenants(overrides={"a": {"until": "2027-01-31", "api": "1/s"}}),
        "rules": [{**RULE, "limits": "plan:api", "mode": "10 %", "key": ["client", "tenant"]}],
        "exempt": ["/a", "cidr:10.0.0.0/8"], "defaults": {"on_unreachable": "closed"},
    })  # fmt: skip
    decoded: RuleSet = decode_rules(found.encoded)
    assert decoded.digest == found.digest
    assert decoded.document == found.document
    with pytest.raises(msgspec.DecodeError):
        decode_rules(b"\xc1")
    with pytest.raises(RulesError):
        decode_rules(msgspec.msgpack.encode([1]))


def test_paths_are_written_for_people() -> None:
    assert path_text(("rules", 1, "match", "a b")) == 'rules[1].match["a b"]'


def test_the_schema_has_all_fields() -> None:
    """And no others are allowed."""
    kinds = json_schema()["$defs"]
    assert {name for name, it in kinds.items() if it["additionalProperties"] is not False} == set()
    assert set(kinds["RuleEntry"]["properties"]) == set(document.RuleEntry.__struct_fields__)
