"""Messages about reports: what was decided, or recorded by apps, asked of all nodes. Pure."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

MAX_LAST = 10_800  # seconds of a report: what nodes keep
MAX_LAST_OF_KEYS = 600  # seconds, where its rows are keys
MAX_LAST_OF_SECONDS = 600  # seconds, where its rows are seconds: else they are minutes
MAX_TOP = 1_000  # rows of a report: they fit into a frame with the longest keys and names there are
MAX_RULE = 512  # characters of a rule: it is a part of a key
MAX_MISSING = 100  # names of nodes that didn't answer, of a thousand

MAX_EVENT_BYTES = 64  # of an event's name, which stands in front of each of its keys
MAX_EVENT_ROWS = 256  # in a frame: with the longest names and keys there are, 150 KB
MAX_COUNT = 10**9  # of a row of events
MAX_SUM = 10**15  # of one, in millionths

REPORTED_WITHIN = 0.5  # seconds beyond a budget: a node waits for 0.25 for the others

By: TypeAlias = Literal["key", "rule", "source", "node", "time"]
"""What the rows of a report are of."""

Sums: TypeAlias = Annotated[list[int], Meta(min_length=4, max_length=8)]
"""Allowed, denied, shadowed, errors, tokens charged.

Of a key: asked, denied, each followed by how much less it may be."""

ReportRow: TypeAlias = tuple[str, str, Sums]
"""(name, node, sums): the name of a key, rule, source or node, or an age in seconds.

The node is that which has counted most of a key, else ""."""


class ReportQuery(Struct, array_like=True, frozen=True, tag=28):
    """What was decided in the last seconds? Of an app answered by a ReportAnswer.

    Of a node, which asks on behalf of one (`hops` 1), by the ReportPart of the node that is asked.
    """

    id: int
    hops: Annotated[int, Meta(ge=0, le=1)]
    last: Annotated[int, Meta(ge=1, le=MAX_LAST)]  # seconds
    rule: Annotated[str, Meta(max_length=MAX_RULE)]  # "" for all
    by: By
    top: Annotated[int, Meta(ge=1, le=MAX_TOP)]


class ReportPart(Struct, array_like=True, frozen=True, gc=False, tag=29):
    """What one node has decided: the rows that come first there, as (name, sums)."""

    id: int
    node: str
    error: int  # no count of a key is further off
    totals: Sums
    rows: Annotated[list[tuple[str, Sums]], Meta(max_length=MAX_TOP)]
    known: list[str] | None = None  # the rules that there are, if not the one asked for


class ReportAnswer(Struct, array_like=True, frozen=True, gc=False, tag=30):
    """What all nodes have decided that have answered, of `of`; `missing` names the others."""

    id: int
    answered: int
    of: int
    missing: Annotated[list[str], Meta(max_length=MAX_MISSING)]
    covers: int  # seconds: keys are counted by the minute
    error: int
    totals: Sums
    rows: Annotated[list[ReportRow], Meta(max_length=MAX_TOP)]
    known: list[str] | None = None


EventRow: TypeAlias = tuple[
    Annotated[str, Meta(min_length=1, max_length=MAX_EVENT_BYTES)],
    str | None,
    Annotated[int, Meta(ge=0, le=MAX_COUNT)],
    Annotated[int, Meta(ge=0, le=MAX_SUM)],
]
"""(name, key, count, sum in millionths): nil as the key is all keys beyond those told."""


class Events(Struct, array_like=True, frozen=True, tag=31):
    """What an app has recorded since it last said so. Not answered.

    A node passes on (`hops` 1) what is about keys of another one.
    """

    rows: Annotated[list[EventRow], Meta(max_length=MAX_EVENT_ROWS)]
    hops: Annotated[int, Meta(ge=0)] = 0


class EventQuery(ReportQuery, array_like=True, frozen=True, tag=32):
    """What was recorded in the last seconds? Answered as a ReportQuery; a rule is an event's name.

    In the answer `allowed` is how often, and `cost` the sum in millionths; of a key `asked` and
    `denied`.
    """
