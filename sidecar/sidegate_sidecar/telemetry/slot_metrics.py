"""Metrics of slots, read off a node when scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.holds.slot_messages import FreedBy, SlotState
from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from sidegate_sidecar.node.holds.slot_node import SlotNode


def slot_metrics(slots: SlotNode) -> Iterator[Metric]:
    """Give the metrics of a node's slots."""
    table, counts = slots.owner.table, slots.counts
    yield gauge("slots_held", "Slots that apps of this sidecar hold.", len(slots.holder))
    text = "Slots that are held of keys that this node decides about, by apps of any sidecar."
    yield gauge("slots_decided", text, len(table))
    yield gauge("slots_waiting", "Who waits here for a slot to be free.", table.waiting)
    text = "Slots that apps of this sidecar asked for, by what became of it."
    answers = {(state.name.lower(),): counts.answers[state] for state in _LAST}
    yield counter("slot_answers", text, ("answer",), answers)
    text = "Slots that were held and are free: released, or disconnected, expired or silent."
    freed = {(by.name.lower(),): counts.freed[by] for by in FreedBy}
    yield counter("slots_freed", text, ("by",), freed)


_LAST = [state for state in SlotState if state is not SlotState.WAITS]
