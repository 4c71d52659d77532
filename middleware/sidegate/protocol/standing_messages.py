"""Messages about how a node stands: for people who look at all of them at once. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MAX_STAGE = 32  # characters


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
