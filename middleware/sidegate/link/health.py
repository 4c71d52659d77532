"""What a link is good for: the states of its circuit breaker. Pure.

A link is its own circuit breaker. A budget that ran out, after nothing at all was heard for the
link's patience, makes it *suspect*: it takes no more checks, each is refused at once and answered
by the policy for unreachable. So a hanging sidecar costs one budget and not one per request, while
an asker with a tiny budget proves nothing about the other side, nor does an app's own busy loop
(`in_flight.py` says when the other side is silent). A probe goes out every 100 ms; the first bytes
that come back, be they a late answer, make the link usable again. A suspect that stays silent for
5 s is given up, for the case that the other side is gone without a word.

A broken link is *down* until a new handshake is done, or *connecting* where checks may wait for the
dial that is under way (`dialing.py` says when).
"""

from enum import Enum, StrEnum, auto
from typing import Final

PROBE_EVERY: Final = 0.1  # seconds between two pings to a suspect: how late we may notice recovery
HUNG_AFTER: Final = 5.0  # seconds a suspect may stay silent before the connection is given up


class LinkState(StrEnum):
    """What a link is good for."""

    CONNECTING = "connecting"  # first or in a hurry: checks wait for it, within their budget
    UP = "up"
    SUSPECT = "suspect"  # connected, but a budget ran out: checks are refused
    DOWN = "down"  # not connected: checks are refused
    CLOSED = "closed"


class LinkEvent(Enum):
    """What befalls a link."""

    SHAKEN = auto()  # the handshake of a new connection is done
    SILENT = auto()  # a budget ran out, and nothing was heard for the link's patience
    HEARD = auto()  # the other side said something
    LOST = auto()  # the connection is gone, or a dial came to nothing
    HURRIED = auto()  # it is dialled again at once
    CLOSED = auto()  # it was closed for good


class LinkProbe(Enum):
    """What to do about a suspect."""

    NONE = auto()  # nothing: it isn't one any more
    PING = auto()  # ask for a sign of life, and again after PROBE_EVERY
    GIVE_UP = auto()  # cut the connection


NEXT: Final = {
    (LinkState.CONNECTING, LinkEvent.SHAKEN): LinkState.UP,
    (LinkState.CONNECTING, LinkEvent.SILENT): LinkState.DOWN,
    (LinkState.CONNECTING, LinkEvent.LOST): LinkState.DOWN,
    (LinkState.CONNECTING, LinkEvent.CLOSED): LinkState.CLOSED,
    (LinkState.UP, LinkEvent.SILENT): LinkState.SUSPECT,
    (LinkState.UP, LinkEvent.LOST): LinkState.DOWN,
    (LinkState.UP, LinkEvent.CLOSED): LinkState.CLOSED,
    (LinkState.SUSPECT, LinkEvent.SHAKEN): LinkState.UP,
    (LinkState.SUSPECT, LinkEvent.HEARD): LinkState.UP,
    (LinkState.SUSPECT, LinkEvent.LOST): LinkState.DOWN,
    (LinkState.SUSPECT, LinkEvent.CLOSED): LinkState.CLOSED,
    (LinkState.DOWN, LinkEvent.SHAKEN): LinkState.UP,
    (LinkState.DOWN, LinkEvent.HURRIED): LinkState.CONNECTING,
    (LinkState.DOWN, LinkEvent.CLOSED): LinkState.CLOSED,
}
"""Where each event leads from each state; what isn't here changes nothing."""


class Health:
    """The state of one link, and since when it is suspect. `now` is in seconds.

    The hot path reads `state` itself: a call for each check would cost more than the check's share
    of a frame.
    """

    __slots__ = ("state", "suspect_since")

    def __init__(self) -> None:
        self.state = LinkState.CONNECTING
        self.suspect_since = 0.0

    @property
    def takes_checks(self) -> bool:
        """Are checks sent, or do they wait for a dial?"""
        return self.state is LinkState.UP or self.state is LinkState.CONNECTING

    def step(self, event: LinkEvent, now: float) -> bool:
        """Take note of an event; return whether it changed the state."""
        after = NEXT.get((self.state, event))
        if after is None:
            return False
        self.state = after
        if after is LinkState.SUSPECT:
            self.suspect_since = now
        return True

    def probe(self, now: float) -> LinkProbe:
        """Return what to do now; called when the link gets suspect, and then each PROBE_EVERY."""
        if self.state is not LinkState.SUSPECT:
            return LinkProbe.NONE
        return LinkProbe.GIVE_UP if now - self.suspect_since > HUNG_AFTER else LinkProbe.PING
