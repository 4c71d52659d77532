"""The facts of a run: what was planned, and what was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate_sidecar.loadtest.judge.crashes import Crash
    from sidegate_sidecar.loadtest.judge.report import Promise
    from sidegate_sidecar.loadtest.plan.scenario import Scenario
    from sidegate_sidecar.loadtest.send.record import Records


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a verdict is made of. `begun` in seconds since 1970, `elapsed` from then on.

    `complete` is false for a run that was ended before all was sent.
    """

    scenario: Scenario
    records: Records
    begun: float
    elapsed: float
    crashes: Sequence[Crash] = field(default=())
    complete: bool = True
    tolerated: int = 0
    """How many errors are no broken promise."""
    paced: bool = True
    """Is it promised that requests are sent when they are due? Else it is a warning only."""
    others: Sequence[Promise] = field(default=())
    """What else had to hold, by who ran it."""
