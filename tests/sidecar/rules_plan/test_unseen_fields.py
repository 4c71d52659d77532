"""UnseenFields: what rules go by that a log doesn't have is told."""

from typing import Any

from sidegate.http.request.proxies import NO_PROXIES
from sidegate.ruleset.ruleset import read_rules
from sidegate_sidecar.rules_plan.text_lines import TextLines
from sidegate_sidecar.rules_plan.unseen_fields import UnseenFields
from tests.sidecar.rules_plan.logs import common

PLANS: dict[str, Any] = {
    "plans": {"free": {"api": "60/minute"}},
    "tenants": {"id": "header:x-tenant", "plan": "header:x-plan", "default": "free"},
}


def told(*entries: dict[str, Any], line: str = "", is_trusted: bool = False, **more: Any) -> str:
    rules = read_rules({"version": 1, "rules": list(entries), **more})
    unseen = UnseenFields([rules, rules], is_trusted=is_trusted)
    if line:
        unseen.look(TextLines(NO_PROXIES).read(line))
    return "\n".join(unseen.told())


def test_keys_fall_back_to_the_address() -> None:
    api = {"name": "api", "limits": "1/minute", "key": ["header:X-Api-Key", "path"]}
    assert told(api) == "no x-api-key in the log: api counts by the client's address"
    assert told({**api, "key": "client"}) == ""
    agent = {**api, "key": "header:user-agent"}
    line = f'{common()} "-" "curl"'
    assert told(agent, line=line) == ""
    assert told(agent, line=common()) != ""


def test_who_has_logged_in_is_known() -> None:
    """But no token is."""
    line = common().replace(" - - ", " - bob ")
    basic = {"name": "a", "limits": "1/minute", "key": "basic"}
    assert told(basic, line=line) == ""
    assert told({**basic, "key": "bearer"}, line=line).startswith("no bearer in the log")


def test_rules_that_go_by_what_is_not_there() -> None:
    beta = {"name": "beta", "limits": "1/minute", "match": {"headers": {"x-beta": "*"}}}
    assert told(beta) == "no x-beta in the log: beta never applies"
    admin = {"name": "admin", "limits": "1/minute", "match": {"host": "a.example"}}
    assert told(admin) == "no host in the log: admin is not replayed (--host says it for all)"
    assert told(admin, line=common(path="http://a.example/")) == ""
    assert told({**admin, "match": {}, "key": "host"}).startswith("no host in the log")


def test_plans_and_tenants_are_a_trusted_proxys_word() -> None:
    plan = {"name": "api", "limits": "plan:api"}
    lines = told(plan, **PLANS).splitlines()
    assert lines == [
        "x-tenant is a trusted proxy's word (--trusted): nobody is known as a tenant",
        "x-plan is a trusted proxy's word (--trusted): all have the plan free",
    ]
    assert told(plan, is_trusted=True, **PLANS).splitlines() == [
        "no x-tenant in the log: nobody is known as a tenant",
        "no x-plan in the log: all have the plan free",
    ]
    assert told({"name": "a", "limits": "1/minute"}, **PLANS) == ""
