"""Metrics of reservations, read off their table when scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from sidegate.reservations.reservation_table import ReservationTable


def reservation_metrics(table: ReservationTable) -> Iterator[Metric]:
    """Give the metrics of a node's reservations."""
    counts = table.counts
    text = (
        "Reservations by what became of them here: reserved, committed, expired; unknown, of which"
        " nothing could be given back; untracked, for which there was no room."
    )
    outcomes = {
        ("reserved",): counts.reserved,
        ("committed",): counts.committed,
        ("expired",): counts.expired,
        ("unknown",): counts.unknown,
        ("untracked",): counts.untracked,
    }
    yield counter("reservations", text, ("outcome",), outcomes)
    text = "Tokens that reservations gave back at their end, or charged beyond what was held."
    tokens = {
        ("given_back",): counts.tokens_given_back,
        ("overshot",): counts.tokens_overshot,
    }
    yield counter("reservation_tokens", text, ("fate",), tokens)
    text = "Reservations held that are open, as owner or for another node."
    yield gauge("reservations_open", text, len(table.rows.open))
