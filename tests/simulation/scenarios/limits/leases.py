"""Scenarios of leases: apps spend what owners lend them, and no interval lets through more.

Each looks at all intervals of its run. What a check was told may be some time older than its
answer, so much comes back meanwhile; what kills and splits may lose is as without leases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sidegate.buckets.decision import Source
from sidegate.buckets.lending import PART
from sidegate.buckets.limits import parse_limits
from tests.simulation.holds.borrowing import SimBorrower
from tests.simulation.known import BY_TABLE
from tests.simulation.scenarios.bounds import SYNC, begin, decided_by
from tests.simulation.scenarios.deploys import replace
from tests.simulation.world import World

LIMIT: Final = "200/second"
BURST: Final = parse_limits(LIMIT).smallest_burst
RATE: Final = 200  # tokens a second
LENT: Final = BURST // PART
COUNTED: Final = {*BY_TABLE, Source.LEASE}  # not what was let through by `on_unreachable`
NEAR: Final = 0.008  # seconds from a decision to its answer, in peace
LATE: Final = 0.06  # seconds, where somebody doesn't answer


def _begin(
    seed: int, least: int, loss: float = 0.0
) -> tuple[World, list[str], str, list[SimBorrower]]:
    """Return a ring of some nodes, their names, a key, and three apps that ask about it."""
    world, names, [key] = begin(seed, least, 5, keys=1)
    load = world.random.choice([0.5, 1.0, 3.0])
    apps = [SimBorrower(world, key, LIMIT, load * RATE / 3, loss) for _ in range(3)]
    world.run(1.0 + world.random.random() / 2)
    return world, names, key, apps


def _end(world: World, key: str, apps: Sequence[SimBorrower], extra: float, since: int = 0) -> None:
    """Fail if an interval has let through more than a burst and what came back, and `extra`."""
    world.run(1.0)
    for app in apps:
        app.is_busy = False
    worst = most_beyond(it[0] for it in world.admitted[since:] if it[1] == key and it[3] in COUNTED)
    assert worst <= extra, world.say(f"{worst:.1f} tokens beyond, at most {extra:.1f}")
    assert sum(app.lent for app in apps), world.say("nothing was ever lent")


def most_beyond(admitted: Iterable[float]) -> float:
    """Return by how many tokens the worst interval is beyond a burst and what came back in it."""
    owed = worst = last = 0.0
    for at in sorted(admitted):
        owed = max(owed - (at - last) * RATE, 0.0) + 1
        worst, last = max(worst, owed), at
    return worst - BURST


def leases(seed: int) -> None:
    """Nobody comes or goes: exact but for how old an answer is."""
    world, _, key, apps = _begin(seed, 1)
    _end(world, key, apps, NEAR * RATE)


def leases_in_a_roll(seed: int) -> None:
    """Nodes are replaced while tokens are out: the same bound."""
    world, names, key, apps = _begin(seed, 2)
    for at, name in enumerate(names[:2]):
        replace(world, name, f"m{at}", alone=False)
        world.run(0.3)
    _end(world, key, apps, LATE * RATE)


def leases_and_a_standstill(seed: int) -> None:
    """An owner stands still while its tokens are out, and others decide in its place."""
    world, _, key, apps = _begin(seed, 2)
    owner = world.running[0].cluster.ring.pair(key)[0]
    world.network.pause(owner)
    world.run(world.random.choice([0.05, 0.15, 0.4, 1.5]))
    lost = decided_by(world, key, owner, SYNC) + LENT
    world.network.resume(owner)
    world.run(1.0)
    _end(world, key, apps, LATE * RATE + lost)


def leases_and_a_kill(seed: int) -> None:
    """An owner dies: what it had decided since its last sync is lost, lent or not."""
    world, _, key, apps = _begin(seed, 2)
    owner = world.running[0].cluster.ring.pair(key)[0]
    lost = decided_by(world, key, owner, SYNC) + decided_by(world, key, "", SYNC, {"lease"})
    world.crash(owner)
    world.run(1.0)
    _end(world, key, apps, LATE * RATE + lost + LENT)


def leases_in_a_split(seed: int) -> None:
    """Two sides go on, with a limit each; when they meet, what was out is all that is beyond."""
    world, names, key, apps = _begin(seed, 2)
    some = world.random.sample(names, 1 + world.random.randrange(len(names) - 1))
    world.network.split(some, [name for name in names if name not in some])
    world.run(1.0 + world.random.random())
    spent = len(world.admitted)
    world.network.heal()
    world.settle()
    _end(world, key, apps, LATE * RATE + LENT, spent)


def leases_that_get_lost(seed: int) -> None:
    """Words of leases get lost: too little is let through, never too much."""
    world, _, key, apps = _begin(seed, 1, loss=0.3)
    _end(world, key, apps, NEAR * RATE)


SMALL: Final[tuple[Callable[[int], object], ...]] = (
    leases,
    leases_in_a_roll,
    leases_and_a_standstill,
    leases_and_a_kill,
    leases_in_a_split,
    leases_that_get_lost,
)
