"""Tenancy: which plan's limits a request has, by what a trusted proxy says of it.

A field that names a plan is worth money, so it is believed only where the peer is one of the
trusted proxies. From anybody else, and where nothing can be believed, the default plan holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.errors import RepeatedField
from sidegate.http.keys import client_ip
from sidegate.ruleset.document import PLAN, UNTIL
from sidegate.ruleset.moments import seconds_of
from sidegate.ruleset.selectors import header_name

if TYPE_CHECKING:
    from sidegate.http.request.request import Request
    from sidegate.ruleset.document import PlanLimits, RulesDocument

_CLIENT = client_ip()


class TenantPlan(NamedTuple):
    """Who asks, as far as it is believed, and what that is worth."""

    tenant: str  # "" for nobody that is known
    plan: str
    overridden: PlanLimits


class Override(NamedTuple):
    """What one tenant has of its own, until a moment in seconds since 1970."""

    plan: str  # "" for the one that it has anyway
    limits: PlanLimits
    until: float | None


class Tenancy:
    """The plans and tenants of a canonical document."""

    def __init__(self, document: RulesDocument) -> None:
        tenants = document.tenants
        self._plans = document.plans
        self._id = header_name(tenants.id) if tenants.id else ""
        self._plan = header_name(tenants.plan) if tenants.plan else ""
        self._default = tenants.default or ""
        self._overrides = {name: _override(it) for name, it in tenants.overrides.items()}

    def standing(self, request: Request, now: float) -> TenantPlan:
        """Tell whose request it is at a moment; RepeatedField if it was said in several ways."""
        tenant, plan = self.tenant(request), _believed(request, self._plan)
        found = self._overrides.get(tenant)
        if found is None or (found.until is not None and now >= found.until):
            return TenantPlan(tenant, plan if plan in self._plans else self._default, {})
        plan = found.plan or plan
        return TenantPlan(tenant, plan if plan in self._plans else self._default, found.limits)

    def of_nobody(self) -> TenantPlan:
        """Return the standing of whoever has no other."""
        return TenantPlan("", self._default, {})

    def limits(self, name: str, standing: TenantPlan) -> str:
        """Return the limits that plans call by a name, for one standing."""
        return standing.overridden.get(name) or self._plans[standing.plan][name]

    def all_limits(self, name: str) -> set[str]:
        """Return all that a name may stand for, in any plan and for any tenant."""
        overridden = (it.limits.get(name) for it in self._overrides.values())
        return {plan[name] for plan in self._plans.values()} | {it for it in overridden if it}

    def tenant(self, request: Request) -> str:
        """Return the tenant that a trusted proxy names, else ""."""
        return _believed(request, self._id)

    def key(self, request: Request) -> str:
        """Return the selector `tenant`: the tenant, or the address of who has none."""
        tenant = self.tenant(request)
        return f"tenant={tenant}" if tenant else _CLIENT(request)


def _override(written: dict[str, str]) -> Override:
    until = written.get(UNTIL)
    limits = {name: it for name, it in written.items() if name not in {PLAN, UNTIL}}
    return Override(written.get(PLAN, ""), limits, seconds_of(until) if until else None)


def _believed(request: Request, field: str) -> str:
    """Return what a trusted proxy has written into a field, "" for nothing.

    RepeatedField where it has several values, as when a proxy has added its own to a client's.
    A WSGI server joins lines by a comma.
    """
    if not field or not request.vouches(field):
        return ""
    values = {it.strip() for it in request.header(field).split(",")} - {""}
    if len(values) > 1:
        raise RepeatedField(field)
    return values.pop() if values else ""
