"""Rooms in which keys were charged, which of them a node owns, and what befalls a node there."""

from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Timing
from tests.support.in_memory.clusters import Room

KEYS = [f"key{at}" for at in range(60)]
QUICK = "100/second"  # a token is back after 10 ms: not worth a backup
PATIENT = Timing(suspicion=1_000)  # nobody is declared dead in these tests


def owned_by(name: str, *ring: str) -> list[str]:
    owned = [key for key in KEYS if Ring(ring).owner(key) == name]
    assert owned
    return owned


def charged(names: str, timing: Timing | None = None, *, settle: float = 0.3) -> Room:
    """Return a room whose nodes have charged each of KEYS once, and had time to back that up."""
    room = Room(names, timing)
    room.charge_all(KEYS, by="a")
    room.run(settle)
    return room


def enter(room: Room, name: str) -> None:
    """Have one more node come and take its place."""
    room.add(name)
    room.join(name)


def stand_still(room: Room, name: str, seconds: float) -> None:
    """Have a node stand still, and notice it before it hears anything."""
    room.stopped.add(name)
    room.run(seconds)
    room[name].notice(room.now)


def knows_all(room: Room, name: str) -> bool:
    """Tell if a node knows of the one token that each of KEYS owes."""
    return [room.tokens(name, key) for key in KEYS] == [1] * len(KEYS)
