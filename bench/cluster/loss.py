"""A loss: an owner is killed while the burst of a key is spent, and some of it may be had twice."""

from __future__ import annotations

from itertools import count, repeat
from random import Random
from typing import TYPE_CHECKING, Final

from bench.lab.crowd import crowd
from bench.lab.fleet import Fleet, fleet
from sidegate import parse_limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "loss"
SETTING: Final = "kill -9"
SPENT: Final = (("1000/hour", 1), ("100/minute", 1), ("20000/second", 10))
"""Limits, and what a check costs: one by one the last isn't spent faster than it comes back."""

_NAMES: Final = ("n1", "n2", "n3")
_CLIENTS: Final = 16
_NOTE: Final = (
    f"{_CLIENTS} checks in flight at the two nodes that stay, on one key of the third, which gets "
    "a SIGKILL when 5 to 95 % of the burst were admitted; until the key is denied by a node that "
    "lives. What was admitted beyond burst and rate, in % of the burst"
)


class Spending:
    """What was admitted of one key, and the kill in the midst of it. Times in ns."""

    def __init__(self, limits: str, cost: int, kill_at: float, kill: Callable[[], object]) -> None:
        [self._limit] = parse_limits(limits).items
        self._cost = cost
        self._kill_at = kill_at  # tokens
        self._kill = kill
        self._since = 0
        self._until = 0
        self._admitted = 0
        self.killed = False
        self.is_spent = False

    def note(self, _key: str, decision: Decision, began: int, ended: int) -> None:
        """Note one check, and kill if it is time to."""
        self._since = self._since or began
        if not decision.allowed:
            self.is_spent = self.killed
        elif not self.is_spent:
            self._admitted += self._cost
            self._until = ended
        if not self.killed and self._admitted >= self._kill_at:
            self.killed = True
            self._kill()

    @property
    def lost(self) -> float:
        """What was admitted beyond burst and rate, in % of the burst."""
        limit = self._limit
        back = (self._until - self._since) * 1e-9 * limit.tokens / limit.window
        return max(self._admitted - limit.burst - back, 0.0) / limit.burst * 100


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Kill the nodes of one cluster in turn, once for each limit; a kill is a round."""
    results.notes["loss"] = _NOTE
    random = Random(plan.kills)
    async with fleet(folder, *_NAMES) as nodes:
        for at in range(plan.kills * len(SPENT)):
            limits, cost = SPENT[at % len(SPENT)]
            tell(f"kill {at + 1} of {plan.kills * len(SPENT)}, {limits}")
            victim = _NAMES[at // len(SPENT) % len(_NAMES)]
            lost = await _kill(
                nodes, victim, f"loss-{at}", limits, cost, random.uniform(0.05, 0.95)
            )
            results.add(PART, limits, SETTING, at // len(SPENT), lost=lost)
            await nodes.bury(victim)
            await nodes.start(victim)
            await nodes.whole()


async def _kill(
    nodes: Fleet, victim: str, title: str, limits: str, cost: int, share: float
) -> float:
    """Kill a node when this share of a burst is admitted; return what was lost of it."""
    names = (f"{title}-{number}" for number in count())
    key = next(name for name in names if nodes.ring.owner(name) == victim)
    burst = parse_limits(limits).items[0].burst
    spending = Spending(limits, cost, burst * share, lambda: nodes.kill(victim))
    others = [node for node in nodes.nodes.values() if node.name != victim]
    asking = crowd(repeat(key), limits, _CLIENTS, *others, note=spending.note, cost=cost)
    async with asking as apps:
        await apps.until("the key is not spent", lambda: spending.is_spent)
    return spending.lost
