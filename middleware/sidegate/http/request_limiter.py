"""The limiter of requests: what a request asks for, and what a decision makes of it. Pure.

Whatever carries requests and asks for decisions uses it. A fault is logged.
"""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from inspect import iscoroutine
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec

from sidegate.buckets.decision import Decision, OnUnreachable, Source
from sidegate.buckets.limits import Limits, require_cost
from sidegate.errors import CostError, MalformedRequest
from sidegate.http.denial import Refusal, own_refusal
from sidegate.http.exempt import is_exempt_path, is_preflight
from sidegate.http.headers import (
    CURRENT,
    SHADOW,
    SOURCE,
    Pair,
    Policy,
    bad_request,
    legacy,
    refusal,
    retry_after,
)
from sidegate.http.key_faults import KeyFaults
from sidegate.http.keys import bucket_key, identity_text
from sidegate.http.request.paths import readings
from sidegate.http.request.proxies import NO_PROXIES
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule
from sidegate.http.settings import HeaderStyle, OnKeyError, Settings

log = logging.getLogger("sidegate")

MAX_LOWERED = 1_024  # policies for the share of one node: a few a rule, while sidecars come and go
MAX_CHOICES = 1_024  # requests whose rules are remembered, by path and method: 0.3 MB
MAX_REMEMBERED_PATH = 256  # characters; longer ones are looked up anew, so that none fill memory

Chain: TypeAlias = tuple[Rule, ...]
"""Rules of which the first that has a key for the request applies."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a request: the app gets it (status 0), or the response is this one.

    `fields` belong to the response in either case. `decision` is what refused it, None where the
    request itself was wrong, and `detail` says so to people.
    """

    fields: list[Pair]
    status: int = 0
    body: bytes = b""
    decision: Decision | None = None
    detail: str = ""

    def after(self, earlier: "Verdict | None") -> "Verdict":
        """Return this verdict behind that of another rule, whose fields stand first."""
        if earlier is None or self.status:
            return self
        return Verdict([*earlier.fields, *self.fields])

    def without(self, name: bytes) -> "Verdict":
        """Return it without a field."""
        return msgspec.structs.replace(
            self, fields=[pair for pair in self.fields if pair[0] != name]
        )


class Form(NamedTuple):
    """How a refusal is to look: `make` is a function of the decision, `detail` for its usual form.

    `function` is whose fault it is if that fails.
    """

    function: object = None
    make: Callable[[Decision], object] | None = None
    detail: str = ""


class FileRule(Protocol):
    """A rule of the sidecar's file, which code asks for by its name."""

    rule: Rule

    def question_of(self, identity: str) -> tuple[Rule, str, int]:
        """Return rule, key and cost to ask about an identity."""
        ...


class SidecarRules(Protocol):
    """The rules that a sidecar pushes."""

    def now(self) -> object:
        """Return what is in force, None while nothing is known, and hear of changes."""
        ...

    def named(self, name: str, done: str) -> FileRule | None:
        """Return the rule of a name. Where there is none, the log says so, and what is `done`."""
        ...

    def questions(self, request: Request, root: str) -> Sequence[tuple[Rule, str, int]] | None:
        """Return rules, keys and costs to ask about a request, None while there are no rules.

        MalformedRequest where it says in several ways whose it is.
        """
        ...


class RequestLimiter:
    """The rules of one app, and the policy for what can't be decided.

    `clock` gives seconds, for the log: it says the same fault once a minute.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self.count: Callable[[str], None] = _ignore  # is told of each "key-error"
        self.rules = settings.rules
        self.sidecar: SidecarRules | None = None  # whose rules apply instead, once they are known
        self.names: SidecarRules | None = None  # by whose names code may limit, where it can
        self.policy: Callable[[], OnUnreachable] = lambda: settings.on_unreachable
        self.proxies = settings.proxies
        self.legacy = settings.headers in {HeaderStyle.LEGACY, HeaderStyle.BOTH}
        self._draft = settings.headers in {HeaderStyle.DRAFT, HeaderStyle.BOTH}
        self._plain = (  # nearly all decisions say the same, and are made up the short way
            settings.headers is HeaderStyle.DRAFT and not settings.shadow
        )
        self._leased: tuple[Rule | None, Decision | None, Verdict | None] = None, None, None
        self._faults = KeyFaults()
        first = self.rules[0] if self.rules and not settings.exempt else None
        self._every: tuple[Chain, ...] | None = None
        if not settings.enabled or not self.rules:
            self._every = ()
        elif first and first.matches_all and len(self.rules) == 1:
            self._every = ((first,),)
        # The only rule, for all requests, if what decides is the address of the peer alone.
        by_peer = self.proxies is NO_PROXIES and first is not None and first.key_of_peer is not None
        self.plainest = first if self._every and by_peer else None
        self._stops = {it.name: it.stopping() for it in self.rules if it.matches_any_path}
        self.holds = settings.enabled and any(rule.in_flight for rule in self.rules)
        self._chosen = lru_cache(MAX_CHOICES)(self._choose)

    # --- which rules

    @property
    def may_have_rules(self) -> bool:
        """Whether there are rules, or may be soon."""
        return bool(self.rules) or self.sidecar is not None

    def chains(self, path: str, root: str, method: str) -> tuple[Chain, ...]:
        """Return the chains of rules that apply to a request, each to be asked; () for none.

        One, but for a path that frameworks read differently: then one for each reading.
        """
        if self._every is not None:
            return self._every
        if len(path) + len(root) <= MAX_REMEMBERED_PATH:
            return self._chosen(path, root, method)
        return self._choose(path, root, method)

    def _choose(self, path: str, root: str, method: str) -> tuple[Chain, ...]:
        method = method.upper()
        read = readings(path, root)
        if is_exempt_path(self.settings.exempt, path, read):
            return ()
        routed = dict.fromkeys(filter(None, (self._chain(it, method) for it in read.routed)))
        known = dict.fromkeys(self._chain(it, method) for it in read.known) if read.known else {}
        if routed:  # where the rules for any path have had their say
            stopping = (self._stopping(chain) for chain in known if chain not in routed)
            known = dict.fromkeys(chain for chain in stopping if not all(it.stops for it in chain))
        return (*routed, *filter(None, known))

    def _chain(self, path: str, method: str) -> Chain:
        return tuple(rule for rule in self.rules if rule.matches(path, method))

    def _stopping(self, chain: Chain) -> Chain:
        return tuple(self._stops.get(rule.name, rule) for rule in chain)

    def is_exempt(self, path: str, root: str) -> bool:
        """Tell whether a path is never limited."""
        matchers = self.settings.exempt
        return bool(matchers) and is_exempt_path(matchers, path, readings(path, root))

    def counts(self, rule: Rule, method: str, request: Request) -> bool:
        """Tell whether a rule counts this request: all but the preflights of CORS, by default."""
        if method != "OPTIONS" or self.settings.preflights:
            return True
        return "OPTIONS" in (rule.methods or ()) or not is_preflight(request)

    # --- what to ask

    def rule_of_sidecar(self, name: str, done: str) -> FileRule | None:
        """Return the sidecar's rule of a name; None for none, and what is `done` is logged."""
        return None if self.names is None else self.names.named(name, done)

    def key_of(self, rule: Rule, identity: object) -> str:
        """Return the key of an identity's buckets; TypeError if it can't be one."""
        _require_value(identity)
        return bucket_key(rule.bucket, identity_text(identity))

    def cost_of(self, rule: Rule, cost: object) -> int:
        """Return a cost as it is charged; TypeError if it isn't one, CostError above the burst."""
        _require_value(cost)
        if isinstance(cost, float) and cost.is_integer():
            cost = int(cost)
        if not isinstance(cost, int) or isinstance(cost, bool) or cost < 0:
            raise TypeError(f"the cost is {cost!r:.80}, expected a whole number from 0 up")
        require_cost(cost, rule.limits)
        if rule.limits.is_blocked:  # nobody needs to be asked
            raise CostError(cost, 0)
        return cost

    # --- when there is no decision

    def key_failed(self, rule: Rule, error: Exception, *, function: object) -> Verdict:
        """Return what becomes of a request whose key or cost function failed, and log why."""
        if isinstance(error, CostError):  # what the owner would say, if it were asked
            return self.verdict(rule, Decision(False, rule.limits, error.cost, (), Source.OWNER))
        if isinstance(error, MalformedRequest):
            return self.malformed(error, shadow=rule.shadow)
        self.count("key-error")
        policy = self.settings.on_key_error
        closed = policy is OnKeyError.CLOSED
        done = f"{_done(closed=closed)} (on_key_error={policy.value})"
        if line := self._faults.failed(rule.name, function, error, done, self._clock()):
            log.error(line)
        return self._undecided(rule, closed=closed)

    def malformed(self, error: MalformedRequest, *, shadow: bool) -> Verdict:
        """Return what becomes of a request that says in several ways whose it is."""
        if shadow or self.settings.shadow:
            return Verdict([(SHADOW, b"denied")])
        body = bad_request(str(error))
        return Verdict(refusal(0, body), 400, body)

    def key_took(self, rule: Rule, function: object, seconds: float) -> None:
        """Log that a key or cost took longer than a whole check may, if it did."""
        budget = self.settings.budget
        if seconds > budget:
            now = self._clock()
            if line := self._faults.slow(rule.name, function, seconds, budget, now):
                log.warning(line)

    def holds_nothing(self, rule: Rule) -> None:
        """Log that requests hold no slots by a rule with `in_flight`, where a Limiter asks."""
        done, error = (
            "none is held",
            TypeError("a RateLimitMiddleware holds slots, a Limiter doesn't"),
        )
        if line := self._faults.failed(rule.name, "its in_flight", error, done, self._clock()):
            log.error(line)

    def check_failed(self, rule: Rule, error: Exception) -> Verdict:
        """Return what becomes of a request that the sidecar can't decide, and log why."""
        policy = self.policy()
        closed = policy is OnUnreachable.CLOSED
        done = f"{_done(closed=closed)} (on_unreachable={policy.value})"
        if line := self._faults.failed(rule.name, "the check", error, done, self._clock()):
            log.error(line)
        return self._undecided(rule, closed=closed)

    def _undecided(self, rule: Rule, *, closed: bool) -> Verdict:
        source = Source.CLOSED if closed else Source.OPEN
        return self.verdict(rule, Decision(not closed, rule.limits, 0, (), source))

    # --- what to answer

    def verdict(
        self,
        rule: Rule,
        decision: Decision,
        epoch: float = 0.0,
        request: Request | None = None,
        form: Form | None = None,
    ) -> Verdict:
        """Turn a decision into what becomes of the request.

        `epoch` is now, in seconds since 1970, for legacy fields; `request` is for `on_denied`, or
        `form` has another way to make a refusal.
        """
        if passing := self.passing(rule, decision):
            return passing  # nearly all
        is_lowered = decision.limits is not rule.limits
        policy = _lowered(rule.name, decision.limits) if is_lowered else rule.policy
        on_denied = None if request is None else self.settings.on_denied
        is_usual = form is None and on_denied is None
        if is_usual and (plain := self._plain_refusal(rule, policy, decision)):
            return plain
        retry = retry_after(decision)
        fields = self._fields(policy, decision, retry, epoch)
        if decision.source not in _OWN and self.settings.expose_source:
            fields.append((SOURCE, decision.source.encode("ascii")))
        if decision.allowed:
            return Verdict(fields)
        if rule.shadow or self.settings.shadow:
            fields.append((SHADOW, b"denied"))
            return Verdict(fields)
        if form is None and request is not None and on_denied is not None:
            form = Form(on_denied, partial(on_denied, request))
        status = 503 if decision.source is Source.CLOSED else 429
        detail, body = policy.refusal(decision, retry, "" if form is None else form.detail)
        usual = refusal(retry, body)
        if form is None:
            return Verdict([*fields, *usual], status, body, decision, detail)
        made = self.formed(rule, form, decision, Refusal(status, body, usual), retry)
        return Verdict([*fields, *made.fields], made.status, made.body, decision, detail)

    def passing(self, rule: Rule, decision: Decision) -> Verdict | None:
        """Return what becomes of a request that passes as nearly all do; None for any other.

        One verdict is for all that a lease allows, as its decision is.
        """
        if not (self._plain and decision.allowed):
            return None
        source = decision.source
        if source is _LEASE:
            by, of, made = self._leased
            if of is decision and by is rule:
                return made
        elif source is not _OWNER or decision.limits is not rule.limits:
            return None
        made = Verdict([rule.policy.field, (CURRENT, rule.policy.current(decision, 0))])
        if source is _LEASE:
            self._leased = rule, decision, made
        return made

    def _plain_refusal(self, rule: Rule, policy: Policy, decision: Decision) -> Verdict | None:
        """Return what becomes of a request that is refused as most are; None for any other."""
        if not self._plain or decision.allowed or rule.shadow:
            return None
        source = decision.source
        is_told = source not in _OWN and self.settings.expose_source
        own = ((SOURCE, source.encode("ascii")),) if is_told else ()
        if (told := policy.plain_refusal(decision, own)) is None:
            return None
        detail, body, fields = told
        return Verdict(fields, 429, body, decision, detail)

    def _fields(self, policy: Policy, decision: Decision, retry: int, epoch: float) -> list[Pair]:
        fields: list[Pair] = []
        if self._draft:
            fields.append(policy.field)
            if decision.debts:
                fields.append((CURRENT, policy.current(decision, retry)))
        if self.legacy and decision.debts:
            fields += legacy(decision, retry, epoch)
        return fields

    def formed(
        self, rule: Rule, form: Form, decision: Decision, usual: Refusal, retry: int
    ) -> Refusal:
        """Return a refusal in the form that the app wants, the usual one if that fails."""
        if form.make is None:
            return usual
        try:
            return own_refusal(form.make(decision), usual, retry)
        except Exception as error:  # noqa: BLE001  # the app's own, and it is logged
            done = "refused in the usual form"
            named, now = form.function, self._clock()
            if line := self._faults.failed(rule.name, named, error, done, now):
                log.error(line)  # noqa: TRY400  # it names the place; no stack each minute
            return usual


_OWNER, _LEASE = Source.OWNER, Source.LEASE  # to look them up there costs more than to compare
_OWN: Final = {_OWNER, _LEASE}  # a lease is what the owner has said ahead


# Limits other than the rule's own come from a node that decides alone, by its share of them.
@lru_cache(maxsize=MAX_LOWERED)
def _lowered(name: str, limits: Limits) -> Policy:
    return Policy(name, limits)


def _ignore(_outcome: str) -> None:
    """Have nobody count: a client that was given belongs to others."""


def _done(*, closed: bool) -> str:
    return "refused" if closed else "let through"


def _require_value(value: object) -> None:
    if iscoroutine(value):
        raise not_awaited(value)


def not_awaited(value: object) -> TypeError:
    """Return what is wrong with a value that nobody awaits here."""
    if iscoroutine(value):
        value.close()  # else Python warns that nobody awaited it
    return TypeError(f"got {value!r:.80}, expected what it returns: is an await missing?")
