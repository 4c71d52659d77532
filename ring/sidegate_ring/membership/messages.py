"""What nodes tell each other about who is alive: rumors, and the messages that carry them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAME_BYTES: Final = 253
"""Of a node's name, in UTF-8: as long as a DNS name may be."""

MAX_ADDRESS_BYTES: Final = 300
"""Of an address, in UTF-8: a DNS name and a port, with room for brackets and a zone."""

MAX_INCARNATION: Final = 1 << 53
"""Incarnations start at the seconds since 1970, which need 31 bits. Above it something is broken,
and one that can't be counted up any further could not be refuted."""

MAX_AHEAD: Final = 20 * 365 * 86_400
"""Incarnations above the clock that are believed. Each is a second, so what is believed at most can
be counted up a second later, and nobody is kept from refuting. 20 years: a wrong clock does no harm
by itself, and a dead battery or the end of an era of NTP sets one forward by ten."""

MAX_SKEW: Final = 3_600
"""Seconds by which clocks may differ without one node calling the other's word nonsense."""

TAG_BITS: Final = 30
"""Of a claim: the lowest tell processes apart, those above are seconds. 64 bits last until 2514."""

MAX_RUMORS: Final = 64
"""Rumors in a message that doesn't carry everything: we send 24."""

MAX_IN_FULL: Final = 1_000
"""Rumors in one message that carries all: under a megabyte even when names and addresses are as
long as they may be. What doesn't fit goes in further messages."""


MAX_ROLE_BYTES: Final = 70
"""Of what a node says it is: "owner", a blank and a zone of 63 characters, as labels have."""

LEAF: Final = "leaf"
OWNER: Final = "owner"


class Life(IntEnum):
    """What a node is thought to be. At the same incarnation the larger one holds."""

    ALIVE = 0
    SUSPECT = 1  # silent, but still on the ring: it may refute
    DEAD = 2
    LEFT = 3  # it said so itself


class SwimKind(IntEnum):
    """What a message is for. Only the first, third and sixth are answered."""

    PING = 0  # are you there? by an ACK
    ACK = 1  # I am; or, with `about`: that one is
    PING_REQ = 2  # ask `about` for me: by an ACK, or in time by a NACK, or by both in this order:
    NACK = 3  # I am here, `about` doesn't answer
    RUMORS = 4  # rumors and nothing else
    PUSH_PULL = 5  # all that I know; now you: by a FULL_STATE
    FULL_STATE = 6  # all that I know, or a part of it


class Rumor(NamedTuple):
    """What is said of one node."""

    name: str
    address: str  # where it listens for other nodes, "HOST:PORT"
    incarnation: int  # of two rumors the higher one holds, and only the node itself raises it
    state: int  # a State
    owner: int  # 1: on the ring. 0: not (a leaf, not yet joined, or leaving)
    by: str = ""  # who says so, of SUSPECT and DEAD
    claim: int = 0  # of two processes with that name the higher one has it; 0: claims nothing yet
    role: str = ""  # what it is as long as it lives, see `role_of`; "" unsaid, by older releases

    @property
    def weight(self) -> tuple[int, int, int]:
        """What decides which of two rumors about one node holds: the larger one."""
        return self.claim, self.incarnation, self.state


def role_of(*, leaf: bool, zone: str = "") -> str:
    """Return what a node says it is: LEAF, or OWNER of a zone, if it has one."""
    if leaf:
        return LEAF
    return f"{OWNER} {zone}" if zone else OWNER


def zone_of(role: str) -> str:
    """Return the zone of an owner, "" if it has none or hasn't said."""
    return role.partition(" ")[2]


def claim_of(seconds: int, tag: int) -> int:
    """Return the claim to a name that a process makes at that time (since 1970)."""
    return seconds << TAG_BITS | tag


def tag_of(claim: int) -> int:
    """Return by what the process that made a claim is told from others."""
    return claim & ((1 << TAG_BITS) - 1)


class SwimMessage(NamedTuple):
    """A message from one node to another."""

    kind: int  # a SwimKind
    id: int  # of a question, and the same in its answer; 0 in RUMORS
    about: str  # target of a PING_REQ, and of the ACK or NACK that answers one; else ""
    digest: str  # of the sender's ring; "" while it has none
    rumors: Sequence[Rumor]


def require_sense(gossip: SwimMessage, rumors: Sequence[Rumor], max_incarnation: int) -> None:
    """Raise ValueError, naming the value, for a message that no node of ours would send.

    `rumors` are those of its rumors that are to be looked at.
    """
    if not SwimKind.PING <= gossip.kind <= SwimKind.FULL_STATE:
        raise ValueError(f"gossip of kind {gossip.kind!r}: expected 0 to {SwimKind.FULL_STATE:d}")
    most = MAX_IN_FULL if gossip.kind in {SwimKind.PUSH_PULL, SwimKind.FULL_STATE} else MAX_RUMORS
    if len(gossip.rumors) > most:
        raise ValueError(f"{len(gossip.rumors):,} rumors in one message: at most {most:,}")
    _require_short("about", gossip.about, MAX_NAME_BYTES)
    for name, address, incarnation, state, owner, by, claim, role in rumors:
        if not name or not name.isprintable():
            raise ValueError(f"a rumor about {name[:64]!r}: the name is empty, or doesn't print")
        if not Life.ALIVE <= state <= Life.LEFT:
            raise ValueError(f"a rumor about {name[:64]!r}: state {state!r}, not 0 to 3")
        if not 0 <= incarnation <= MAX_INCARNATION:
            raise ValueError(
                f"a rumor about {name[:64]!r}: incarnation {incarnation!r}, not 0 to 2**53"
            )
        if incarnation > max_incarnation + MAX_SKEW:
            raise ValueError(
                f"a rumor about {name[:64]!r}: incarnation {incarnation}, expected at most"
                f" {max_incarnation}, 20 years after now; is a clock wrong?"
            )
        if not 0 <= claim >> TAG_BITS <= max_incarnation + MAX_SKEW:
            raise ValueError(
                f"a rumor about {name[:64]!r}: a claim of {claim >> TAG_BITS}, expected at most"
                f" {max_incarnation}, 20 years after now; is a clock wrong?"
            )
        if owner not in {0, 1}:
            raise ValueError(f"a rumor about {name[:64]!r}: owner {owner!r}, not 0 or 1")
        _require_short("name", name, MAX_NAME_BYTES)
        _require_short("address", address, MAX_ADDRESS_BYTES)
        _require_short("by", by, MAX_NAME_BYTES)
        _require_role(name, role)


def _require_role(name: str, role: str) -> None:
    if role and (role.partition(" ")[0] not in {LEAF, OWNER} or not role.isprintable()):
        raise ValueError(f"a rumor about {name[:64]!r}: role {role[:64]!r}, not leaf or owner")
    _require_short("role", role, MAX_ROLE_BYTES)


def _require_short(what: str, text: str, most: int) -> None:
    if len(text) * 4 <= most:  # no character has more than 4 bytes
        return
    length = len(text.encode(errors="replace"))
    if length > most:
        raise ValueError(f"{what} {text[:64]!r}… has {length} bytes; at most {most} are allowed")
