"""What was asked of other nodes, for somebody who waits for the answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidegate.protocol.cache_messages import CacheGet
    from sidegate_sidecar.cache.fills import Source


@dataclass(slots=True)
class Lookup:
    """A question about some keys of a CacheGet, asked of the node that owns them."""

    source: Source
    question: CacheGet
    places: list[int]  # of these keys in the question
    to: str
    tries: int
    until: int  # ns: then nobody waits for it any more
    open: set[int] = field(default_factory=set[int])  # of the places, those without an answer
    is_waiting: bool = False  # somebody else fills: the node has said so
    is_gone: bool = False  # nobody wants the answer


@dataclass(slots=True)
class SharedChange:
    """A change that several nodes make, and what they have said of it so far."""

    source: Source
    id: int
    open: int = 0
    count: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class SubRequest:
    """The part of a change that one node was told."""

    gathering: SharedChange
    to: str
    until: int
