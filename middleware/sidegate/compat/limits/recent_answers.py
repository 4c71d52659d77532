"""What a storage was answered of late; fields of a response need no second look."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from limits.errors import StorageError

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.compat.limits.hit import HitAnswer
from sidegate.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.compat.limits.hit import Hit

MAX_RECENT: Final = 16  # answers: what one request is told of
LOOK: Final = (
    "sidegate",
    parse_limits("1/second"),
    0,
)  # a check that says whether there is somebody who answers
_NOBODY: Final = frozenset({Source.OPEN, Source.CLOSED, Source.LOCAL})

_recent: ContextVar[tuple[tuple[object, HitAnswer], ...]] = ContextVar("recent", default=())


def is_there(decision: Decision) -> bool:
    """Tell by the answer to LOOK whether there is somebody who answers."""
    return decision.source not in _NOBODY


class RecentAnswers:
    """What one storage was answered in the present context: the last 16, for `max_age` seconds."""

    def __init__(self, max_age: float, *, raises: bool) -> None:
        self._max_age = max_age
        self._raises = raises

    def to(self, hit: Hit, decision: Decision) -> HitAnswer:
        """Return what was answered, and keep it in the place of what its limit had before.

        StorageError where nobody could be asked, if that is wanted.
        """
        if self._raises and decision.source is Source.CLOSED:
            raise StorageError(Unreachable(hit.key, "no answer from the sidecar"))
        answer = HitAnswer(hit, decision, time.time())
        others = [it for it in _recent.get() if it[0] is not self or not it[1].hit.is_like(hit)]
        _recent.set(((self, answer), *others[: MAX_RECENT - 1]))
        return answer

    def all_allowed(self, hits: Sequence[Hit], made: Sequence[Decision | None]) -> bool:
        """Tell whether all were charged, and keep what was answered of those that count.

        Unless all were, what the others were charged was given back.
        """
        answers = [(hit, it) for hit, it in zip(hits, made, strict=True) if it is not None]
        denied = [(hit, it) for hit, it in answers if not it.allowed]
        for hit, decision in denied or answers:
            self.to(hit, decision)
        return not denied

    def recent(self, hit: Hit) -> HitAnswer | None:
        """Return what was answered about a limit of a key within `max_age`; None for nothing."""
        now = time.time()
        for owner, answer in _recent.get():
            if owner is self and answer.hit.is_like(hit):
                return answer if 0 <= now - answer.at <= self._max_age else None
        return None

    def forget(self) -> None:
        """Called when keys are reset."""
        _recent.set(())
