"""What the summary of the demo begins with: its story in figures."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.demo.story import StoryPhase
from sidegate_sidecar.loadtest.send.outcome import OutcomeKind
from sidegate_sidecar.loadtest.show.summary import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate_sidecar.loadtest.judge.facts import Facts

_KINDS: Final = (
    OutcomeKind.ADMITTED,
    OutcomeKind.DENIED,
    OutcomeKind.BY_POLICY,
    OutcomeKind.ERRORS,
)
_TITLES: Final = ("", "seconds", "requests", *(kind.replace("_", " ") for kind in _KINDS))


def phases(facts: Facts, turns: Sequence[tuple[float, StoryPhase]]) -> list[str]:
    """Return what became of the requests of each phase; `turns` are when one began."""
    (record,) = facts.records.streams
    starts = [at for at, _ in turns]
    seconds = dict.fromkeys(StoryPhase, 0.0)
    for (_, phase), (begin, end) in zip(turns, pairwise([*starts, facts.elapsed]), strict=True):
        seconds[phase] += end - begin
    kinds = {phase: Counter[OutcomeKind]() for phase in StoryPhase}
    for number, planned in enumerate(record.planned):
        _, phase = turns[bisect_right(starts, planned) - 1]
        kinds[phase][record.kind(number)] += 1
    played = dict.fromkeys(phase for _, phase in turns)
    return table(_TITLES, [_row(phase, seconds[phase], kinds[phase]) for phase in played])


def _row(phase: StoryPhase, seconds: float, kinds: Counter[OutcomeKind]) -> list[str]:
    figures = (kinds.total(), *(kinds[kind] for kind in _KINDS))
    return [phase, f"{seconds:.1f}", *(f"{figure:,}" for figure in figures)]
