"""How a run that goes on is shown in a terminal."""

from io import StringIO
from math import inf
from typing import Final

import pytest
from rich.console import Console, RenderableType

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.send.outcome import OutcomeKind
from sidegate_sidecar.loadtest.send.record import Records
from sidegate_sidecar.loadtest.send.sender import Sender, Target
from sidegate_sidecar.loadtest.show.bars import chart
from sidegate_sidecar.loadtest.show.display import MAX_TOLD, WatchedRun, frame

NAMES: Final = ("app-a", "app-b", "app-c")


def run(seconds: float) -> WatchedRun:
    """Return a run that has gone on for an hour at the demo's 90 requests a second."""
    records = Records(len(NAMES))
    for kinds in records.kinds:
        kinds.update(dict.fromkeys(OutcomeKind, 324_000 // len(OutcomeKind)))
    sources = (Source.OWNER, Source.BACKUP, Source.REMEMBERED, Source.OPEN)
    records.sources.update(dict.fromkeys(sources, 324_000 // len(sources)))
    records.latest.extend([4.999] * 100)
    sender = Sender(Target([], [], "", {}), records, 1, 1.0)
    return WatchedRun("a load test", seconds, NAMES, 30.0, sender, records)


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(80, 24, MAX_TOLD), (120, 40, MAX_TOLD), (100, 60, MAX_TOLD), (80, 20, 4)],
)
def test_a_frame_fits_the_terminal(width: int, height: int, shown: int) -> None:
    """Nothing of it is wrapped or cut, after an hour as well; the latest events are in."""
    told = [f"  3599.0 s  ** event {number}" for number in range(MAX_TOLD)]
    lines = drawn(frame(run(inf), [(15, 10, 20)] * 200, told, (width, height)), width)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert lines[-shown:] == told[-shown:]
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize(("seconds", "words"), [(30.0, "of 30 s"), (inf, "until Ctrl-C")])
def test_a_frame_says_how_long_it_goes_on(seconds: float, words: str) -> None:
    """Also when only its user ends it."""
    assert words in drawn(frame(run(seconds), [], [], (80, 24)), 80)[1]


def test_a_bar_has_its_parts_in_their_colours() -> None:
    """From below; where two meet in a character, that in its middle."""
    (bottom, middle, top) = reversed(
        [
            {str(span.style) for span in line.spans if span.style != "dim"}
            for line in chart([(8, 10, 6)], ("green", "yellow", "cyan"), 0.0, "", (80, 3)).split()
        ]
    )
    assert (bottom, middle, top) == ({"green"}, {"yellow"}, {"cyan"})


def drawn(frame: RenderableType, width: int) -> list[str]:
    """Return the lines of a frame, without blanks at their ends."""
    shown = StringIO()
    Console(file=shown, width=width).print(frame)
    return [line.rstrip() for line in shown.getvalue().splitlines()]
