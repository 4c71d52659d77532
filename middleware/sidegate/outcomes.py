"""Outcomes that a sidecar is yet to hear of: what its app decided without it. Pure."""

from sidegate.wire import OUTCOMES, Outcomes

EVERY = 1.0  # seconds between two messages at least: they are for people who watch


class OutcomeCounts:
    """Counts outcomes until they are sent. `now` is in seconds. For one thread at a time."""

    __slots__ = ("_counts", "_due")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._due = 0.0

    def __bool__(self) -> bool:
        """Is there something to tell?"""
        return bool(self._counts)

    def count(self, outcome: str) -> None:
        """Count one of OUTCOMES; ValueError for another."""
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome={outcome!r:.40}: expected one of {', '.join(OUTCOMES)}")
        self._counts[outcome] = self._counts.get(outcome, 0) + 1

    def take(self, now: float) -> Outcomes | None:
        """Return what is to be told now and count anew; None, mostly, if it isn't time."""
        if not self._counts or now < self._due:
            return None
        message = Outcomes(list(self._counts.items()))
        self._counts = {}
        self._due = now + EVERY
        return message
