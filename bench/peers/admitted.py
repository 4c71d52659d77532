"""What was admitted, held against what a limit allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.peers.asking.messages import Rate

_NS: int = 10**9


@dataclass(slots=True)
class Admitted:
    """Checks of one key: how many were asked, failed and allowed, and when. Times in ns.

    A decision is made between the moment a check begins and that at which its answer comes. So the
    time that tokens had to come back is counted from the first check to the last answer, and a
    second is one of answers: both are in favour of who decides.
    """

    rate: Rate
    asked: int = 0
    errors: int = 0
    first: int = 0  # when the first check began
    last: int = 0  # when the last answer came
    allowed_at: list[int] = field(default_factory=list[int])

    def note(self, began: int, ended: int, allowed: bool | None) -> None:
        """Note a check; None is one without an answer."""
        self.asked += 1
        self.first = min(self.first or began, began)
        self.last = max(self.last, ended)
        if allowed is None:
            self.errors += 1
        elif allowed:
            self.allowed_at.append(ended)

    @property
    def due(self) -> float:
        """Return what the limit allows in that time: all its tokens, and what comes back."""
        refill = self.rate.tokens / self.rate.seconds
        return self.rate.tokens + refill * (self.last - self.first) / _NS

    @property
    def too_many(self) -> float:
        """Return by what share more was admitted than the limit allows; less than 0 if less was."""
        return len(self.allowed_at) / self.due - 1

    @property
    def most_in_a_second(self) -> int:
        """Return how many were admitted in the second that had most."""
        moments, most, start = sorted(self.allowed_at), 0, 0
        for at, moment in enumerate(moments):
            while moment - moments[start] >= _NS:
                start += 1
            most = max(most, at - start + 1)
        return most
