"""LogReplay: requests decided twice, by the rules of an old file and by those of a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND
from sidegate.errors import MalformedRequest
from sidegate_sidecar.rules_plan.frequent_keys import FrequentKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.http.evaluation import RuleQuestion
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.rules_plan.logged_request import LoggedRequest

MAX_MEMORY: Final = 128 << 20  # bytes of buckets for each file: half a million keys in debt
_SWEEP_EVERY: Final = 1_024  # requests
_SWEPT: Final = 8 * _SWEEP_EVERY  # buckets at a time: a request makes eight at most
_TOO_MANY: Final = 429


class ReplayedRequest(NamedTuple):
    """What becomes of a request by one file."""

    asked: Sequence[RuleQuestion]
    denied: RuleQuestion | None = None  # the first that refuses it


_LET_THROUGH: Final = ReplayedRequest(())


class RuleCounts:
    """What became of the requests of one rule. `shadowed` would be denied if it were enforced."""

    __slots__ = (
        "denied_by_new",
        "denied_by_old",
        "newly_allowed",
        "newly_denied",
        "requests",
        "shadowed_by_new",
        "shadowed_by_old",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.denied_by_old = 0
        self.denied_by_new = 0
        self.newly_denied = 0
        self.newly_allowed = 0
        self.shadowed_by_old = 0
        self.shadowed_by_new = 0


class ReplayedFile:
    """The rules of one file, and the buckets that requests leave under them."""

    def __init__(self, rules: RuleSet, max_memory: int = MAX_MEMORY) -> None:
        self.rules = rules
        self.malformed = 0
        self.why_malformed = ""
        self.denied = 0
        self.shadowed: dict[str, int] = {}
        self.buckets = BucketTable(max_memory)

    def decide(self, request: LoggedRequest, now: int) -> ReplayedRequest | None:
        """Return what becomes of a request; None where it is answered 400."""
        try:
            asked = self.rules.questions(request, now / SECOND)
        except MalformedRequest as error:
            self.malformed += 1
            self.why_malformed = self.why_malformed or str(error)
            return None
        if not asked:
            return _LET_THROUGH
        charged: list[RuleQuestion] = []
        denied: RuleQuestion | None = None
        for question in asked:
            rule, key, cost = question
            allowed, _ = self.buckets.take(key, rule.limits, cost, now)
            if allowed:
                charged.append(question)
            elif rule.shadow:
                self.shadowed[rule.name] = self.shadowed.get(rule.name, 0) + 1
            elif denied is None:
                denied = question
        if denied is not None:
            self.denied += 1
            for rule, key, cost in charged:  # all of them or none
                self.buckets.refund(key, rule.limits, cost, now)
        return ReplayedRequest(asked, denied)


class LogReplay:
    """Holds requests against both files. `denied_before` came to a limiter's 429 in the log."""

    def __init__(self, old: RuleSet, new: RuleSet, max_memory: int = MAX_MEMORY) -> None:
        self.old = ReplayedFile(old, max_memory)
        self.new = ReplayedFile(new, max_memory)
        self.rules = {rule.name: RuleCounts() for it in (old, new) for rule in it.rules}
        self.keys = FrequentKeys()
        self.requests = 0
        self.limited = 0
        self.newly_denied = 0
        self.newly_allowed = 0
        self.denied_before = 0

    def take(self, request: LoggedRequest, now: int) -> None:
        """Decide a request at its time, in ns since 1970, which never goes back."""
        self.requests += 1
        if not self.requests % _SWEEP_EVERY:
            self.old.buckets.sweep(now, _SWEPT)
            self.new.buckets.sweep(now, _SWEPT)
        if request.status == _TOO_MANY:
            self.denied_before += 1
        old = self.old.decide(request, now)
        new = self.new.decide(request, now)
        if old is None or new is None:
            return
        if asked := dict.fromkeys(it.rule.name for it in (*old.asked, *new.asked)):
            self.limited += 1
            for name in asked:
                self.rules[name].requests += 1
        if old.denied is not None or new.denied is not None:
            self._count_denied(old.denied, new.denied)

    def _count_denied(self, old: RuleQuestion | None, new: RuleQuestion | None) -> None:
        if old is not None:
            counts = self.rules[old.rule.name]
            counts.denied_by_old += 1
            if new is None:
                self.newly_allowed += 1
                counts.newly_allowed += 1
        if new is not None:
            counts = self.rules[new.rule.name]
            counts.denied_by_new += 1
            if old is None:
                self.newly_denied += 1
                counts.newly_denied += 1
                self.keys.add(new.key)

    def counts(self) -> dict[str, RuleCounts]:
        """Return what became of each rule's requests, in the order of the files."""
        for name, counts in self.rules.items():
            counts.shadowed_by_old = self.old.shadowed.get(name, 0)
            counts.shadowed_by_new = self.new.shadowed.get(name, 0)
        return self.rules
