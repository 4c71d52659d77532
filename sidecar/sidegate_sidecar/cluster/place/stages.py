"""Stages: where a node stands on its way onto the ring and off it."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where a node stands."""

    STARTING = "starting"  # hasn't found the others yet, or is refused
    JOINING = "joining"  # is being sent what it will own
    SETTLING = "settling"  # is on the ring, and being sent the last changes
    MEMBER = "member"
    RETURNING = "returning"  # stood still, and is being told what others decided for it
    FLUSHING = "flushing"  # is about to leave; still decides
    WAITING = "waiting"  # is to leave and the last owner; decides, and waits for another one
    LEAVING = "leaving"  # is off the ring, and waits until all have noticed
    LEAF = "leaf"  # forwards only


ON_THE_WAY = frozenset({Stage.JOINING, Stage.SETTLING, Stage.MEMBER, Stage.RETURNING})
HOLDING = frozenset({Stage.MEMBER, Stage.RETURNING})
FLUSHING = frozenset({Stage.FLUSHING, Stage.WAITING})
