"""An outage: while checks are decided without the sidecar, and what the log says of it. Pure.

A limiter that doesn't limit says so at once, again each minute, and when it is over. Each line says
what is wrong, what it means for requests, and what to do.
"""

from sidegate.buckets.decision import OnUnreachable

REMIND_EVERY = 60.0  # seconds

_STATE = {
    OnUnreachable.OPEN: "not limiting",
    OnUnreachable.CLOSED: "refusing what is limited",
    OnUnreachable.LOCAL: "limiting by this process's share alone",
}
CONSEQUENCE = {
    OnUnreachable.OPEN: "let through",
    OnUnreachable.CLOSED: "refused",
    OnUnreachable.LOCAL: "decided by this process's share",
}
"""What becomes of requests by each policy: "requests are …"."""


class Outage:
    """Counts what is decided by `policy` since `sidecar` last answered. `now` is in seconds."""

    def __init__(self, sidecar: str, policy: OnUnreachable) -> None:
        self._sidecar = sidecar
        self.policy = policy
        self._count = 0
        self._since = 0.0
        self._say_at = 0.0

    @property
    def is_on(self) -> bool:
        """Was a check decided without the sidecar since it last answered one?"""
        return self._count > 0

    def decided(self, why: str, now: float) -> str:
        """Count a check that the policy decided; return the line to log, mostly none ("")."""
        self._count += 1
        if self._count == 1:
            self._since, self._say_at = now, now + REMIND_EVERY
            return (
                f"sidegate: {_STATE[self.policy]}: no answer from the sidecar at"
                f" {self._sidecar} ({why}); requests are {CONSEQUENCE[self.policy]}"
                f" (on_unreachable={self.policy.value}). {_cure(why)}"
            )
        if now < self._say_at:
            return ""
        self._say_at = now + REMIND_EVERY
        return f"sidegate: still {_STATE[self.policy]} ({why}): {self._so_far(now)}. {_cure(why)}"

    def over(self, now: float) -> str:
        """Called when the sidecar has answered; return the line to log, "" if it had all along."""
        if not self._count:
            return ""
        line = f"sidegate: limiting again: {self._so_far(now)}"
        self._count = 0
        return line

    def _so_far(self, now: float) -> str:
        requests = "1 request was" if self._count == 1 else f"{self._count:,} requests were"
        return f"{requests} {CONSEQUENCE[self.policy]} in {now - self._since:.0f} s"


def _cure(why: str) -> str:
    if "secret" in why:
        return "Give the app and its sidecar the same SIDEGATE_SECRET or SIDEGATE_SECRET_FILE."
    if "HTTP" in why:
        return "SIDEGATE_SIDECAR must be the sidecar's --link, not its --http."
    if "version" in why:
        return "Install the same release of sidegate in the app and as its sidecar."
    return 'Is "sidegate serve" running there, and is SIDEGATE_SIDECAR its --link?'
