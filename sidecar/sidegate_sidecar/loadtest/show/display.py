"""How a run is shown: a live frame in a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.judge.percentile import times
from sidegate_sidecar.loadtest.send.outcome import BY_POLICY, ERRORS, Outcome
from sidegate_sidecar.loadtest.show.bars import chart
from sidegate_sidecar.loadtest.show.summary import summary, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sidegate_sidecar.loadtest.judge.report import Report
    from sidegate_sidecar.loadtest.plan.settings import Order
    from sidegate_sidecar.loadtest.send.record import Records
    from sidegate_sidecar.loadtest.send.sender import Sender

REDRAW_EVERY: Final = 0.5  # seconds; a frame costs up to 10 ms, in which nothing is sent
TELL_EVERY: Final = 5.0  # seconds
BARS: Final = 10  # rows
MAX_BARS: Final = 200  # more than fit into a terminal
ADMITTED: Final = "green"
REST: Final = "cyan"

_TITLES: Final = ("stream", "sent", "admitted", "denied", "errors")


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run that goes on."""

    order: Order
    sender: Sender
    records: Records


class Display(Protocol):
    """Shows a run until cancelled."""

    async def show(self, run: WatchedRun) -> None:
        """Show how it goes, until cancelled."""


class Frames:
    """A live frame on the terminal's other screen, so that a new size leaves nothing behind."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def show(self, run: WatchedRun) -> None:
        """Redraw until cancelled."""
        bars: deque[tuple[int, int]] = deque(maxlen=MAX_BARS)
        before = (0, 0)
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                now = _finished(run.records)
                bars.append((now[0] - before[0], now[1] - before[1]))
                before = now
                live.update(frame(run, bars, self._console.width), refresh=True)
                await asyncio.sleep(REDRAW_EVERY)


class Lines:
    """A plain line every few seconds."""

    async def show(self, run: WatchedRun) -> None:
        """Print a line every TELL_EVERY seconds, until cancelled."""
        print(heading(run), flush=True)  # noqa: T201  # what it is for
        while True:
            await asyncio.sleep(TELL_EVERY)
            print(line(run), flush=True)  # noqa: T201  # what it is for


def display() -> Display:
    """Return the display that fits where standard output goes."""
    console = Console()
    if sys.stdout.isatty() and not console.is_dumb_terminal:
        return Frames(console)
    return Lines()


def print_summary(report: Report) -> None:
    """Print the closing summary, coloured in a terminal."""
    text = Text(summary(report))
    text.highlight_regex(r"(?m)^  kept ", "green")
    text.highlight_regex(r"(?m)^(  BROKEN|FAILED).*", "bold red")
    text.highlight_regex(r"(?m)^PASSED.*", "bold green")
    text.highlight_regex(r"(?m)^  warning.*", "yellow")
    Console(soft_wrap=True).print(text, highlight=False)
    sys.stdout.flush()


def heading(run: WatchedRun) -> str:
    """Return what is done, in one line."""
    scenario = run.order.scenario
    of = f"scenario {run.order.name}, " if run.order.name else ""
    return (
        f"sidegate load: {of}{scenario.rate:,.4g} requests/s for {scenario.seconds:g} s"
        f" to {run.order.url}, keys {run.order.key_prefix}-…, seed {run.order.seed}"
    )


def line(run: WatchedRun) -> str:
    """Return how it stands, in one line."""
    records = run.records
    policy = sum(records.sources[source] for source in BY_POLICY)
    return (
        f"{run.sender.now:5.1f} s  sent {records.total() + records.in_flight:,}"
        f" | admitted {records.total((Outcome.ADMITTED,)):,}"
        f", denied {records.total((Outcome.DENIED,)):,}"
        f", errors {records.total(ERRORS):,}"
        f" | backup {records.sources[Source.BACKUP]:,}, by policy {policy:,}"
        f" | {latest(records)}"
    )


def latest(records: Records) -> str:
    """Return the latest latencies in words."""
    found = times(sorted(records.latest))
    return f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms" if found else "no answer yet"


def frame(run: WatchedRun, bars: deque[tuple[int, int]], width: int) -> RenderableType:
    """Draw the state of a run for a terminal of this width."""
    seconds = run.order.scenario.seconds
    level = run.order.scenario.rate * REDRAW_EVERY
    label = f"{run.order.scenario.rate:.3g}/s"
    return Group(
        Text(heading(run), "bold", no_wrap=True, overflow="ellipsis"),
        Text(f"{min(run.sender.now, seconds):.1f} s of {seconds:g} s", "dim"),
        Text(),
        *map(Text, table(_TITLES, [_row(run, at) for at in range(len(run.records.counts))])),
        Text(),
        Text(line(run), no_wrap=True, overflow="ellipsis"),
        Text(),
        Text.assemble(("█ admitted  ", ADMITTED), ("█ denied, and errors", REST)),
        chart(list(bars), (ADMITTED, REST), level, label, (width, BARS)),
    )


def _row(run: WatchedRun, number: int) -> list[str]:
    counts = run.records.counts[number]
    figures = (
        counts.total(),
        counts[Outcome.ADMITTED],
        counts[Outcome.DENIED],
        sum(counts[outcome] for outcome in (*ERRORS, Outcome.HELD_BACK)),
    )
    return [run.order.scenario.streams[number].name, *(f"{figure:,}" for figure in figures)]


def _finished(records: Records) -> tuple[int, int]:
    admitted = records.total((Outcome.ADMITTED,))
    return admitted, records.total() - admitted
