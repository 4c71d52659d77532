"""Plans and tenants, in their canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.errors import did_you_mean
from sidegate.ruleset.canonical.values import canonical_limits, require_few, require_name
from sidegate.ruleset.document import (
    MAX_OVERRIDES,
    MAX_PLAN_LIMITS,
    MAX_PLANS,
    MAX_TENANT,
    PLAN,
    UNTIL,
    PlanLimits,
    Tenants,
)
from sidegate.ruleset.moments import canonical_moment
from sidegate.ruleset.selectors import HEADER, header_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.ruleset.invalid import InvalidValues, Path


def canonical_plans(
    written: dict[str, PlanLimits], invalid: InvalidValues
) -> dict[str, PlanLimits]:
    """Return the plans, with their limits as they are written shortest."""
    require_few(("plans",), written, MAX_PLANS, invalid)
    few = list(written.items())[:MAX_PLANS]
    return {name: _plan(("plans", name), name, limits, invalid) for name, limits in few}


def _plan(path: Path, name: str, written: PlanLimits, invalid: InvalidValues) -> PlanLimits:
    require_name(path, name, invalid)
    require_few(path, written, MAX_PLAN_LIMITS, invalid)
    limits: PlanLimits = {}
    for limit, text in list(written.items())[:MAX_PLAN_LIMITS]:
        place = (*path, limit)
        require_name(place, limit, invalid)
        if limit in {PLAN, UNTIL}:
            invalid.add(place, limit, f"another name, since overrides have {limit} for themselves")
        limits[limit] = canonical_limits(text, place, invalid)
    return limits


def canonical_tenants(
    written: Tenants, plans: dict[str, PlanLimits], invalid: InvalidValues
) -> Tenants:
    """Return how tenants are told, and what some have of their own."""
    path, overrides = ("tenants", "overrides"), written.overrides
    require_few(path, overrides, MAX_OVERRIDES, invalid)
    if plans or written.default is not None:
        _require_plan(("tenants", "default"), written.default, plans, invalid)
    if overrides and written.id is None:
        invalid.add(("tenants", "id"), None, "header:NAME, to know whom overrides are for")
    few = list(overrides.items())[:MAX_OVERRIDES]
    return Tenants(
        id=_field(written.id, "id", invalid),
        plan=_field(written.plan, "plan", invalid),
        default=written.default,
        overrides={name: _override((*path, name), it, plans, invalid) for name, it in few},
    )


def _field(selector: str | None, name: str, invalid: InvalidValues) -> str | None:
    if selector is None:
        return None
    field = invalid.read(("tenants", name), selector, header_name)
    return HEADER + field if field else None


def _override(
    path: Path, written: dict[str, str], plans: dict[str, PlanLimits], invalid: InvalidValues
) -> dict[str, str]:
    tenant = path[-1]
    assert isinstance(tenant, str)
    if not tenant.strip() or tenant != tenant.strip() or "," in tenant or len(tenant) > MAX_TENANT:
        expected = f"a tenant of 1 to {MAX_TENANT} characters, without commas and blanks around it"
        invalid.add(path, tenant, expected)
    limits = list(dict.fromkeys(limit for plan in plans.values() for limit in plan))
    found: dict[str, str] = {}
    for name, text in written.items():
        place = (*path, name)
        if name == PLAN:
            _require_plan(place, text, plans, invalid)
            found[name] = text
        elif name == UNTIL:
            found[name] = invalid.read(place, text, canonical_moment) or ""
        elif name in limits:
            found[name] = canonical_limits(text, place, invalid)
        else:
            known = [PLAN, UNTIL, *limits]
            meant = did_you_mean(name, known)
            expected = f"plan, until, or what a plan has ({_listed(limits)}){meant}"
            invalid.add(place, name, expected)
    return found


def _require_plan(
    path: Path, plan: str | None, plans: dict[str, PlanLimits], invalid: InvalidValues
) -> None:
    if plan not in plans:
        meant = did_you_mean(plan, plans) if plan else ""
        invalid.add(path, plan, f"one of the plans ({_listed(plans)}){meant}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "there are none"
