"""Planning: what to ask about a request, by the app's own functions, for loops and threads alike.

The functions may be coroutine functions where the framework has a loop. So the one road through
them is a generator, as in `http/evaluation.py`: it yields what is to be awaited.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sidegate.buckets.limits import MAX_LIMITS, Limits
from sidegate.errors import LimitError
from sidegate.http.evaluation import (
    Pending,
    RuleQuestion,
    asked_by_sidecar,
    asking,
    is_pending,
)
from sidegate.http.headers import POLICY
from sidegate.http.keys import identity_text
from sidegate.http.request_limiter import Verdict
from sidegate.http.rules import Rule, read_limits
from sidegate.limiter.limits.functions import AppFunction

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from sidegate.http.headers import Pair
    from sidegate.http.request_limiter import FileRule, RequestLimiter
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.limits.applied import Applied
    from sidegate.limiter.limits.route_limit import RouteLimit

MAX_JOINED = 4_096  # sets of rules: routes times plans
_UNKNOWN = read_limits("1/second")  # stands for limits that a function failed to tell; never sent


class LimitRule(NamedTuple):
    """One limit of those that are decided together, as the rule that it is at its route."""

    rule: Rule
    limit: RouteLimit | None  # None: it comes from `rules=`


class LimitPart(NamedTuple):
    """One limit of a request: its rule, whose it is, and what it costs."""

    rule: Rule
    key: str
    cost: int
    limit: RouteLimit | None  # as above


class KeyQuestion(NamedTuple):
    """Limits of a request with the same key, to be decided together, all or none."""

    rule: Rule
    key: str
    cost: int
    parts: Sequence[LimitRule]


class Plan(NamedTuple):
    """What to ask, and fields of what can't be asked; or what becomes of the request at once."""

    parts: Sequence[LimitPart]
    fields: list[Pair]
    verdict: Verdict | None = None


Planning: TypeAlias = "Generator[Pending, object, Plan]"

NOTHING = Plan((), [])


def planning(
    limiter: RequestLimiter,
    limits: Sequence[Applied],
    filters: Sequence[AppFunction],
    current: Current,
) -> Planning:
    """Go through the rules and the limits of a request. It never raises.

    A function that fails has its request let through by this limit, or refused: `on_key_error`.
    """
    for filtering in filters:
        if (yield from _is_filtered(limiter, filtering, current)):
            return NOTHING
    parts: list[LimitPart] = []
    fields: list[Pair] = []
    if not current.is_enforced:
        for found in (yield from _by_rules(limiter, current)):
            part = LimitPart(*found, None) if isinstance(found, RuleQuestion) else found
            if refused := _take(part, parts, fields):
                return Plan((), fields, refused)
    for one in limits:
        part = yield from _part(limiter, one, current)
        if refused := _take(part, parts, fields):
            return Plan((), fields, refused)
    return Plan(parts, fields)


def _by_rules(
    limiter: RequestLimiter, current: Current
) -> Generator[Pending, object, Sequence[RuleQuestion | Verdict | None]]:
    """Return what the rules ask, or make of a request: the sidecar's, or those in code."""
    found = asked_by_sidecar(limiter, current.view, current.root)
    if found is not None:
        for by_sidecar in found:
            if isinstance(by_sidecar, RuleQuestion) and by_sidecar.rule.in_flight:
                limiter.holds_nothing(by_sidecar.rule)
        return found
    asked: list[RuleQuestion | Verdict | None] = []
    for chain in limiter.chains(current.path, current.root, current.method):
        one = yield from asking(limiter, chain, current.view)
        asked.append(one)
        if isinstance(one, Verdict) and one.status:
            break
    return asked


def _take(
    found: LimitPart | Verdict | None, parts: list[LimitPart], fields: list[Pair]
) -> Verdict | None:
    """Keep what was found out about one limit; return the verdict that refuses the request."""
    if isinstance(found, Verdict):
        fields += found.fields
        return found if found.status else None
    if found is not None:
        parts.append(found)
    return None


def _is_filtered(
    limiter: RequestLimiter, filtering: AppFunction, current: Current
) -> Generator[Pending, object, bool]:
    """Ask a request filter; one that fails filters nothing, and is told of as a key would be."""
    rule = Rule("request_filter", _UNKNOWN)
    try:
        return bool((yield from _value(rule, filtering, current)))
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        limiter.key_failed(rule, error, function=filtering.function)
        return False


def _part(
    limiter: RequestLimiter, one: Applied, current: Current
) -> Generator[Pending, object, LimitPart | Verdict | None]:
    """Find out about one limit; None if the request isn't limited by it."""
    wanted = one.limit.rule_name
    if wanted is not None:
        named = limiter.rule_of_sidecar(wanted.name, wanted.done)
        if named is not None:
            return (yield from _named_part(limiter, one.limit, named, current))
        if wanted.default is None:
            return None
    return (yield from _part_in_code(limiter, one, current))


def _named_part(
    limiter: RequestLimiter, limit: RouteLimit, named: FileRule, current: Current
) -> Generator[Pending, object, LimitPart | Verdict | None]:
    """Ask the functions of a limit that is a rule of the sidecar."""
    rule, function = named.rule, limit.key
    try:
        if not limiter.counts(rule, current.method, current.view) and not _names_options(limit):
            return None
        if (exempt := limit.exempt_when) is not None:
            function = exempt
            if (yield from _value(rule, exempt, current)):
                return None
        function = limit.key
        identity = yield from _value(rule, function, current)
        if identity is None:
            return None
        rule, key, cost = named.question_of(identity_text(identity))
        return LimitPart(rule, key, limiter.cost_of(rule, cost), limit)
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        return limiter.key_failed(rule, error, function=function.function)


def _part_in_code(
    limiter: RequestLimiter, one: Applied, current: Current
) -> Generator[Pending, object, LimitPart | Verdict | None]:
    """Ask the functions of a limit in code."""
    limit, service = one.limit, limiter.settings.service
    limits = limit.limits if isinstance(limit.limits, Limits) else _UNKNOWN
    rule = stand_in = one.rule(limits, service)
    function: object = limit.key
    try:
        if not limiter.counts(rule, current.method, current.view) and not _names_options(limit):
            return None
        if (exempt := limit.exempt_when) is not None:
            function = exempt.function
            if (yield from _value(rule, exempt, current)):
                return None
        if isinstance(limit.limits, AppFunction):
            function = limit.limits.function
            given = yield from _value(rule, limit.limits, current)
            if given is None:
                return None
            rule = one.rule(_limits(given), service)
        if isinstance(limit.scope, AppFunction):
            function = limit.scope.function
            scope = yield from _value(rule, limit.scope, current)
            rule = one.of(text_of("scope", scope)).rule(rule.limits, service)
        function = limit.key.function
        identity = yield from _value(rule, limit.key, current)
        if identity is None:
            return None
        key = limiter.key_of(rule, identity)
        cost: object = limit.cost
        if isinstance(cost, AppFunction):
            function = cost.function
            cost = yield from _value(rule, cost, current)
        return LimitPart(rule, key, limiter.cost_of(rule, cost), limit)
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        failed = limiter.key_failed(rule, error, function=function)
        is_known = isinstance(limit.limits, Limits) or rule is not stand_in
        return failed if is_known else failed.without(POLICY)


def _value(
    rule: Rule, function: AppFunction, current: Current
) -> Generator[Pending, object, object]:
    value = function(current)
    if is_pending(value):
        value = yield Pending(rule, function.function, value)
    return value


def _limits(given: object) -> Limits:
    """Return limits that a function gave: those of sidegate, or a text or a list of texts."""
    return given if isinstance(given, Limits) else read_limits(given)


def text_of(what: str, given: object) -> str:
    """Return a text that a function gave; TypeError for anything else, and for an empty one."""
    if isinstance(given, str) and given:
        return given
    raise TypeError(f"the {what} is {given!r:.80}, expected a text")


def _names_options(limit: RouteLimit) -> bool:
    return limit.methods is not None and "OPTIONS" in limit.methods


# --- one check


def questions_of(parts: Iterable[LimitPart]) -> Sequence[KeyQuestion]:
    """Put together what has the same key and cost: one check, which charges all limits or none."""
    groups: dict[tuple[str, int], list[LimitPart]] = {}
    for part in parts:
        groups.setdefault((part.key, part.cost), []).append(part)
    return [question for group in groups.values() for question in _questions(group)]


def _questions(group: list[LimitPart]) -> list[KeyQuestion]:
    first, parts = group[0], [LimitRule(part.rule, part.limit) for part in group]
    if len(group) == 1:
        return [KeyQuestion(first.rule, first.key, first.cost, parts)]
    try:
        rule = joined(tuple(part.rule for part in group))
    except LimitError:  # more than one check holds
        return [KeyQuestion(part.rule, first.key, first.cost, [part]) for part in parts]
    return [KeyQuestion(rule, first.key, first.cost, parts)]


@lru_cache(MAX_JOINED)
def joined(rules: tuple[Rule, ...]) -> Rule:
    """Return one rule with the limits of several that have the same buckets.

    LimitError if they are more than one check holds.
    """
    items = dict.fromkeys(limit for rule in rules for limit in rule.limits)
    if len(items) > MAX_LIMITS:
        raise LimitError(f"more than {MAX_LIMITS} limits")
    first = rules[0]
    rule = Rule(first.name, Limits(items), key=first.key).of("", first.bucket)
    return rule if all(it.limits.carries for it in rules) else rule.stand_apart()


def carrying(limits: Sequence[Applied], service: str) -> list[Rule]:
    """Return the rules that limits of a route for itself are, if they carry; and what they join."""
    rules = [
        one.rule(one.limit.limits, service)
        for one in limits
        if one.carries and one.limit.scope is None and isinstance(one.limit.limits, Limits)
    ]
    if len(rules) > 1:
        with suppress(LimitError):  # more than one check holds
            rules.append(joined(tuple(rules)))
    return rules
