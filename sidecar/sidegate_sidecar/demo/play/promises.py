"""What the demo promises, and whether it held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate_sidecar.demo.play.story import StoryPhase
from sidegate_sidecar.demo.play.tally import ReplyOutcome
from sidegate_sidecar.loadtest.judge.bounds import LOST

if TYPE_CHECKING:
    from sidegate_sidecar.demo.play.story import Story


@dataclass(frozen=True, slots=True)
class DemoPromise:
    """One thing that must hold, in words that are true either way."""

    kept: bool
    text: str

    def __str__(self) -> str:
        return f"{'kept  ' if self.kept else 'BROKEN'}  {self.text}"


def promises(story: Story) -> list[DemoPromise]:
    """Return what can be judged of a story that is closed."""
    counts = story.tally.counts
    failed, other = counts.of(outcome=ReplyOutcome.FAILED), counts.of(outcome=ReplyOutcome.OTHER)
    found = [
        DemoPromise(failed == 0, f"5xx: {failed}"),
        DemoPromise(other == 0, f"requests with no answer or any other status: {other}"),
        _steady(story),
        _all_the_time(story),
    ]
    if story.never_back:
        text = f"sidecar {story.never_back} was up again, but limiting wasn't"
        found.append(DemoPromise(False, text))
    elif story.slowest_return is not None:
        text = f"limiting was back {story.slowest_return:.1f} s after the sidecar"
        found.append(DemoPromise(True, text))
    return found


def _all_the_time(story: Story) -> DemoPromise:
    """Judge the whole run, kills included; what an app let through on its own isn't in it."""
    admitted, most = story.tally.counts.limited, story.tally.most(story.now)
    text = f"the whole time: admitted {admitted:,} of at most {most:,} ({LOST:g} s more a kill)"
    over = [f"{key} (+{count})" for key, count in story.tally.excess(story.now).items()]
    if over:
        text += f"; too many for {', '.join(over)}"
    return DemoPromise(not over, text)


def _steady(story: Story) -> DemoPromise:
    counts, most = story.chapters[StoryPhase.STEADY].counts, story.steady_most or 0
    passed = counts.of(outcome=ReplyOutcome.ALLOWED)
    text = f"all sidecars up: admitted {passed:,} of at most {most:,} (burst + rate x elapsed)"
    if counts.unlimited:
        text += f", {counts.unlimited:,} of them unlimited: was the machine too busy?"
    return DemoPromise(passed <= most, text)
