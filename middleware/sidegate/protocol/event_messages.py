"""Messages about events: what apps record themselves, and what is asked about it. Pure."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from sidegate.protocol.report_messages import ReportQuery

MAX_NAME_BYTES = 64  # of an event: a few words; it stands in front of each key in a report
MAX_EVENT_ROWS = 256  # in a frame: with the longest names and keys there are, 150 KB
MAX_COUNT = 10**9  # of a row
MAX_SUM = 10**15  # of a row, in millionths

EventRow: TypeAlias = tuple[
    Annotated[str, Meta(min_length=1, max_length=MAX_NAME_BYTES)],
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
