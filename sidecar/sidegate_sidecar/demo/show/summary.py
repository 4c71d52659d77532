"""The closing summary, in plain text of at most 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate_sidecar.demo.play.promises import promises
from sidegate_sidecar.demo.play.setting import KEYS, LIMIT, NAMES
from sidegate_sidecar.demo.play.tally import ReplyOutcome, SlotCounts

if TYPE_CHECKING:
    from sidegate_sidecar.demo.play.story import Story
    from sidegate_sidecar.demo.play.tally import DemoTally

_ROW: Final = "  {:<18}{:>8}{:>10}{:>10}{:>11}{:>9}{:>6}"


def summary(story: Story) -> str:
    """Return what happened in a story that is closed, and which promises held."""
    tally = story.tally
    done = f"{tally.counts.total():,} requests in {story.elapsed:.1f} s to {len(NAMES)} apps"
    return "\n".join(
        [
            f"sidegate demo: {done}, {len(KEYS)} API keys of {LIMIT} each",
            "",
            *_phases(story),
            "",
            f"  answers by source: {_sources(tally.counts)}",
            f"  added by the limiter: {_added(tally)}",
            *_held_back(tally),
            "",
            *(f"  {promise}" for promise in promises(story)),
        ]
    )


def _phases(story: Story) -> list[str]:
    titles = ("", "seconds", "requests", "admitted", "unlimited", "denied", "5xx")
    rows = [_ROW.format(*titles)]
    for phase, chapter in story.chapters.items():
        if chapter.seconds:
            rows.append(_ROW.format(phase, f"{chapter.seconds:.1f}", *_numbers(chapter.counts)))
    return rows


def _numbers(counts: SlotCounts) -> list[str]:
    denied, failed = counts.of(outcome=ReplyOutcome.DENIED), counts.of(outcome=ReplyOutcome.FAILED)
    numbers = (counts.total(), counts.limited, counts.unlimited, denied, failed)
    return [f"{number:,}" for number in numbers]


def _sources(counts: SlotCounts) -> str:
    found = [(source, counts.of(source=source)) for source in Source]
    return ", ".join(f"{source} {count:,}" for source, count in found if count) or "none"


def _added(tally: DemoTally) -> str:
    median = tally.added_ms()
    return "unknown" if median is None else f"{median:.2f} ms at the median, at the end"


def _held_back(tally: DemoTally) -> list[str]:
    if not tally.held_back:
        return []
    return [f"  not sent, since too many were under way: {tally.held_back:,}"]
