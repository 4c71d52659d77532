"""A failover: an owner is killed under load, and its backup answers for it."""

from __future__ import annotations

from itertools import count, cycle, islice
from typing import TYPE_CHECKING, Final

from bench.lab.crowd import Stretch, crowd
from bench.lab.fleet import Fleet, fleet
from bench.plan import OUT_OF_REACH
from sidegate import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "failover"
SETTING: Final = "kill -9 of an owner"
ANSWERED: Final = "until its backup answered"
SUCCEEDED: Final = "until another owned its keys"

_NAMES: Final = ("n1", "n2", "n3")
_CLIENTS: Final = 16
_KEYS: Final = 16
_DECIDE: Final = frozenset({Source.OWNER, Source.BACKUP})
_NOTE: Final = (
    f"{_CLIENTS} checks in flight at the two nodes that stay, on {_KEYS} keys of the third, which "
    "gets a SIGKILL; until the last of these keys was answered by a node that lives. Open: answers "
    "by the policy from the kill until the ring had closed without it"
)


class Watch:
    """When (ns) another node than the victim first answered about each key."""

    def __init__(self, victim: str) -> None:
        self.decided_by: set[str] = set()  # the keys that the victim decided
        self.answered: dict[str, int] = {}
        self.succeeded: dict[str, int] = {}  # and first did so as their owner
        self._victim = victim

    def note(self, key: str, decision: Decision, _began: int, ended: int) -> None:
        """Note one check."""
        if decision.node == self._victim:
            self.decided_by.add(key)
        elif decision.source in _DECIDE:
            self.answered.setdefault(key, ended)
            if decision.source is Source.OWNER:
                self.succeeded.setdefault(key, ended)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Kill the nodes of one cluster in turn, each of which comes back; a kill is a round."""
    results.notes["failover"] = _NOTE
    async with fleet(folder, *_NAMES) as nodes:
        for at in range(plan.kills):
            tell(f"kill {at + 1} of {plan.kills}")
            victim = _NAMES[at % len(_NAMES)]
            await _kill(nodes, victim, plan, results, at)
            await nodes.bury(victim)
            await nodes.start(victim)
            await nodes.whole()


async def _kill(nodes: Fleet, victim: str, plan: Plan, results: Results, at: int) -> None:
    watch = Watch(victim)
    keys = _keys_of(nodes, victim, at)
    others = [node for node in nodes.nodes.values() if node.name != victim]
    async with crowd(cycle(keys), OUT_OF_REACH, _CLIENTS, *others, note=watch.note) as apps:
        await apps.until("the owner does not decide", lambda: len(watch.decided_by) == _KEYS)
        await apps.stretch(plan.warm_up)
        watch.answered.clear()
        killed_at = nodes.kill(victim)
        await apps.until("no backup answers", lambda: len(watch.answered) == _KEYS)
        await apps.until("nobody becomes owner", lambda: len(watch.succeeded) == _KEYS)
        after = apps.turn()
    _add(results, at, ANSWERED, watch.answered, killed_at, after)
    _add(results, at, SUCCEEDED, watch.succeeded, killed_at, after)


def _add(
    results: Results,
    at: int,
    name: str,
    moments: dict[str, int],
    killed_at: int,
    after: Stretch,
) -> None:
    took = (max(moments.values()) - killed_at) / 1e6
    undecided = after.sources[Source.OPEN] + after.sources[Source.CLOSED]
    results.add(PART, name, SETTING, at, ms=took, undecided=undecided, errors=after.errors)


def _keys_of(nodes: Fleet, owner: str, at: int) -> Sequence[str]:
    """Return fresh keys that a node owns."""
    ring = nodes.ring
    names = (f"kill-{at}-{number}" for number in count())
    return list(islice((name for name in names if ring.owner(name) == owner), _KEYS))
