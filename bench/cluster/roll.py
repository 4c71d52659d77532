"""A roll: all nodes of a cluster are replaced one by one, while each key is asked for too much."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Final

from bench.lab.crowd import Crowd, crowd
from bench.lab.fleet import Fleet, fleet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "roll"
SETTING: Final = "3 nodes replaced"
BEFORE: Final = "before"
DURING: Final = "during"

_NAMES: Final = ("n1", "n2", "n3")
_CLIENTS: Final = 64
_KEYS: Final = [f"customer-{at}" for at in range(200)]
_TOKENS: Final = 100
_LIMIT: Final = f"{_TOKENS}/minute"
_RATE: Final = _TOKENS / 60e9  # tokens a ns
_OFFERED: Final = 10 * _TOKENS  # of each key at the least
_NOTE: Final = (
    f"{_CLIENTS} checks in flight on {len(_KEYS)} keys at {_LIMIT}, each asked for more than "
    f"{_OFFERED:,} tokens, at the unix sockets of all three nodes; for each a new one is started, "
    "then it gets a SIGTERM. Too many: what the worst key in any round was admitted beyond burst "
    "and rate, in % of the limit"
)


@dataclass(slots=True)
class Tally:
    """What was answered about one key. Times in ns."""

    since: int = 0  # when it was first asked about
    until: int = 0  # when the last answer came
    offered: int = 0
    admitted: int = 0
    denied_at: int = 0  # when a check began that was then denied

    @property
    def excess(self) -> float:
        """Return the tokens that were admitted beyond burst and rate, 0 if all was well."""
        return max(self.admitted - _TOKENS - _RATE * (self.until - self.since), 0.0)


class Tallies(defaultdict[str, Tally]):
    """The tally of each key."""

    def __init__(self) -> None:
        super().__init__(Tally)

    def note(self, key: str, decision: Decision, began: int, ended: int) -> None:
        """Note one check."""
        tally = self[key]
        tally.since = tally.since or began
        tally.until = max(tally.until, ended)
        tally.offered += 1
        if decision.allowed:
            tally.admitted += 1
        else:
            tally.denied_at = max(tally.denied_at, began)

    def all_denied_since(self, moment: int) -> bool:
        """Tell if every key was denied what was asked since then."""
        return len(self) == len(_KEYS) and min(it.denied_at for it in self.values()) > moment

    def all_offered(self) -> bool:
        """Tell if every key was asked for as much as it should."""
        return min(it.offered for it in self.values()) >= _OFFERED


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Roll a fresh cluster in each round."""
    results.notes["roll"] = _NOTE
    for round_ in range(plan.rounds):
        tell(f"round {round_ + 1}")
        async with fleet(folder, *_NAMES) as nodes:
            await _roll(nodes, plan, results, round_)


async def _roll(nodes: Fleet, plan: Plan, results: Results, round_: int) -> None:
    tallies = Tallies()
    here = nodes.nodes.values()
    async with crowd(cycle(_KEYS), _LIMIT, _CLIENTS, *here, note=tallies.note) as apps:
        await apps.until("not all keys are denied", lambda: tallies.all_denied_since(0))
        before = await apps.stretch(plan.seconds)
        for old in list(nodes.nodes):
            await _replace(nodes, apps, old)
        during = apps.turn()
        await apps.until(
            "not all keys are denied after the roll",
            lambda: tallies.all_denied_since(during.until) and tallies.all_offered(),
        )
    worst = max(tally.excess for tally in tallies.values())
    results.add(PART, BEFORE, SETTING, round_, **before.figures())
    results.add(PART, DURING, SETTING, round_, too_many=worst / _TOKENS * 100, **during.figures())


async def _replace(nodes: Fleet, apps: Crowd, old: str) -> None:
    await apps.come(await nodes.start(f"{old}-new"))
    apps.go(old)
    await nodes.stop(old)
    await apps.part(old)
