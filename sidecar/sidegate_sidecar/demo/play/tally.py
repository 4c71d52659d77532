"""Tally: what became of every request of the demo. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate_sidecar.demo.play.allowance import DemoAllowance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sidegate.buckets.limits import Limit

SLOT: Final = 0.5  # seconds in one bar of the chart
MAX_SLOTS: Final = 200  # bars: more than fit into a terminal
MAX_TIMES: Final = 500  # latencies: a median over the last seconds


class ReplyOutcome(StrEnum):
    """What a request came to."""

    ALLOWED = "allowed"
    DENIED = "denied"
    FAILED = "5xx"
    OTHER = "other"  # no answer, or any other status


@dataclass(frozen=True, slots=True)
class AppReply:
    """One request and its answer; a status of 0 is no answer. Times in seconds."""

    app: str
    key: str
    sent: float
    status: int
    source: str = Source.OWNER
    added: float | None = None  # by the limiter

    @property
    def outcome(self) -> ReplyOutcome:
        """What it came to."""
        match self.status:
            case 200:
                return ReplyOutcome.ALLOWED
            case 429:
                return ReplyOutcome.DENIED
            case status if status >= 500:
                return ReplyOutcome.FAILED
            case _:
                return ReplyOutcome.OTHER


class SlotCounts(Counter[tuple[str, ReplyOutcome, str]]):
    """Requests by app, outcome and source."""

    def of(
        self,
        *,
        app: str | None = None,
        outcome: ReplyOutcome | None = None,
        source: str | None = None,
    ) -> int:
        """Return how many there are with all of these; None is any."""
        wanted = (app, outcome, source)
        return sum(
            count
            for entry, count in self.items()
            if all(want is None or want == has for want, has in zip(wanted, entry, strict=True))
        )

    @property
    def unlimited(self) -> int:
        """How many were let through because nobody could be asked."""
        return self.of(outcome=ReplyOutcome.ALLOWED, source=Source.OPEN)

    @property
    def limited(self) -> int:
        """How many the limit let through."""
        return self.of(outcome=ReplyOutcome.ALLOWED) - self.unlimited

    def since(self, earlier: SlotCounts) -> SlotCounts:
        """Return what was counted after an earlier copy."""
        return SlotCounts({entry: count - earlier[entry] for entry, count in self.items()})


@dataclass(slots=True)
class Slot:
    """What was let through in one slot of time."""

    limited: int = 0
    unlimited: int = 0


class DemoTally:
    """All that the demo has seen since `start`. Times are seconds on one monotonic clock.

    `a_kill` is how many tokens of a key may be spent twice when its owner is killed.
    """

    def __init__(self, limit: Limit, keys: Sequence[str], start: float, a_kill: int = 0) -> None:
        self.limit = limit
        self.start = start
        self.counts = SlotCounts()
        self.held_back = 0  # requests that were due while too many were under way
        self.slots: deque[Slot] = deque(maxlen=MAX_SLOTS)
        self._last_slot = -1
        self._allowances = {key: DemoAllowance(limit, a_kill) for key in keys}
        self._admitted = dict.fromkeys(keys, 0)  # by the limit
        self._decided: dict[tuple[str, str], float] = {}
        self._added: dict[str, deque[float]] = {}

    def note(self, reply: AppReply, now: float) -> None:
        """Count one request."""
        self.counts[reply.app, reply.outcome, reply.source] += 1
        if reply.added is not None:
            self._added.setdefault(reply.app, deque(maxlen=MAX_TIMES)).append(reply.added)
        if reply.source in {Source.OWNER, Source.BACKUP}:
            self._allowances[reply.key].decided(reply.sent)
        if reply.source == Source.OWNER:
            self._decided[reply.app, reply.key] = reply.sent
        if reply.outcome is ReplyOutcome.ALLOWED:
            self._note_passage(reply, now)

    def _note_passage(self, reply: AppReply, now: float) -> None:
        self.advance(now)
        if reply.source == Source.OPEN:
            self.slots[-1].unlimited += 1
        else:
            self.slots[-1].limited += 1
            self._admitted[reply.key] += 1

    def advance(self, now: float) -> None:
        """Begin the slots of time that are due."""
        current = int((now - self.start) / SLOT)
        for _ in range(current - self._last_slot):
            self.slots.append(Slot())
        self._last_slot = current

    def owner_killed(self, keys: Iterable[str]) -> None:
        """Called when the owner of these keys was killed."""
        for key in keys:
            self._allowances[key].owner_killed()

    def most(self, now: float) -> int:
        """Return how many requests the limit allows by now, over all keys."""
        return sum(allowance.most(now) for allowance in self._allowances.values())

    def excess(self, now: float) -> Mapping[str, int]:
        """Return the keys of which the limit let through more than it allows, and by how much."""
        allowed = {key: allowance.most(now) for key, allowance in self._allowances.items()}
        over = {key: count - allowed[key] for key, count in self._admitted.items()}
        return {key: count for key, count in over.items() if count > 0}

    def decided_since(self, app: str, keys: Iterable[str], moment: float) -> bool:
        """Has an owner decided one of an app's requests by these keys, sent after a moment?"""
        return any(self._decided.get((app, key), 0.0) > moment for key in keys)

    def added_ms(self, app: str | None = None) -> float | None:
        """Return the median of what the limiter lately added to a request, in ms."""
        times = [one for name, some in self._added.items() if app in {None, name} for one in some]
        return median(times) * 1e3 if times else None
