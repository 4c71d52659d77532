"""Traces: which span asks which check of a frame, by W3C's Trace Context. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.protocol.messages import Trace

SAMPLED = 0x01  # the flag of a trace that is recorded

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class SpanName(NamedTuple):
    """What names one span to all who take part in its trace."""

    trace_id: int
    span_id: int
    flags: int


def traceparent(trace_id: int, span_id: int) -> str:
    """Return the name of a span that is sampled, in version 00 of the text."""
    return f"00-{trace_id:032x}-{span_id:016x}-{SAMPLED:02x}"


def parse_traceparent(text: str) -> SpanName | None:
    """Return the span of that name if it is sampled; None if not, or if it is no name."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None:
        return None
    name = SpanName(*(int(part, 16) for part in found.groups()))
    return name if name.trace_id and name.span_id and name.flags & SAMPLED else None


def traces_at(traces: Iterable[Trace], positions: Sequence[int]) -> list[Trace] | None:
    """Return the traces of a frame for a part of it, the checks at these positions; None for none.

    Their positions are those in the part.
    """
    within = {position: at for at, position in enumerate(positions)}
    return [(within[at], parent) for at, parent in traces if at in within] or None
