"""CompiledRule: a rule of a file, ready to be held against requests."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from sidegate.http.evaluation import RuleQuestion
from sidegate.http.keys import bucket_key
from sidegate.http.rules import Rule
from sidegate.ruleset.conditions import Conditions
from sidegate.ruleset.document import PLAN_LIMITS
from sidegate.ruleset.modes import is_enforced, share_of
from sidegate.ruleset.selectors import TENANT, names_a_client, selector_of

if TYPE_CHECKING:
    from sidegate.http.request.request import Request
    from sidegate.ruleset.document import RuleEntry
    from sidegate.ruleset.tenancy import Tenancy, TenantPlan

# Of a rule: by the limits of plans and overrides, enforced or not, carrying or not.
MAX_VARIANTS = 1_024


class CompiledRule:
    """A rule of a canonical document; its `rule` matches, and has the limits of no plan.

    One that is asked about has the limits of the request's plan, and `shadow` where it is not to
    refuse the request's key.
    """

    def __init__(self, entry: RuleEntry, tenancy: Tenancy) -> None:
        self.entry = entry
        self.conditions = Conditions(entry.match)
        self.share = share_of(entry.mode)
        self._tenancy = tenancy
        limits = cast("str", entry.limits)  # one text, in the canonical form
        self.plan_limits = limits.removeprefix(PLAN_LIMITS) if PLAN_LIMITS in limits else ""
        key = cast("tuple[str, ...]", entry.key)
        self._identity = selector_of(key, {TENANT: tenancy.key})
        self._says_who = any(map(names_a_client, key))
        self._is_by_tenant = TENANT in key
        first = min(tenancy.all_limits(self.plan_limits)) if self.plan_limits else limits
        self.rule = self._variant(first, shadow=not self.share)
        self._variants = lru_cache(MAX_VARIANTS)(self._variant)

    @property
    def name(self) -> str:
        """Its name, which no other rule of the file has."""
        return self.entry.name

    def covers(self, other: CompiledRule) -> bool:
        """Tell whether no request of the other rule could ever get past this one."""
        is_for_all = not self.conditions or (
            self.entry.match.host in {None, other.entry.match.host}
            and self.entry.match.headers.items() <= other.entry.match.headers.items()
        )
        return is_for_all and self.rule.covers(other.rule)

    def question(self, request: Request, now: float) -> RuleQuestion:
        """Return what to ask for a request that it matches, at a moment in seconds since 1970.

        MalformedRequest where whom it counts for can be read in several ways.
        """
        identity = self._identity(request)
        if not self.plan_limits:
            return self._question(identity, None)
        return self._question(identity, self._tenancy.standing(request, now))

    def question_of(self, identity: str) -> RuleQuestion:
        """Return what to ask where code says whom it counts for, whatever the request is.

        Its limits are those of the plan that whoever has no other has.
        """
        return self._question(identity, self._tenancy.of_nobody() if self.plan_limits else None)

    def _question(self, identity: str, standing: TenantPlan | None) -> RuleQuestion:
        key = bucket_key(self.name, identity)
        limits, is_one_set = self.rule.limits.text, True
        if standing is not None:
            limits = self._tenancy.limits(self.plan_limits, standing)
            is_one_set = self._has_one_plan(standing)
        shadow = not is_enforced(key, self.share)
        variant = self._variants(limits, shadow=shadow, is_one_set=is_one_set)
        return RuleQuestion(variant, key, self.entry.cost)

    def _has_one_plan(self, standing: TenantPlan) -> bool:
        """Tell whether all requests of a key have the same plan, until somebody changes it.

        Not if it is an address, a host or a path: there may be clients of several plans behind one,
        and what those of one have spent says nothing of those of another.
        """
        return self._says_who or (self._is_by_tenant and bool(standing.tenant))

    def _variant(self, limits: str, *, shadow: bool, is_one_set: bool = True) -> Rule:
        match = self.entry.match
        rule = Rule(
            self.name,
            limits,
            path=match.path,
            methods=match.methods,
            key=self._identity,
            cost=self.entry.cost,
            shadow=shadow,
            in_flight=self.entry.in_flight,
            lease=self.entry.lease,
            sync=self.entry.sync,
            next_rule=False,  # its key has something for each request
        )
        return rule if is_one_set else rule.stand_apart()
