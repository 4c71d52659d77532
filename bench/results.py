"""Results: what a run measured, round by round, and the medians of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class UnavailableError(Exception):
    """A contender can't run here; the text says why, and the table repeats it."""


class VoidError(Exception):
    """What ran was not what the table would say it was: there are no figures to show."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one contender at one setting in one round."""

    part: str
    contender: str
    setting: str
    round: int
    values: dict[str, float]


@dataclass(slots=True)
class Results:
    """All measurements of a run, what was skipped or thrown away and why, and what each ran."""

    machine: dict[str, str]
    busy: float  # the share of the cores that other work took, at worst, before and after the parts
    measurements: list[Measurement] = field(default_factory=list[Measurement])
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    void: dict[str, str] = field(default_factory=dict[str, str])
    notes: dict[str, str] = field(default_factory=dict[str, str])
    quiet: dict[str, float] = field(default_factory=dict[str, float])  # as bench.quiet has it

    def add(self, part: str, contender: str, setting: str, round_: int, **values: float) -> None:
        """Keep the figures of one round."""
        self.measurements.append(Measurement(part, contender, setting, round_, values))

    def median(self, part: str, contender: str, setting: str, value: str) -> float | None:
        """Return the median over the rounds, or None for what was not measured."""
        figures = self._figures(part, contender, setting, value)
        return median(figures) if figures else None

    def most(self, part: str, contender: str, setting: str, value: str) -> float | None:
        """Return the largest of all rounds, for what may not even happen once; None as above."""
        return max(self._figures(part, contender, setting, value), default=None)

    def _figures(self, part: str, contender: str, setting: str, value: str) -> list[float]:
        wanted = (part, contender, setting)
        return [
            found.values[value]
            for found in self.measurements
            if (found.part, found.contender, found.setting) == wanted and value in found.values
        ]

    def contenders(self, part: str) -> list[str]:
        """Return the names of those measured in a part, in the order of their first figures."""
        return list(dict.fromkeys(m.contender for m in self.measurements if m.part == part))

    def settings(self, part: str) -> list[str]:
        """Return the settings measured in a part, in the order of their first figures."""
        return list(dict.fromkeys(m.setting for m in self.measurements if m.part == part))

    def rounds(self, part: str) -> int:
        """Return how many rounds a part was measured in."""
        return len({m.round for m in self.measurements if m.part == part})

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
