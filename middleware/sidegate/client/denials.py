"""Denials that still hold, so that a flood of refused requests costs no hop. Pure.

A denial is a promise: until `retry_after` no check of that cost can pass, whoever asks. So it may
be repeated without asking again. Only a reset or a refund may break the promise, hence it is kept
for one second at most.
"""

from typing import TypeAlias

from sidegate.buckets.decision import Decision, Source, aged
from sidegate.buckets.limits import SECOND, Limits
from sidegate.client.unreachable.key_counts import of_denials
from sidegate.protocol.outcome_messages import KeyOutcome

MAX_DENIALS = 10_000  # 5 MB: keys under attack, not all keys
LONGEST = SECOND  # ns: how long a reset may go unnoticed

_PROMISES = frozenset({Source.OWNER, Source.BACKUP})

_Question: TypeAlias = tuple[str, str, int]


class Denials:
    """A bounded table of the latest denials; the oldest goes first. `now` is in nanoseconds."""

    __slots__ = ("_forgot_at", "_most", "recalled", "table")

    def __init__(self, most: int = MAX_DENIALS) -> None:
        self._most = most
        self._forgot_at = -1
        self.table: dict[_Question, tuple[int, Decision]] = {}
        self.recalled: dict[str, int] = {}
        """How often the denials of a key were told since the sidecar was: each second."""

    def __len__(self) -> int:
        return len(self.table)

    def remember(self, key: str, decision: Decision, now: int) -> None:
        """Keep a denial whose wait is known; `now` is when it was asked, so never after the fact.

        What a node decided alone isn't kept: the owner may be back the next moment. Nor is what was
        asked before something was forgotten, and answered behind it: it may be of before.
        """
        if now <= self._forgot_at or not decision.wait or decision.source not in _PROMISES:
            return
        question = (key, decision.limits.text, decision.cost)
        self.table.pop(question, None)  # so that it goes to the end
        if len(self.table) >= self._most:
            del self.table[next(iter(self.table))]
        self.table[question] = (now, decision)

    def recall(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return the denial of this check with its debts as of now, None if none holds."""
        question = (key, limits.text, cost)
        if (entry := self.table.get(question)) is None:
            return None
        then, decision = entry
        age = now - then
        if age >= LONGEST or age >= decision.wait:
            del self.table[question]
            return None
        self.recalled[key] = self.recalled.get(key, 0) + 1
        debts = aged(decision, age)
        return Decision(False, decision.limits, cost, debts, Source.REMEMBERED, decision.node)

    def take_recalled(self) -> list[KeyOutcome]:
        """Return what to tell the sidecar of denials that were recalled, and count anew."""
        recalled, self.recalled = self.recalled, {}
        return of_denials(recalled)

    def forget_check(self, check: _Question, now: int) -> None:
        """Drop the denial of a check that may pass now."""
        self._forgot_at = now
        self.table.pop(check, None)

    def forget(self, key: str, now: int, *, begins: bool = False) -> None:
        """Drop the denials of a key that was reset, or (`begins`) of all that begin with it."""
        self._forgot_at = now
        is_meant = str.startswith if begins else str.__eq__
        for question in [question for question in self.table if is_meant(question[0], key)]:
            del self.table[question]
