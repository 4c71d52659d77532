"""Rules files of sidecars in this process, and what is pushed of them."""

from pathlib import Path
from typing import Any, Final

from sidegate.protocol.standing_messages import RulesPush
from sidegate.ruleset.ruleset import RuleSet, read_rules

LONGEST: Final = 500_000  # bytes that many_rules has at least, encoded


def rules_of(limits: str = "5/minute", name: str = "login", **more: Any) -> RuleSet:
    """Return a set of one rule for a path that is called as the rule."""
    entry = {"name": name, "limits": limits, "match": {"path": f"/{name}"}, **more}
    return read_rules({"version": 1, "rules": [entry]})


def many_rules(limits: str = "5/minute") -> RuleSet:
    """Return a set that is nearly as long as one may be."""
    overrides = {f"tenant-{at:05d}-{'x' * 30}": {"api": limits} for at in range(9_000)}
    tenants = {"id": "header:x-tenant", "default": "free", "overrides": overrides}
    rule = {"name": "login", "limits": "plan:api", "match": {"path": "/login"}}
    found = read_rules(
        {
            "version": 1,
            "rules": [rule],
            "plans": {"free": {"api": limits}},
            "tenants": tenants,
        }
    )
    assert len(found.encoded) > LONGEST
    return found


def push_of(rules: RuleSet) -> RulesPush:
    """Return how a set is pushed to who hasn't got it."""
    return RulesPush(rules.digest, rules.encoded)


def write_rules(file: Path, limits: str = "5/minute", name: str = "login", more: str = "") -> None:
    """Put a rules file in the place of what is there, whole."""
    new = file.with_suffix(".new")
    rule = f"- name: {name}\n  match: {{path: /{name}}}\n  limits: {limits}\n"
    new.write_text(f"version: 1\nrules:\n{rule}{more}", "utf-8")
    new.rename(file)
