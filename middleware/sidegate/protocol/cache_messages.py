"""Messages of the cache: values that apps keep in their sidecars, each at the node that owns it.

The same go from an app to its sidecar and from one sidecar to another; `messages.py` has the others
and says what they are made of. A question has an id, by which its answers name it. What takes more
than PART_BYTES travels in CacheParts.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

MAX_VALUE_BYTES = 1 << 20  # a value is a record or a page, not a file
MAX_NAME_CHARS = 64  # of a namespace: it is a word
MAX_CACHE_KEYS = 256  # in one question
MAX_CACHE_ROWS = 1_024  # in one message, of values that are handed over
PART_BYTES = 1 << 16  # of values at once: a check waits no longer than these take
MAX_JOINED_BYTES = MAX_VALUE_BYTES + PART_BYTES  # of a message in parts

Count: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 62)]
"""A number, or microseconds."""

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
"""A namespace."""

Keys: TypeAlias = Annotated[list[str], Meta(max_length=MAX_CACHE_KEYS)]

Data: TypeAlias = Annotated[bytes, Meta(max_length=MAX_VALUE_BYTES)]


class CacheState(IntEnum):
    """What an answer says of a key."""

    MISS = 0  # there is no value, and nobody is waited for
    HIT = 1
    STALE = 2  # a value, stale; somebody fills it anew, or nobody wants to
    FILL = 3  # there is none: the asker is to fill it, by the token
    STALE_FILL = 4  # a value, stale: the asker is to fill it anew, by the token
    WAIT = 5  # there is none, and another one fills it: a second answer comes
    LOST = 6  # the owner can't be asked
    MOVED = 7  # another node is the owner by now. Only among nodes


Row: TypeAlias = tuple[Count, CacheState, Count, Count, Data]
"""(place of the key in the question, state, microseconds that it stays fresh, token, value)."""

Handed: TypeAlias = tuple[Name, str, Count, Count, Count, bool, Data]
"""(namespace, key, microseconds that it stays fresh, and stale, and near, in use?, value)."""


class CacheGet(Struct, array_like=True, frozen=True, tag=40):
    """What are the values of these keys? Answered by CacheValues.

    With a `lease` of some microseconds, and then with one key, the asker wants to fill what isn't
    there, within that time, or to wait for it so long. `near` is for how long it may keep copies.
    """

    id: Count
    hops: Count
    name: Name
    keys: Keys
    lease: Count = 0
    near: Count = 0


class CacheValues(Struct, array_like=True, frozen=True, tag=41):
    """Values for that question, in as many messages as they need."""

    id: Count
    rows: Annotated[list[Row], Meta(max_length=MAX_CACHE_KEYS)]


class CacheSet(Struct, array_like=True, frozen=True, tag=42):
    """Keep this value of a key. Answered by CacheDone: 1 if it is kept.

    For `ttl` microseconds as fresh, and as stale for some more. With a token it fills: unless that
    holds no more, since the key was deleted or set meanwhile, or another one fills it by now.
    """

    id: Count
    hops: Count
    name: Name
    key: str
    token: Count
    ttl: Count
    stale: Count
    data: Data


class CacheDelete(Struct, array_like=True, frozen=True, tag=43):
    """Forget the values of these keys. Answered by CacheDone: how many there were."""

    id: Count
    hops: Count
    name: Name
    keys: Keys


class CacheClear(Struct, array_like=True, frozen=True, tag=44):
    """Forget all values of a namespace, on all nodes. Answered by CacheDone: how many."""

    id: Count
    hops: Count
    name: Name


class CacheDone(Struct, array_like=True, frozen=True, tag=45):
    """That is done; `missing` nodes that had to do it couldn't be asked."""

    id: Count
    count: Count
    missing: Count = 0


class CacheRelease(Struct, array_like=True, frozen=True, tag=46):
    """Who has this token doesn't fill: the next one may. Not answered."""

    hops: Count
    name: Name
    key: str
    token: Count


class CacheForget(Struct, array_like=True, frozen=True, tag=47):
    """Keep no copies of these keys (none: of the whole namespace). Not answered.

    From an owner to all nodes, and from each to its apps that keep copies.
    """

    name: Name
    keys: Keys


class CacheEntries(Struct, array_like=True, frozen=True, tag=48):
    """These values are yours now, among nodes. Answered by CacheDone."""

    id: Count
    rows: Annotated[list[Handed], Meta(max_length=MAX_CACHE_ROWS)]


class CachePart(Struct, array_like=True, frozen=True, tag=49):
    """A part of one of these messages, which has `size` bytes; those from `offset` on.

    The parts of a message follow each other, with none of another one between them.
    """

    size: Annotated[int, Meta(ge=1, le=MAX_JOINED_BYTES)]
    offset: Count
    data: Annotated[bytes, Meta(min_length=1, max_length=PART_BYTES)]


CacheMessage: TypeAlias = (
    CacheGet
    | CacheValues
    | CacheSet
    | CacheDelete
    | CacheClear
    | CacheDone
    | CacheRelease
    | CacheForget
    | CacheEntries
    | CachePart
)

CACHE_MESSAGES = (
    CacheGet,
    CacheValues,
    CacheSet,
    CacheDelete,
    CacheClear,
    CacheDone,
    CacheRelease,
    CacheForget,
    CacheEntries,
    CachePart,
)


def size_of(message: CacheMessage) -> int:
    """Return how many bytes the values and keys in a message have, about; for bounds."""
    match message:
        case CacheValues():
            return sum(len(row[4]) + 16 for row in message.rows)
        case CacheEntries():
            return sum(len(row[6]) + len(row[1]) + 64 for row in message.rows)
        case CacheSet():
            return len(message.data) + len(message.key)
        case CachePart():
            return len(message.data)
        case CacheGet() | CacheDelete() | CacheForget():
            return sum(map(len, message.keys)) + 64
        case _:
            return 64
