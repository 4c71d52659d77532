"""Entries: one rule of a file, in its canonical form."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.limits import parse_limits
from sidegate.errors import did_you_mean
from sidegate.http.patterns import path_matcher
from sidegate.http.request.hosts import canonical_host
from sidegate.http.rules import MAX_IN_FLIGHT, read_methods, require_name
from sidegate.ruleset.canonical.fractions import canonical_fraction
from sidegate.ruleset.canonical.values import (
    canonical_key,
    canonical_limits,
    require_few,
    require_short,
)
from sidegate.ruleset.conditions import canonical_field, canonical_value
from sidegate.ruleset.document import (
    ANY,
    MAX_FIELDS,
    MAX_METHODS,
    PLAN_LIMITS,
    Match,
    PlanLimits,
    RuleEntry,
)
from sidegate.ruleset.modes import canonical_mode

if TYPE_CHECKING:
    from sidegate.ruleset.invalid import InvalidValues, Path

_PORT = re.compile(r":[0-9]*$")


class Named(NamedTuple):
    """What a rule may refer to."""

    key: tuple[str, ...]  # by default
    has_tenants: bool
    plans: dict[str, PlanLimits]
    overrides: dict[str, dict[str, str]]


def canonical_entry(
    written: RuleEntry, path: Path, around: Named, invalid: InvalidValues
) -> RuleEntry:
    """Return a rule with everything as it is written shortest."""
    invalid.read((*path, "name"), written.name, partial(require_name, "name"), "name")
    key = around.key
    if written.key is not None:
        place = (*path, "key")
        key = canonical_key(written.key, place, invalid, has_tenants=around.has_tenants)
    return RuleEntry(
        name=written.name,
        limits=_limits(written, path, around, invalid),
        match=_match(written.match, (*path, "match"), invalid),
        key=key,
        cost=written.cost,
        max_fraction=invalid.read((*path, "max_fraction"), written.max_fraction, canonical_fraction)
        or "",
        mode=invalid.read((*path, "mode"), written.mode, canonical_mode) or "",
        in_flight=_in_flight(written.in_flight, (*path, "in_flight"), invalid),
        lease=written.lease,
        sync=written.sync,
    )


def _in_flight(written: int | None, path: Path, invalid: InvalidValues) -> int | None:
    if written is None or 1 <= written <= MAX_IN_FLIGHT:
        return written
    invalid.add(path, written, f"a whole number from 1 to {MAX_IN_FLIGHT}, or nothing for any")
    return None


def _limits(written: RuleEntry, path: Path, around: Named, invalid: InvalidValues) -> str:
    """Return the limits, or the name that plans have for them."""
    place, text = (*path, "limits"), written.limits
    if not isinstance(text, str) or not text.strip().startswith(PLAN_LIMITS):
        limits = canonical_limits(text, place, invalid)
        _require_payable(written.cost, {limits}, path, invalid)
        return limits
    name = text.strip().removeprefix(PLAN_LIMITS).strip()
    lacking = [plan for plan, limits in around.plans.items() if name not in limits]
    if not around.plans:
        invalid.add(place, text, "plans in the file, to say what this is")
    elif lacking:
        known = {limit for limits in around.plans.values() for limit in limits}
        meant = did_you_mean(name, known)
        invalid.add(place, text, f"limits of that name in each plan; {lacking[0]} has none{meant}")
    having = [*around.plans.values(), *around.overrides.values()]
    _require_payable(written.cost, {it[name] for it in having if it.get(name)}, path, invalid)
    return PLAN_LIMITS + name


def _require_payable(cost: int, limits: set[str], path: Path, invalid: InvalidValues) -> None:
    bursts = {parse_limits(text).smallest_burst: text for text in limits if text}
    least = min(bursts, default=None)
    if cost < 0 or (least is not None and cost > least):
        most = "up" if least is None else f"to {least}, the smallest burst of {bursts[least]}"
        invalid.add((*path, "cost"), cost, f"a whole number from 0 {most}")


def _match(written: Match, path: Path, invalid: InvalidValues) -> Match:
    if require_short((*path, "path"), written.path, invalid):
        invalid.read((*path, "path"), written.path, partial(path_matcher, "path"), "path")
    methods = written.methods
    require_few((*path, "methods"), methods or (), MAX_METHODS, invalid)
    read = invalid.read((*path, "methods"), methods, read_methods, "methods")
    return Match(
        path=_shortest(written.path),
        methods=tuple(sorted(read)) if read else None,
        host=_host(written.host, (*path, "host"), invalid),
        headers=_headers(written.headers, (*path, "headers"), invalid),
    )


def _shortest(path: str) -> str:
    """Return a path without the slash at its end, which makes no difference."""
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def _host(host: str | None, path: Path, invalid: InvalidValues) -> str | None:
    if host is None or host.strip() == ANY:
        return None
    found = canonical_host(host)
    if not found:
        invalid.add(path, host, "a host in ASCII such as api.example.com or *.example.com")
    elif _PORT.search(host.strip()):
        invalid.add(path, host, f"no port, since rules are for all ports: {found}")
    return found


def _headers(written: dict[str, str], path: Path, invalid: InvalidValues) -> dict[str, str]:
    require_few(path, written, MAX_FIELDS, invalid)
    headers: dict[str, str] = {}
    for name, value in list(written.items())[:MAX_FIELDS]:
        place = (*path, name)
        field = invalid.read(place, name, canonical_field, "name") or ""
        if field in headers:
            invalid.add(place, name, "each header field once, in whatever letters")
        headers[field] = canonical_value(value)
        if require_short(place, value, invalid) and not headers[field]:
            invalid.add(place, value, 'the value of the field, or "*" for any')
    return headers
