"""What a puppet says so that sidecars take it for an owner: real membership, and no buckets."""

import time
from random import Random

from sidegate.protocol.messages import (
    NOBODY,
    Answer,
    Answers,
    Buckets,
    Checks,
    Confirm,
    Confirmed,
    Gossip,
    Merged,
    Message,
    Pull,
    Pulled,
)
from sidegate_ring.hashring import Ring
from sidegate_ring.membership import messages
from sidegate_ring.membership.membership import Membership, Rumor, SwimKind


class Life:
    """One life of a node that is on the ring, answers all gossip, and keeps no bucket.

    It speaks only when it is spoken to: it needs no clock that ticks.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.declines = False  # hands checks back, as one does that has stood still
        self.membership = Membership(
            name, address, incarnation=1, randrange=Random(1).randrange, now=_now(), owner=True
        )

    def hear(self, sender: str, message: Message) -> list[tuple[str, Message]]:
        """Return what an honest node would say to that, and to whom."""
        match message:
            case Gossip():
                return self._hear_gossip(sender, message)
            case Buckets():
                return [(sender, Merged(message.id))]
            case Pull():
                return [(sender, Pulled(message.id))]
            case Confirm():
                return [(sender, Confirmed(message.ring))]
            case Checks() if self.declines:
                none: list[Answer] = [[0]] * len(message.checks)
                return [(sender, Answers(message.id, NOBODY, self.name, None, none))]
            case _:
                return []

    def _hear_gossip(self, sender: str, message: Gossip) -> list[tuple[str, Message]]:
        rumors = [Rumor(*it) for it in message.rumors]
        heard = messages.SwimMessage(
            message.kind, message.id, message.about, message.digest, rumors
        )
        outcome = self.membership.step(sender, heard, _now())
        self.membership.digest = Ring(self.membership.owners()).digest
        return [(to, said(gossip, self.membership.digest)) for to, gossip in outcome.sends]


def said(gossip: messages.SwimMessage, digest: str) -> Gossip:
    """Return gossip as it goes over the wire, from a node whose ring has this digest."""
    rumors = [(it[0], it[1], it[2], int(it[3]), int(it[4]), it[5], it[6]) for it in gossip.rumors]
    return Gossip(int(gossip.kind), gossip.id, gossip.about, digest, rumors)


def news(*rumors: Rumor, digest: str = "digest") -> Gossip:
    """Return gossip that isn't answered, from a node whose ring has this digest."""
    return said(messages.SwimMessage(SwimKind.RUMORS, 0, "", digest, rumors), digest)


def _now() -> float:
    return time.monotonic()
