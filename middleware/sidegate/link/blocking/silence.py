"""Listening: how long the other side of a line was listened to, and was silent. Pure.

Time in which this process had no CPU, or its gevent hub was busy, is no time in which it listened:
what was said then lies in the socket's buffer. So only steps of listening are added up, and of each
no more than a step should take.
"""

# Of a step that took longer, only so many steps count: the call itself, and a timer that rounds up
# to a millisecond, take up to half a step. The rest is our own lateness.
MAX_COUNTED = 1.5


class Listening:
    """A clock that runs only while we listen; all its times, in seconds, begin with the line."""

    __slots__ = ("_answered", "_heard", "_most", "now")

    def __init__(self, step: float) -> None:
        self._most = MAX_COUNTED * step
        self._heard = 0.0
        self._answered = 0.0
        self.now = 0.0

    def add(self, elapsed: float, *, heard: bool = False) -> None:
        """Add a step that took `elapsed` by the wall clock; something may have come in it."""
        self.now += min(elapsed, self._most)
        if heard:
            self._heard = self.now

    def heard(self) -> None:
        """Take note that something came."""
        self._heard = self.now

    def answered(self) -> None:
        """Take note that checks were answered."""
        self._heard = self._answered = self.now

    def silence(self, since: float) -> float:
        """Return for how long nothing at all was heard, of the time since `since`."""
        return self.now - max(since, self._heard)

    def without_answers(self, since: float) -> float:
        """Return for how long no check was answered, of the time since `since`."""
        return self.now - max(since, self._answered)
