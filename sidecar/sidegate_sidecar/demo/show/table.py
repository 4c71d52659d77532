"""One frame of the demo's display: the apps, the cluster, a chart, and what happened last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sidegate.buckets.decision import Source
from sidegate_sidecar.demo.play.cluster import ProcessState
from sidegate_sidecar.demo.play.setting import KEYS, LIMIT
from sidegate_sidecar.demo.play.story import StoryPhase
from sidegate_sidecar.demo.play.tally import SLOT, ReplyOutcome
from sidegate_sidecar.loadtest.show.bars import chart

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from sidegate_sidecar.demo.play.story import Story, StoryEvent
    from sidegate_sidecar.demo.play.tally import DemoTally

LIMITED: Final = "green"
UNLIMITED: Final = "yellow"

WIDEST: Final = 100  # columns of the table: figures that are further apart are hard to follow
_REST: Final = 16  # rows of everything but the chart's bars and the events
_EVENTS: Final = 8
_LEAST_BARS: Final = 4
_MAX_BARS: Final = 12
_BAR: Final = 24  # columns of the bar beside "admitted … of at most …"

_STATES: Final = {
    ProcessState.STARTING: "yellow",
    ProcessState.UP: "green",
    ProcessState.DEAD: "bold red",
}
_PHASES: Final = {
    StoryPhase.STEADY: ("all sidecars up: each key is decided by its owner", "green"),
    StoryPhase.DEAD: ("a sidecar is dead: others decide its keys, its app is unlimited", "yellow"),
    StoryPhase.BACK: ("all sidecars up again: each key is decided by its owner", "green"),
}
_TITLES: Final = (
    *("app", "sidecar", "sent", "allowed", "denied", "5xx", "other"),
    *("owner", "backup", "memory", "open", "added"),
)


def frame(story: Story, width: int, height: int) -> RenderableType:
    """Draw the state of a story for a terminal of this size."""
    bars = min(max(height - _REST - _EVENTS, _LEAST_BARS), _MAX_BARS)
    events = list(story.events)[-max(height - _REST - bars, 1) :]
    tally = story.tally
    refill = len(KEYS) * tally.limit.tokens / tally.limit.window
    return Group(
        *_heading(story),
        _apps(story, min(width, WIDEST)),
        Text(),
        *_cluster(tally, story.now),
        Text(),
        _line("let through  ", ("█ by the limit  ", LIMITED), ("█ unlimited", UNLIMITED)),
        _chart(tally, f"{refill:g}/s", refill * SLOT, (width, bars)),
        Text(),
        *map(_event, events),
    )


def _chart(tally: DemoTally, label: str, level: float, size: tuple[int, int]) -> Text:
    closed = [(slot.limited, slot.unlimited) for slot in tally.slots][:-1]
    return chart(closed, (LIMITED, UNLIMITED), level, label, size)


def _heading(story: Story) -> list[Text]:
    total = story.times.total
    of = "until Ctrl-C" if total is None else f"of {total:g} s"
    text, colour = _PHASES[story.phase]
    return [
        _line((f"sidegate: three apps, one limit, {LIMIT} for each of {len(KEYS)} keys", "bold")),
        _line(f"{story.elapsed:.1f} s {of}  ", (text, colour)),
        Text(),
    ]


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _event(event: StoryEvent) -> Text:
    return _line((f"{event.at:6.1f} s  ", "dim"), event.text)


# --- the apps


def _apps(story: Story, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, header_style="dim", width=width)
    for title in _TITLES:
        words = title in {"app", "sidecar"}
        table.add_column(title, justify="left" if words else "right", no_wrap=True)
    for pair in story.cluster.pairs.values():
        state = Text(pair.state, _STATES[pair.state])
        table.add_row(Text(pair.name, "bold"), state, *_figures(story.tally, pair.name))
    table.add_section()
    table.add_row(Text("all", "bold"), Text(), *_figures(story.tally, None))
    return table


def _figures(tally: DemoTally, app: str | None) -> list[Text]:
    def count(outcome: ReplyOutcome | None = None, source: Source | None = None) -> int:
        return tally.counts.of(app=app, outcome=outcome, source=source)

    added = tally.added_ms(app)
    return [
        _number(count()),
        _number(count(ReplyOutcome.ALLOWED), "green"),
        _number(count(ReplyOutcome.DENIED), "cyan"),
        _number(count(ReplyOutcome.FAILED), "bold red"),
        _number(count(ReplyOutcome.OTHER), "bold red"),
        _number(count(source=Source.OWNER)),
        _number(count(source=Source.BACKUP), "yellow"),
        _number(count(source=Source.REMEMBERED)),
        _number(count(source=Source.OPEN), "yellow"),
        Text("-" if added is None else f"{added:.2f} ms", "dim"),
    ]


def _number(number: int, colour: str = "") -> Text:
    """Return a number in at most six characters: 80 columns hold no more."""
    if number < 100_000:
        text = f"{number:,}"
    elif number < 10_000_000:
        text = f"{number // 1_000:,}k"
    else:
        text = f"{number // 1_000_000:,}M"
    return Text(text, colour if number else "dim")


# --- the cluster


def _cluster(tally: DemoTally, now: float) -> Iterable[Text]:
    counts, most = tally.counts, tally.most(now)
    admitted, unlimited = counts.limited, counts.unlimited
    filled = round(_BAR * min(admitted / max(most, 1), 1.0))
    yield _line(
        "by the limit  ",
        (f"admitted {admitted:,} of at most {most:,}  ", "bold"),
        ("█" * filled, LIMITED if admitted <= most else "bold red"),
        ("░" * (_BAR - filled), "dim"),
    )
    colour = UNLIMITED if unlimited else "dim"
    yield _line("unlimited     ", (f"let through {unlimited:,}", colour), " (source open)")
