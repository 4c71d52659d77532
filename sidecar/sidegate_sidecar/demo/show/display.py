"""How the demo is shown: a live frame in a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console
from rich.live import Live

from sidegate.buckets.decision import Source
from sidegate_sidecar.demo.play.tally import ReplyOutcome
from sidegate_sidecar.demo.show.table import frame

if TYPE_CHECKING:
    from sidegate_sidecar.demo.play.story import Story, StoryEvent

REDRAW_EVERY: Final = 0.25  # seconds; a frame costs up to 25 ms
TELL_EVERY: Final = 1.0  # seconds


class DemoDisplay(Protocol):
    """Shows a story until cancelled, and what is told."""

    def tell(self, event: StoryEvent) -> None:
        """Show an event, if the story's own list of them isn't shown anyway."""

    async def show(self, story: Story) -> None:
        """Show how it goes, until cancelled."""

    def close(self, story: Story) -> None:
        """Leave what is worth to be kept of a story that is closed."""


class DemoFrames:
    """A live frame on the terminal's other screen, so that a new size leaves nothing behind."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def tell(self, event: StoryEvent) -> None:
        """Do nothing: the frame has the events."""

    async def show(self, story: Story) -> None:
        """Redraw until cancelled."""
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                story.tally.advance(story.now)
                live.update(frame(story, *self._console.size), refresh=True)
                await asyncio.sleep(REDRAW_EVERY)

    def close(self, story: Story) -> None:
        """Leave the last frame on the terminal's first screen."""
        self._console.print(frame(story, *self._console.size), "")


class DemoLines:
    """A plain line a second, and one an event."""

    def tell(self, event: StoryEvent) -> None:
        """Print it."""
        print(f"{event.at:5.1f} s  ** {event.text}", flush=True)  # noqa: T201  # what it is for

    async def show(self, story: Story) -> None:
        """Print a line a second until cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY)
            print(line(story), flush=True)  # noqa: T201  # what it is for

    def close(self, story: Story) -> None:
        """Do nothing: the summary says it all."""


def line(story: Story) -> str:
    """Return how it stands, in one line."""
    tally = story.tally
    count = tally.counts.of
    return (
        f"{story.elapsed:5.1f} s  sent {tally.counts.total():,}"
        f", denied {count(outcome=ReplyOutcome.DENIED):,}"
        f", 5xx {count(outcome=ReplyOutcome.FAILED):,}"
        f", other {count(outcome=ReplyOutcome.OTHER):,}"
        f" | owner {count(source=Source.OWNER):,}"
        f", backup {count(source=Source.BACKUP):,}"
        f", remembered {count(source=Source.REMEMBERED):,}"
        f", open {count(source=Source.OPEN):,}"
        f" | admitted {tally.counts.limited:,} of at most {tally.most(story.now):,}"
    )


def display() -> DemoDisplay:
    """Return the display that fits where standard output goes."""
    console = Console()
    if sys.stdout.isatty() and not console.is_dumb_terminal:
        return DemoFrames(console)
    return DemoLines()
