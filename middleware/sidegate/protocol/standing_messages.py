"""Messages about what holds at a node: how it stands, and its rules. Pure."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

MAX_STAGE = 32  # characters
MAX_DIGEST = 64  # characters: SHA-256, in hexadecimal digits


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


RulesMessage: TypeAlias = WatchRules | RulesPush
