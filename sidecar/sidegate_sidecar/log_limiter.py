"""A limit for lines of the log whose number strangers decide. Pure."""

BURST = 5  # lines at once: several apps with one mistake are all named
EVERY = 10.0  # seconds for one more: under 10,000 lines a day, whatever comes


class LogLimiter:
    """Lets a few lines through at once and one more each 10 s; counts those it keeps back.

    `now` is in seconds, of a clock that doesn't go back.
    """

    def __init__(self, burst: int = BURST, every: float = EVERY) -> None:
        self._capacity = burst * every
        self._every = every
        self._full_at = 0.0  # when as many lines as ever may come at once
        self._kept = 0
        self._since = 0.0  # when the first of these came

    @property
    def keeps_some(self) -> bool:
        """Is there a line that nothing was said of yet?"""
        return self._kept > 0

    def line(self, text: str, now: float) -> str:
        """Return a line with a word of those kept back before it, or "" to keep it back too."""
        if not self._takes(now):
            self._since = self._since if self._kept else now
            self._kept += 1
            return ""
        return f"{text} (and {self._others(now)})" if self._kept else text

    def rest(self, now: float) -> str:
        """Return how many were kept back, such as "37 others in 12 s", once there is room for it.

        "" if none were, or it is too early. It is asked now and then: no other line may come.
        """
        return self._others(now) if self._kept and self._takes(now) else ""

    def _takes(self, now: float) -> bool:
        full_at = max(self._full_at, now) + self._every
        if full_at - now > self._capacity:
            return False
        self._full_at = full_at
        return True

    def _others(self, now: float) -> str:
        kept, self._kept = self._kept, 0
        others = "1 other" if kept == 1 else f"{kept:,} others"
        return f"{others} in {max(now - self._since, 1):.0f} s"
