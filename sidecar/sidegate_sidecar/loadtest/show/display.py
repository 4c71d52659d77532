"""How a run is shown: a live frame in a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sidegate_sidecar.loadtest.judge.percentile import times
from sidegate_sidecar.loadtest.send.outcome import OutcomeKind
from sidegate_sidecar.loadtest.show.bars import chart
from sidegate_sidecar.loadtest.show.summary import in_words, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from sidegate_sidecar.loadtest.send.record import Records
    from sidegate_sidecar.loadtest.send.sender import Sender

REDRAW_EVERY: Final = 0.5  # seconds; a frame costs up to 10 ms, in which nothing is sent
TELL_EVERY: Final = 5.0  # seconds
MAX_BARS: Final = 200  # more than fit into a terminal
MAX_TOLD: Final = 8  # rows
_BAR_ROWS: Final = range(4, 11)
_OTHER_ROWS: Final = 9  # of everything but the rows of streams, the bars, and what was told

_TITLES: Final = ("stream", "sent", "admitted", "denied", "by policy", "errors")
_PARTS: Final = (
    ("green", "admitted", (OutcomeKind.ADMITTED,)),
    ("yellow", "by policy", (OutcomeKind.BY_POLICY,)),
    ("cyan", "denied, and errors", (OutcomeKind.DENIED, OutcomeKind.ERRORS, OutcomeKind.HELD_BACK)),
)
"""The parts of a bar, from below: colour, words, and what counts."""


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run that goes on.

    It is to go on for so many seconds, infinitely many if something else ends it. `names` are those
    of the streams, `level` is how many requests a second have their mark in the chart.
    """

    heading: str
    seconds: float
    names: Sequence[str]
    level: float
    sender: Sender
    records: Records


class Display(Protocol):
    """Shows a run."""

    def tell(self, at: float, text: str) -> None:
        """Show what happened just now, so many seconds after the start."""

    async def show(self, run: WatchedRun) -> None:
        """Show how it goes, until cancelled."""


class Frames:
    """A live frame on the terminal's other screen, so that a new size leaves nothing behind."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: deque[str] = deque(maxlen=MAX_TOLD)

    def tell(self, at: float, text: str) -> None:
        """Have it in the next frames."""
        self._told.append(told(at, text))

    async def show(self, run: WatchedRun) -> None:
        """Redraw until cancelled."""
        bars: deque[list[int]] = deque(maxlen=MAX_BARS)
        before = [0] * len(_PARTS)
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                now = [_count(run.records, *kinds) for _, _, kinds in _PARTS]
                bars.append([new - old for new, old in zip(now, before, strict=True)])
                before = now
                live.update(frame(run, bars, self._told, self._console.size), refresh=True)
                await asyncio.sleep(REDRAW_EVERY)


class Lines:
    """A plain line every few seconds."""

    def __init__(self, every: float) -> None:
        self._every = every

    def tell(self, at: float, text: str) -> None:
        """Print it."""
        print(told(at, text), flush=True)  # noqa: T201  # what it is for

    async def show(self, run: WatchedRun) -> None:
        """Print a line now and then, until cancelled."""
        print(run.heading, flush=True)  # noqa: T201  # what it is for
        while True:
            await asyncio.sleep(self._every)
            print(line(run), flush=True)  # noqa: T201  # what it is for


def display(every: float = TELL_EVERY) -> Display:
    """Return what fits where standard output goes; plain lines come every so many seconds."""
    console = Console()
    if sys.stdout.isatty() and not console.is_dumb_terminal:
        return Frames(console)
    return Lines(every)


def print_summary(summary: str) -> None:
    """Print the closing summary, coloured in a terminal."""
    text = Text(summary)
    text.highlight_regex(r"(?m)^  kept ", "green")
    text.highlight_regex(r"(?m)^(  BROKEN|FAILED).*", "bold red")
    text.highlight_regex(r"(?m)^PASSED.*", "bold green")
    text.highlight_regex(r"(?m)^  warning.*", "yellow")
    Console(soft_wrap=True).print(text, highlight=False)
    sys.stdout.flush()


def told(at: float, text: str) -> str:
    """Return what happened, in one line."""
    return f"{at:5.1f} s  ** {text}"


def line(run: WatchedRun) -> str:
    """Return how it stands, in one line."""
    records = run.records
    return (
        f"{run.sender.now:5.1f} s  sent {records.total() + records.in_flight:,}"
        f" | admitted {_count(records, OutcomeKind.ADMITTED):,}"
        f", denied {_count(records, OutcomeKind.DENIED):,}"
        f", by policy {_count(records, OutcomeKind.BY_POLICY):,}"
        f", errors {_count(records, OutcomeKind.ERRORS, OutcomeKind.HELD_BACK):,}"
        f" | {_sources(records)}"
        f" | {_latest(records)}"
    )


def frame(
    run: WatchedRun, bars: Sequence[Sequence[int]], told: Sequence[str], size: tuple[int, int]
) -> RenderableType:
    """Draw the state of a run, and what was told last, for a terminal of this size."""
    width, height = size
    rows = [_row(run, at) for at in range(len(run.names))]
    room = height - _OTHER_ROWS - len(rows)
    high = min(max(room - (MAX_TOLD if told else 0), _BAR_ROWS[0]), _BAR_ROWS[-1])
    last = list(told)[-max(room - high, 1) :]
    colours = [colour for colour, _, _ in _PARTS]
    return Group(
        _one_line(run.heading, "bold"),
        _one_line(f"{_progress(run)}  {_latest(run.records)}", "dim"),
        Text(),
        *map(Text, table(_TITLES, rows)),
        Text(),
        _one_line(f"answers by source: {_sources(run.records)}"),
        Text(),
        Text.assemble(*((f"█ {words}  ", colour) for colour, words, _ in _PARTS)),
        chart(list(bars), colours, run.level * REDRAW_EVERY, f"{run.level:.3g}/s", (width, high)),
        *([Text()] if last else []),
        *map(_one_line, last),
    )


def _one_line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _progress(run: WatchedRun) -> str:
    if not isfinite(run.seconds):
        return f"{run.sender.now:.1f} s, until Ctrl-C"
    return f"{min(run.sender.now, run.seconds):.1f} s of {run.seconds:g} s"


def _latest(records: Records) -> str:
    """Return the latest latencies in words."""
    found = times(sorted(records.latest))
    return f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms" if found else "no answer yet"


def _sources(records: Records) -> str:
    return in_words({source: count for source, count in records.sources.items() if source})


def _row(run: WatchedRun, number: int) -> list[str]:
    kinds = run.records.kinds[number]
    figures = (
        kinds.total(),
        *(
            kinds[kind]
            for kind in (OutcomeKind.ADMITTED, OutcomeKind.DENIED, OutcomeKind.BY_POLICY)
        ),
        kinds[OutcomeKind.ERRORS] + kinds[OutcomeKind.HELD_BACK],
    )
    return [run.names[number], *(f"{figure:,}" for figure in figures)]


def _count(records: Records, *wanted: OutcomeKind) -> int:
    return sum(kinds[kind] for kinds in records.kinds for kind in wanted)
