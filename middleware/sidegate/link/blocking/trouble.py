"""Trouble of this process's own: why a check was decided by its share, in words for the log."""

from enum import Enum


class Trouble(Enum):
    """What kept a check waiting that was no fault of the sidecar."""

    BUSY = "this process is too busy to hear its sidecar in time"
    FULL = "too many checks of this process wait for its sidecar"
    RESOLVING = "the look-up of the sidecar's host name takes longer than the budget"
    UNANSWERED = "the sidecar speaks, but leaves checks unanswered"
