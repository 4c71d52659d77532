"""Messages about many keys at once: which there are, and that they are to be forgotten. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

MAX_LISTED = 1_000  # keys in an answer: for people, and to fit into a frame

_Flag: TypeAlias = Annotated[int, Meta(ge=0, le=1)]
_Count: TypeAlias = Annotated[int, Meta(ge=0)]


class KeysBy(Enum):
    """What tells which keys are meant."""

    PREFIX = "prefix"  # how they begin
    IDENTITY = "identity"  # what comes after their first ":"


class KeyOrder(Enum):
    """Which keys come first."""

    DEBT = "debt"  # those that take longest to be full again
    KEY = "key"  # by their text


KeyRow: TypeAlias = tuple[str, _Count, list[tuple[str, _Count]]]
"""(key, place of its owner among the nodes, [(limit, debt in ns), …])."""


class ListKeys(Struct, array_like=True, frozen=True, tag=34):
    """Which keys in debt are there? Answered by KeysListed within `budget` microseconds.

    From an app, of all nodes; forwarded (`hops` above 0), of the receiver, and only its own.
    """

    id: int
    hops: _Count
    budget: _Count
    by: KeysBy
    text: str
    order: KeyOrder
    most: Annotated[int, Meta(ge=1, le=MAX_LISTED)]


class KeysListed(Struct, array_like=True, frozen=True, tag=35):
    """The first keys in that order, each from its owner, and who has been asked."""

    id: int
    nodes: list[str]  # who has answered
    missing: list[str]  # who hasn't
    unfinished: list[str]  # of those that answered: who ran out of time before it had looked at all
    rows: Annotated[list[KeyRow], Meta(max_length=MAX_LISTED)]
    more: _Flag  # 1: there are more than these


class ResetKeys(Struct, array_like=True, frozen=True, tag=36):
    """Forget all buckets of all keys that begin so, on all nodes. Answered by KeysReset.

    `everything` has to be 1 where the prefix is empty. `number` is that of the reset, which no
    other has, in what a node forwards to all others; 0 from an app.
    """

    id: int
    hops: _Count
    prefix: str
    everything: _Flag = 0
    number: _Count = 0


class KeysReset(Struct, array_like=True, frozen=True, tag=37):
    """How many buckets the nodes have forgotten that they owned, by name, and who hasn't said."""

    id: int
    forgotten: list[tuple[str, _Count]]
    missing: list[str]
