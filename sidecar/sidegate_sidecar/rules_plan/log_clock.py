"""LogClock: the time of a log, in which lines may stand in another order, or be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sidegate_sidecar.rules_plan.logged_request import LoggedRequest

    Timed: TypeAlias = tuple[LoggedRequest, int]

JUMP: Final = 3_600 * 10**9  # ns ahead that a line may be without another one that confirms it


class LogClock:
    """Gives each request a time that is never before that of the one before it.

    Servers write a request down when it ends, so some are late. `late` counts those, and
    `latest` is by how much at most (ns). A request alone in the future, as by a clock that was
    wrong for a moment, must not stop the time of all that follow: such a one, `ahead` of them,
    has the time of the one before it.
    """

    def __init__(self) -> None:
        self.begin: int | None = None
        self.now = 0
        self.late = 0
        self.latest = 0
        self.ahead = 0

    def timed(self, requests: Iterable[LoggedRequest]) -> Iterator[Timed]:
        """Yield each request with its time, in ns since 1970."""
        held: LoggedRequest | None = None
        for request in requests:
            if held is not None:
                yield held, self._confirmed(held.time, request.time)
                held = None
            if request.time > self.now + JUMP:
                held = request
            else:
                yield request, self._at(request.time)
        if held is not None:
            yield held, self._at(held.time)

    def _confirmed(self, time: int, following: int) -> int:
        if following >= time - JUMP:
            return self._at(time)
        self.ahead += 1
        return self._at(self.now or following)

    def _at(self, time: int) -> int:
        if self.begin is None:
            self.begin = time
        if time < self.now:
            self.late += 1
            self.latest = max(self.latest, self.now - time)
        else:
            self.now = time
        return self.now
