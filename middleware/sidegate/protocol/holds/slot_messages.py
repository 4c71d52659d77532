"""Messages about slots: one of at most N of a key, held while something runs. Pure.

A slot has an id that who asks for it has made, a number that nobody else has: so it may be given
back before it is known whether it was got, and asked for again without having two. The sidecar
of who asks is its holder. It says what it holds to the node that decides about the key, which
forgets what it isn't told of.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

MAX_AT_MOST: Final = 1_000_000  # slots of a key: more than a node has for all of them
MAX_TTL_MS: Final = 86_400_000  # a day: what runs longer isn't a request
MAX_SLOT_ROWS: Final = 512  # in a frame: with the longest keys they take 270 KB
MAX_SLOT_ID: Final = 2**62  # ids are below it

SlotId: TypeAlias = Annotated[int, Meta(ge=0, lt=MAX_SLOT_ID)]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_TTL_MS)]

Holder: TypeAlias = Annotated[str, Meta(max_length=255)]
"""The name of the sidecar that is asked by an app; "" from the app itself."""

HeldRow: TypeAlias = tuple[SlotId, str, Milliseconds]
"""(slot, key, ms): a slot that is held, and for how long at most."""

FreedRow: TypeAlias = tuple[SlotId, str]
"""(slot, key): a slot that isn't held any more, or isn't wanted."""


class SlotState(IntEnum):
    """What became of a question for a slot."""

    DENIED = 0  # as many are held as may be
    GRANTED = 1
    WAITS = 2  # another answer follows
    NOBODY = 3  # who decides can't be asked
    FAULT = 4  # it can't be decided; the answer says why


class StandIn(IntEnum):
    """Whether a node decides about a key that isn't its own."""

    NO = 0
    FORMER = 1  # it was just now, and knows all that are held
    SILENT = 2  # its owner doesn't answer


class FreedBy(IntEnum):
    """Why a slot is free."""

    RELEASED = 0
    DISCONNECTED = 1  # the link of its app broke
    EXPIRED = 2  # its ttl is over
    SILENT = 3  # its holder hasn't said for two seconds that it is held


class SlotAsk(Struct, array_like=True, frozen=True, gc=False, tag=54):
    """One of at most so many slots of a key, please. Answered by a SlotAnswer, or by two."""

    slot: SlotId
    hops: Annotated[int, Meta(ge=0)]
    key: str
    at_most: Annotated[int, Meta(ge=1, le=MAX_AT_MOST)]
    ttl: Milliseconds
    wait: Milliseconds = 0  # for a slot to be free
    strict: Annotated[int, Meta(ge=0, le=1)] = 0  # 1: none while who decides may lack some
    holder: Holder = ""
    stand_in: StandIn = StandIn.NO  # else: decide, though the key isn't yours


class SlotAnswer(Struct, array_like=True, frozen=True, gc=False, tag=55):
    """What became of a SlotAsk."""

    slot: SlotId
    state: SlotState
    node: str  # who decided
    source: str  # a sidegate.buckets.decision.Source
    in_flight: Annotated[int, Meta(ge=0)]  # slots of the key that are held, with this one
    retry_after: Milliseconds = 0  # before which there is none; 0 if nobody knows
    holder: Holder = ""  # of the question
    why: str = ""


class SlotsHeld(Struct, array_like=True, frozen=True, gc=False, tag=56):
    """These are held: from an app that has another connection, and from holders all the time.

    A `claim` is 1 from a holder that hasn't held them before: another one may say that it does.
    """

    hops: Annotated[int, Meta(ge=0)]
    holder: Holder
    rows: Annotated[list[HeldRow], Meta(max_length=MAX_SLOT_ROWS)]
    claim: Annotated[int, Meta(ge=0, le=1)] = 0


class SlotsFreed(Struct, array_like=True, frozen=True, gc=False, tag=57):
    """These aren't held, or aren't wanted, any more. Not answered; said twice it does no harm."""

    hops: Annotated[int, Meta(ge=0)]
    holder: Holder
    by: FreedBy
    rows: Annotated[list[FreedRow], Meta(max_length=MAX_SLOT_ROWS)]


SlotMessage: TypeAlias = SlotAsk | SlotAnswer | SlotsHeld | SlotsFreed
"""What apps and nodes say about slots."""

SLOT_MESSAGES = (SlotAsk, SlotAnswer, SlotsHeld, SlotsFreed)
