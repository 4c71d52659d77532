"""Messages about what holds at a node: how it stands, its rules, who counts in a split. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

MAX_STAGE = 32  # characters
MAX_DIGEST = 64  # characters: SHA-256, in hexadecimal digits

MAX_VOTERS: Final = 1_001
"""Names in a set of voters: a node knows 1,000 others."""

MAX_VERSION: Final = 1 << 53
"""Of a set of voters: one each second for 285 million years."""

MAX_PROPOSED: Final = 2
"""Sets that are promised and not agreed: with the agreed one, and those that are gone, they fit
into a frame if all names are as long as they may be."""

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=253)]

Names: TypeAlias = Annotated[tuple[Name, ...], Meta(max_length=MAX_VOTERS)]

NumberedVoters: TypeAlias = tuple[Annotated[int, Meta(ge=0, le=MAX_VERSION)], Names]
"""(version, names): a set of nodes, sorted; version 0 is none."""


class StandingQuery(Struct, array_like=True, frozen=True, tag=38):
    """How do you stand? Asked by a node of one that answers ReportQuery; answered by Standing."""

    id: int


class Standing(Struct, array_like=True, frozen=True, gc=False, tag=39):
    """The stage of a node's place on the ring, and how many buckets it has handed over so far.

    Those that other nodes lacked because the ring had changed, since the node started.
    """

    id: int
    stage: Annotated[str, Meta(max_length=MAX_STAGE)]
    handed: Annotated[int, Meta(ge=0)]


class WatchRules(Struct, array_like=True, frozen=True, tag=52):
    """Which rules are in force? Asked by an app that has those of this digest, "" for none.

    Answered by RulesPush, and by another one at each change for as long as the connection is there.
    """

    digest: Annotated[str, Meta(max_length=MAX_DIGEST)]


class RulesPush(Struct, array_like=True, frozen=True, gc=False, tag=53):
    """These rules are in force: a RuleSet as it is encoded, whose SHA-256 is the digest.

    Nothing of it where the app has it already. Without a digest there is no rules file here.
    """

    digest: Annotated[str, Meta(max_length=MAX_DIGEST)]
    encoded: bytes = b""


class OnSplit(StrEnum):
    """What becomes of a side of a split network, which misses nodes."""

    OPTIMISTIC = "optimistic"  # it goes on: one limit a side
    HOLD_DOWN = "hold-down"  # it serves its part of each limit, until it has been stable for 10 s
    QUORUM = "quorum"  # the smaller side decides nothing: it goes by on_unreachable


class Voters(Struct, array_like=True, frozen=True, tag=70):
    """By which nodes the sender counts in a split, among nodes; see `cluster/split/voter_sets.py`.

    `asks` is 1 where the receiver's own are wanted too. Who goes on whatever happens has none.
    """

    on_split: Annotated[str, Meta(max_length=16)]
    agreed: NumberedVoters
    proposed: Annotated[list[NumberedVoters], Meta(max_length=MAX_PROPOSED)]
    gone: Names
    asks: Annotated[int, Meta(ge=0, le=1)] = 0


RulesMessage: TypeAlias = WatchRules | RulesPush
