"""Which keys a node owns on a ring, and times at which nobody is declared dead."""

from __future__ import annotations

from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Timing

KEYS = [f"key{at}" for at in range(60)]
QUICK = "100/second"  # a token is back after 10 ms: not worth a backup
PATIENT = Timing(suspicion=1_000)  # nobody is declared dead in these tests


def owned_by(name: str, *ring: str) -> list[str]:
    owned = [key for key in KEYS if Ring(ring).owner(key) == name]
    assert owned
    return owned
