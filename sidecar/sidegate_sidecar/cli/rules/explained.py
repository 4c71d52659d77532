"""What `sidegate rules explain` says of a request: as data, for scripts and for its printing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidegate.buckets.limits import parse_limits
from sidegate.ruleset.explanation import explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate.http.evaluation import RuleQuestion
    from sidegate.http.request.request import Request
    from sidegate.ruleset.compiled import CompiledRule
    from sidegate.ruleset.ruleset import RuleSet


def explained(rules: RuleSet, request: Request, now: float) -> dict[str, Any]:
    """Return which rule a request falls under at a moment, and why not under the others."""
    found = explain(rules, request, now)
    by_name = {rule.name: rule for rule in rules.rules}
    return {
        "method": request.method,
        "path": request.path,
        "client": request.client,
        "digest": rules.digest,
        "exempt": found.exempt or None,
        "malformed": found.malformed or None,
        "tenant": found.tenant or None,
        "rules": [
            {"name": it.name, "applies": not it.why_not, "why": it.why_not or None}
            for it in found.rules
        ],
        "asked": [_asked(it, by_name[it.rule.name], found.plan) for it in found.questions],
    }


def _asked(question: RuleQuestion, rule: CompiledRule, plan: str) -> dict[str, Any]:
    return {
        "rule": question.rule.name,
        "key": question.key,
        "limits": question.rule.limits.text,
        "plan": plan if rule.plan_limits else None,
        "cost": question.cost,
        "mode": rule.entry.mode,
        "in_flight": rule.entry.in_flight,
        "sync": rule.entry.sync,
        "enforced": not question.rule.shadow,
    }


def left_of(asked: Mapping[str, Any], buckets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the owner of what is asked, and what is left of each of its limits there.

    `buckets` are what the HTTP API says of the key; a limit that isn't among them is full.
    """
    known = {it["limit"]: it for it in buckets["buckets"]}
    left = [
        {
            "limit": limit.text,
            "remaining": known.get(limit.text, {}).get("remaining", limit.burst),
            "burst": limit.burst,
            "reset_after": known.get(limit.text, {}).get("reset_after", 0.0),
        }
        for limit in parse_limits(asked["limits"])
    ]
    return {"owner": buckets["owner"], "left": left}
