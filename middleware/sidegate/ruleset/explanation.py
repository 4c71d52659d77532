"""Explanation: which rules a request falls under, and why not under the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.errors import MalformedRequest
from sidegate.http.exempt import is_preflight

if TYPE_CHECKING:
    from sidegate.http.evaluation import RuleQuestion
    from sidegate.http.request.request import Request
    from sidegate.ruleset.compiled import CompiledRule
    from sidegate.ruleset.ruleset import RuleSet


class LookedAt(NamedTuple):
    """A rule, and why it doesn't apply: "" if it does."""

    name: str
    why_not: str


class Explanation(NamedTuple):
    """What becomes of a request by the rules of a file.

    `exempt` is why it is never limited, and `malformed` why it is answered 400; both mostly "".
    """

    exempt: str
    malformed: str
    rules: list[LookedAt]
    questions: list[RuleQuestion]
    tenant: str  # "" where none is believed
    plan: str  # "" where the file has none


def explain(rule_set: RuleSet, request: Request, now: float, root: str = "") -> Explanation:
    """Return what `rule_set.questions` does with a request, and why."""
    exempt, malformed = _exempt(rule_set, request, root), ""
    questions: list[RuleQuestion] = []
    tenant = plan = ""
    try:
        questions = rule_set.questions(request, now, root)
        tenant, plan, _ = rule_set.tenancy.standing(request, now)
    except MalformedRequest as error:
        malformed = str(error)
    asked = {it.rule.name for it in questions}
    looked_at = [
        LookedAt(rule.name, "" if rule.name in asked else _why_not(rule_set, rule, request, root))
        for rule in rule_set.rules
    ]
    return Explanation(exempt, malformed, [] if exempt else looked_at, questions, tenant, plan)


def _exempt(rule_set: RuleSet, request: Request, root: str) -> str:
    if rule_set.chains(request, root).is_exempt:
        return f"its path {request.path}"
    if rule_set.is_exempt_client(request):
        return f"its client {request.client}"
    return ""


def _why_not(rule_set: RuleSet, rule: CompiledRule, request: Request, root: str) -> str:
    methods = rule.rule.methods
    if methods is not None and request.method not in methods:
        return f"its methods are {', '.join(sorted(methods))}"
    chains = rule_set.chains(request, root)
    if not any(rule in chain for chain in (*chains.routed, *chains.known)):
        return f"its path is {rule.rule.path}"
    if is_preflight(request) and "OPTIONS" not in (methods or ()):
        return "preflights of CORS aren't counted"
    try:
        return rule.conditions.unmet(request) or "a rule before it applies"
    except MalformedRequest as error:
        return str(error)
