"""Messages about reservations: tokens charged ahead, of which the rest is given back. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

MAX_TTL: Final = 3_600_000  # ms: what is held for longer is better charged by a check
MAX_OWN_ID: Final = 128  # characters of an id that a caller gives: four times a UUID
MAX_RESERVATION_ID: Final = 4_096  # characters: the longest key and limits there are
MAX_AMOUNT: Final = 1 << 53  # tokens: what a float of another language still counts
MAX_ROWS: Final = 200  # in a message: 0.5 ms for each side

_Count: TypeAlias = Annotated[int, Meta(ge=0)]
_Amount: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
_Id: TypeAlias = Annotated[str, Meta(max_length=MAX_RESERVATION_ID)]


class HoldFault(IntEnum):
    """What is wrong with a question about a reservation."""

    NONE = 0
    MALFORMED = 1  # that is no id of this cluster, or the check in it can't be made
    CONFLICT = 2  # that id was given to another reservation
    OVER = 3  # its time has been over for too long, or it was committed


class Reserve(Struct, array_like=True, frozen=True, tag=58):
    """Charge `amount` ahead, for `ttl` ms. Answered by Reserved.

    `own` is an id of the caller's: the same again is the same reservation. With `more` the amount
    is added to that one. `serial` is of a node that forwards it, as in Checks.
    """

    id: int
    hops: _Count
    key: str
    limits: str
    amount: _Amount
    ttl: Annotated[int, Meta(ge=1, le=MAX_TTL)]
    own: Annotated[str, Meta(max_length=MAX_OWN_ID)] = ""
    more: _Id = ""
    serial: _Count = 0


class Commit(Struct, array_like=True, frozen=True, tag=59):
    """That reservation has used `actual` tokens. Answered by Reserved."""

    id: int
    hops: _Count
    reservation: _Id
    actual: _Amount


class Reserved(Struct, array_like=True, frozen=True, tag=60):
    """What has become of a reservation.

    `answer` is as that to a check: of a commit [1, debts…] too. `held` is what is charged for it by
    now, and `change` by how much a commit has changed that, below 0 for what was given back.
    """

    id: int
    source: str
    node: str
    answer: (
        Annotated[list[int], Meta(min_length=1, max_length=25)] | Annotated[str, Meta(min_length=1)]
    )
    reservation: _Id = ""
    held: int = 0
    change: int = 0
    parts: Annotated[int, Meta(ge=1)] = 1
    fault: Annotated[int, Meta(ge=0)] = 0  # a HoldFault, if the answer is a text


WrittenRow: TypeAlias = tuple[
    str,
    Annotated[str, Meta(max_length=MAX_OWN_ID + 2)],
    str,
    tuple[_Amount, _Amount, Annotated[int, Meta(ge=0, le=3)], _Amount, int],
    tuple[int, _Count],
    list[_Count],
]
"""One reservation, as a node knows it; see `replication/holds/row_messages.py`.

(key, name, limits with their windows, (asked, held, state, actual, change), (ns that are left,
serial of the latest charge), debts as in an answer)."""


class ReservationRows(Struct, array_like=True, frozen=True, gc=False, tag=61):
    """Here are reservations, among nodes. Answered by Merged."""

    id: int
    rows: Annotated[list[WrittenRow], Meta(max_length=MAX_ROWS)]
