"""What the demo promises, and whether it held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate_sidecar.demo.story import Phase
from headgate_sidecar.demo.tally import Outcome

if TYPE_CHECKING:
    from headgate_sidecar.demo.story import Story


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that must hold, in words that are true either way."""

    kept: bool
    text: str

    def __str__(self) -> str:
        return f"{'kept  ' if self.kept else 'BROKEN'}  {self.text}"


def promises(story: Story) -> list[Promise]:
    """Return what can be judged of a story that is closed."""
    counts = story.tally.counts
    failed, other = counts.of(outcome=Outcome.FAILED), counts.of(outcome=Outcome.OTHER)
    found = [
        Promise(failed == 0, f"5xx: {failed}"),
        Promise(other == 0, f"requests with no answer or any other status: {other}"),
        _steady(story),
    ]
    if story.never_back:
        text = f"sidecar {story.never_back} was up again, but limiting wasn't"
        found.append(Promise(False, text))
    elif story.slowest_return is not None:
        text = f"limiting was back {story.slowest_return:.1f} s after the sidecar"
        found.append(Promise(True, text))
    return found


def _steady(story: Story) -> Promise:
    counts, most = story.chapters[Phase.STEADY].counts, story.steady_most or 0
    passed = counts.of(outcome=Outcome.ALLOWED)
    text = f"all sidecars up: admitted {passed:,} of at most {most:,} (burst + rate x elapsed)"
    if counts.unlimited:
        text += f", {counts.unlimited:,} of them unlimited: was the machine too busy?"
    return Promise(passed <= most, text)
