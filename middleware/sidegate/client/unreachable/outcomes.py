"""What an app decides without its sidecar: counted for the sidecar, and said in the log. Pure."""

from sidegate.buckets.decision import Decision
from sidegate.client.unreachable.key_counts import KeyCounts
from sidegate.protocol.outcome_messages import OUTCOMES, Outcomes

_TELL_EVERY = 1.0  # seconds: as fresh as a scrape needs, and nothing beside the checks
_SAY_EVERY = 60.0  # seconds: a process in trouble of its own writes one line a minute


class OutcomeCounts:
    """Counts outcomes until they are told. `now` is in seconds."""

    __slots__ = ("_keys", "_told_at", "counts")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}  # at most one for each of OUTCOMES
        self._keys = KeyCounts()
        self._told_at = -_TELL_EVERY

    def count(self, outcome: str) -> None:
        """Count one. ValueError if there is no such outcome."""
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome={outcome!r}: expected one of {', '.join(OUTCOMES)}")
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def decided(self, key: str, made: Decision) -> None:
        """Count a decision, also by its key."""
        self.count(made.source)
        tokens = made.cost if made.allowed and made.debts else 0
        self._keys.add(key, made.source, allowed=made.allowed, tokens=tokens)

    def due(self, now: float) -> Outcomes | None:
        """Return what to tell the sidecar, and count anew; None at most times."""
        if not self.counts or now - self._told_at < _TELL_EVERY:
            return None
        self._told_at = now
        told, self.counts = self.counts, {}
        return Outcomes(list(told.items()), self._keys.take())


class ShareLog:
    """Checks decided by this process's share, since it kept them waiting itself."""

    __slots__ = ("_count", "_say_at")

    def __init__(self) -> None:
        self._count = 0
        self._say_at = 0.0

    def decided(self, why: str, now: float) -> str:
        """Count one; return the line to log, mostly none ("")."""
        self._count += 1
        if now < self._say_at:
            return ""
        count, self._count = self._count, 0
        self._say_at = now + _SAY_EVERY
        checks = "1 check was" if count == 1 else f"{count:,} checks were"
        return f"sidegate: {checks} decided by this process's share of the limit alone: {why}"
