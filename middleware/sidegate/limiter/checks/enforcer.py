"""The enforcer: which limits a request has, what to ask about them, and what becomes of it.

It knows no framework, and asks nobody itself: `asking.py` does, in a loop or in a thread.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from sidegate.buckets.limits import Limits
from sidegate.http.headers import SOURCE, tells_of_limits
from sidegate.http.key_faults import KeyFaults
from sidegate.http.paid import PAID, Paid, pay
from sidegate.http.request.proxies import NO_PROXIES
from sidegate.http.request_limiter import Form, RequestLimiter, Verdict
from sidegate.limiter.checks.current import Payment
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.limiter.checks.fixed import fixed_questions
from sidegate.limiter.checks.meta import MetaLimit
from sidegate.limiter.checks.planning import carrying, planning, questions_of, text_of
from sidegate.limiter.limits.applied import (
    APPLICATION,
    OTHER,
    STANDARD,
    Applied,
    limits_at,
)
from sidegate.limiter.limits.one_set import LimitSets, carries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sidegate.buckets.decision import Decision
    from sidegate.http.headers import Pair
    from sidegate.http.request.request import Request
    from sidegate.http.settings import Settings
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.checks.fixed import FixedQuestion
    from sidegate.limiter.checks.planning import KeyQuestion, LimitPart, Plan, Planning
    from sidegate.limiter.limits.applied import RouteName
    from sidegate.limiter.limits.functions import AppFunction
    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.route_limit import RouteLimit

log = logging.getLogger("sidegate")

MAX_ROUTES = 4_096  # routes times methods whose limits are remembered
_LEGACY = b"x-ratelimit-"
_LEGACY_LIMIT = b"x-ratelimit-limit"  # the first of them


class Checked(NamedTuple):
    """What becomes of a request: refused with this verdict, and as this exception; or not."""

    verdict: Verdict | None = None
    exceeded: RateLimitExceeded | None = None


PASSED = Checked()


class Enforcer:
    """All limits of an app: rules, the application's, the default ones, and those of its routes."""

    def __init__(
        self,
        settings: Settings,
        application: RouteLimit | None,
        defaults: Sequence[RouteLimit],
        on_denied: AppFunction | None,
        meta: RouteLimit | None = None,
    ) -> None:
        self.settings = settings
        self.limiter = RequestLimiter(settings, time.monotonic)
        self.filters: list[AppFunction] = []
        self.application = application
        self.defaults = defaults
        self.sets = LimitSets(settings.rules)
        self._always: tuple[Applied, ...] = ()
        if application:
            fixed = isinstance(application.limits, Limits)
            self._always = (Applied(application, APPLICATION, APPLICATION, carries=fixed),)
        self.meta = MetaLimit(meta) if meta else None
        if self.meta:
            self._always += (self.meta.applied,)
        self._may_be_off = bool(settings.exempt) or not settings.enabled
        # Does nothing but a limit itself, and filters, say whom it counts for and if it applies?
        self.goes_by_peer = self.limiter.proxies is NO_PROXIES and not self._may_be_off
        self._on_denied = on_denied
        self._faults = KeyFaults()
        self._limits = lru_cache(MAX_ROUTES)(self._limits_at)
        self._fixed = lru_cache(MAX_ROUTES)(self._fixed_at)

    # --- which limits

    def limits(self, route: RouteName, method: str, marks: Sequence[Mark]) -> tuple[Applied, ...]:
        """Return the limits of a route; none at all if a mark says that it is exempt."""
        return self._limits(route, self._known(method, marks), tuple(marks))

    def _known(self, method: str, marks: Sequence[Mark]) -> str:
        """Return a method that limits may tell apart; a client may make up any number of others."""
        if method in STANDARD:
            return method
        limits = [*self.defaults, *(mark.limit for mark in marks if mark.limit)]
        return method if any(method in (limit.methods or ()) for limit in limits) else OTHER

    def _limits_at(
        self, route: RouteName, method: str, marks: tuple[Mark, ...]
    ) -> tuple[Applied, ...]:
        if any(mark.limit is None for mark in marks):
            return ()
        own = limits_at(route, method, marks, self.defaults, self.sets)
        self.sets.made(route.key, carrying(own, self.settings.service))
        return (*self._always, *own)

    def carries(self, limit: RouteLimit, route: RouteName, marks: Sequence[Mark]) -> bool:
        """Tell whether a limit carries that a dependency of a route with these marks has."""
        return carries(limit, route.key, marks, self.defaults, self.sets)

    @property
    def elsewhere(self) -> tuple[Applied, ...]:
        """The limits of what is no route, such as a path that isn't found: the application's."""
        return self._always

    def is_off(self, current: Current) -> bool:
        """Tell whether a request is never limited, by its path or since all is switched off."""
        if not self._may_be_off:
            return False
        return not self.settings.enabled or self.limiter.is_exempt(current.path, current.root)

    def asks_nothing(self, limits: Sequence[Applied]) -> bool:
        """Tell whether nothing is to be asked about a request that has these limits."""
        return not (limits or self.limiter.may_have_rules or self.filters)

    # --- the check

    def at_once(self, current: Current, limits: Sequence[Applied]) -> Sequence[KeyQuestion] | None:
        """Return what to ask about a request if its limits are fixed; None if it needs a plan."""
        if (self.limiter.may_have_rules and not current.is_enforced) or current.is_message:
            return None
        fixed = self._fixed(tuple(limits))
        return None if fixed is None else self.ask_fixed(current.view, fixed)

    def guessed(self, limits: Sequence[Applied]) -> Sequence[FixedQuestion] | None:
        """Return what to ask about limits if a guess is enough to know them, else None."""
        if self.limiter.may_have_rules or self.meta is not None:
            return None
        return self._fixed(tuple(limits))

    def ask_fixed(
        self, view: Request, fixed: Sequence[FixedQuestion]
    ) -> Sequence[KeyQuestion] | None:
        """Return what to ask about fixed limits of a request; None if it needs a plan."""
        carrier: Any = view.raw  # a dictionary that can be added to
        if self.filters or view.method == "OPTIONS" or PAID in carrier:
            return None  # a preflight? paid elsewhere?
        questions: list[KeyQuestion] = []
        paid: Paid = {}
        try:
            for each in fixed:
                questions.append(question := each.of(view, self.limiter))
                for text in each.texts:
                    paid[question.key, text] = question.rule
        except Exception:  # noqa: BLE001 - the plan asks again, and tells of it
            return None
        if len(questions) > 1 and len({question.key for question in questions}) < len(questions):
            return None  # two have the same key here, such as a header's that is missing
        carrier[PAID] = paid
        return questions

    def asks_the_app(self, limits: Sequence[Applied]) -> bool:
        """Tell whether functions of the app have a say in these limits."""
        return self._fixed(tuple(limits)) is None

    def _fixed_at(self, limits: tuple[Applied, ...]) -> Sequence[FixedQuestion] | None:
        return fixed_questions(limits, self.settings.service)

    def plan(self, current: Current, limits: Sequence[Applied]) -> Planning:
        """Return the steps that find out what to ask."""
        return planning(self.limiter, limits, self.filters, current)

    def questions(self, plan: Plan, current: Current) -> Sequence[KeyQuestion]:
        """Return what to ask about a request: what it hasn't paid for yet, as few as can be."""
        if current.is_message:
            return questions_of(plan.parts)
        carrier: Any = current.view.raw
        paid: Paid = carrier.setdefault(PAID, {})
        unpaid: dict[tuple[str, str], LimitPart] = {}
        for part in plan.parts:
            bucket = part.key, part.rule.limits.text
            if bucket not in paid:
                unpaid.setdefault(bucket, part)
        questions = questions_of(unpaid.values())
        for question in questions:
            texts = [part.rule.limits.text for part in question.parts]
            pay(paid, question.key, question.rule, texts)
        return questions

    def passes(
        self,
        current: Current,
        plan: Plan,
        questions: Sequence[KeyQuestion],
        decisions: Sequence[Decision | None],
    ) -> bool:
        """Conclude the plain case, which nearly all are, in a third of the time; else False."""
        decision = decisions[0]
        if len(questions) > 1 or decision is None or self.meta is not None:
            return False
        if current.decisions or current.fields or plan.fields:
            return False
        passing = self.limiter.passing(questions[0].rule, decision)
        if passing is None:
            return False
        current.decisions = (decision,)
        current.fields = passing.fields
        _note_charged(current, questions[0], decision)
        return True

    def conclude(
        self,
        current: Current,
        plan: Plan,
        questions: Sequence[KeyQuestion],
        decisions: Sequence[Decision | None],
    ) -> Checked:
        """Turn decisions into what becomes of the request, and note them in `current`."""
        epoch = time.time() if self.limiter.legacy else 0.0
        made = [
            (decision, self._verdict(current, question, decision, epoch))
            for question, decision in zip(questions, decisions, strict=True)
            if decision is not None
        ]
        current.decisions = (*current.decisions, *(decision for decision, _ in made))
        refused = next((verdict for _, verdict in made if verdict.status), None)
        if refused is not None:
            fields = _once([*current.fields, *plan.fields, *refused.fields], current)
            return self.refused(current, structs.replace(refused, fields=fields))
        fields = [*current.fields, *plan.fields]
        for _, verdict in made:
            fields += verdict.fields
        current.fields = fields if len(made) == 1 else _once(fields, current)
        for question, decision in zip(questions, decisions, strict=True):
            if decision is not None:
                _note_charged(current, question, decision)
        return PASSED

    def decided(self, current: Current, plan: Plan) -> Checked:
        """Return the outcome of a request about which nothing needs to be asked."""
        current.fields = [*current.fields, *plan.fields]
        if (verdict := plan.verdict) is None:
            return PASSED
        return self.refused(current, structs.replace(verdict, fields=current.fields))

    def refused(self, current: Current, verdict: Verdict) -> Checked:
        """Return the outcome of a request that is refused."""
        current.is_refused = True
        current.fields = [pair for pair in verdict.fields if tells_of_limits(pair[0])]
        if verdict.decision is None:
            return Checked(verdict)
        if verdict.decision not in current.decisions:  # a cost that never fits isn't asked about
            current.decisions = (*current.decisions, verdict.decision)
        return Checked(verdict, RateLimitExceeded(verdict.decision, verdict, verdict.detail))

    def failed(
        self, current: Current, questions: Sequence[KeyQuestion], error: Exception
    ) -> Checked:
        """Return what becomes of a request that the sidecar can't decide, and log why."""
        verdict = self.limiter.check_failed(questions[0].rule, error)
        if verdict.status:
            return self.refused(current, verdict)
        current.fields = [*current.fields, *verdict.fields]
        return PASSED

    def _verdict(
        self, current: Current, question: KeyQuestion, decision: Decision, epoch: float
    ) -> Verdict:
        form = None if decision.allowed else self._form(current, question, decision)
        return self.limiter.verdict(question.rule, decision, epoch, None, form)

    def _form(self, current: Current, question: KeyQuestion, decision: Decision) -> Form:
        """Return how the limit that refuses wants its refusal to look."""
        limit = _refusing(question, decision)
        on_denied = limit.on_denied if limit and limit.on_denied else self._on_denied
        detail = self._message(current, question, limit)
        if on_denied is None:
            return Form(detail=detail)
        return Form(on_denied.function, partial(on_denied, current), detail)

    def _message(self, current: Current, question: KeyQuestion, limit: RouteLimit | None) -> str:
        message = limit.error_message if limit else None
        if message is None or isinstance(message, str):
            return message or ""
        try:
            return text_of("message", message(current))
        except Exception as error:  # noqa: BLE001 - the app's own, and it is logged
            self._tell(question.rule.name, message.function, error, "refused in the usual form")
            return ""

    # --- charges that depend on the response

    def unwanted(self, current: Current, response: object) -> list[Payment]:
        """Return the charges that `charge_when` doesn't want for this response; each only once."""
        charged, current.charged = current.charged, []
        return [one for one in charged if not self._is_wanted(one, response)]

    def _is_wanted(self, one: Payment, response: object) -> bool:
        function = one.limit.charge_when
        assert function is not None
        try:
            return bool(function(response))
        except Exception as error:  # noqa: BLE001 - the app's own, and it is logged
            self._tell(one.limits.text, function, error, "charged")
            return True

    def _tell(self, rule: str, function: object, error: Exception, done: str) -> None:
        if line := self._faults.failed(rule, function, error, done, time.monotonic()):
            log.error(line)


def _note_charged(current: Current, question: KeyQuestion, decision: Decision) -> None:
    """Note what `charge_when` is to decide about."""
    for part in question.parts:
        if part.limit is not None and part.limit.charge_when:
            payment = Payment(part.limit, part.rule.limits, question.key, decision)
            current.charged.append(payment)


def _refusing(question: KeyQuestion, decision: Decision) -> RouteLimit | None:
    """Return the limit of a route that refused, of several that were decided together."""
    binding = decision.binding
    for part in question.parts:
        if binding is None or binding[0] in part.rule.limits.items:
            return part.limit
    return question.parts[0].limit


def _once(fields: list[Pair], current: Current) -> list[Pair]:
    """Leave one of each field that isn't a list: those of the decision that matters most."""
    if not any(name == SOURCE or name.startswith(_LEGACY) for name, _ in fields):
        return fields  # nearly all
    tightest = current.decision
    if tightest is None or len(current.decisions) < 2:
        return fields
    limit = b"%d" % tightest.limit
    kept: dict[bytes, bytes] = {}
    rest: list[Pair] = []
    is_tightest = False
    for name, value in fields:
        if name == _LEGACY_LIMIT:
            is_tightest = value == limit
        if not name.startswith(_LEGACY) and name != SOURCE:
            rest.append((name, value))
        elif name not in kept or (is_tightest and name != SOURCE):
            kept[name] = value
    return [*rest, *kept.items()]
