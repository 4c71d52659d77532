"""Scenarios of reservations: what stays charged is what was used, whoever was asked and went away.

An app reserves beside one node and commits beside another, twice at times, and is patient: it asks
until it is told. Without kills all is exact: charged less given back is what was used, and what is
held by who is still open. Kills lose what a node decided in its last moments, and nothing more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
from sidegate.protocol.messages import NOBODY
from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import SYNC, begin
from tests.simulation.scenarios.deploys import replace

if TYPE_CHECKING:
    from tests.simulation.world import World

LIMIT = "100000/year"  # a token in five minutes, and more than is ever held
BUSY = 4.0  # seconds
TTL = 1_500  # ms
AGAIN = 0.1  # seconds until an app asks again
REFILL = 1.0  # tokens that come back in a run, and are rounded up
LOSING = Faults(loss=0.03, resend=0.2, ordered=True)  # as TCP over a bad line


@dataclass
class Block:
    """What one app does: what it was told to have reserved, and what it has been told of it."""

    key: str
    amount: int
    actual: int | None  # None: it dies before it commits
    began: float
    held: int = 0
    id: str = ""
    settled: int | None = None
    settled_at: float = 0.0

    @property
    def most(self) -> int:
        """How many tokens may be charged for it whatever happens."""
        return max(self.held, self.amount, self.actual or 0)


@dataclass
class Apps:
    """Apps that reserve, add and commit, for some time from now on."""

    world: World
    keys: list[str]
    end: float = 0.0
    blocks: list[Block] = field(default_factory=list[Block])
    by_share: Counter[str] = field(default_factory=Counter[str])
    """Tokens that stay charged, since nobody who could have held them was asked."""

    def busy(self, seconds: float) -> None:
        """Have some begin now and then."""
        self.end = end = self.world.network.now + seconds

        def start() -> None:
            self._start()
            if self.world.network.now < end:
                self.world.network.plan(self.world.network.now + 0.05, start)

        start()

    def _node(self) -> str | None:
        world = self.world
        here = [it.name for it in world.running if not world.paused(it.name)]
        return world.random.choice(here) if here else None

    def _start(self) -> None:
        random = self.world.random
        amount = random.randrange(100, 500)
        actual = None if random.random() < 0.2 else random.randrange(2 * amount)
        block = Block(random.choice(self.keys), amount, actual, self.world.network.now)
        self.blocks.append(block)
        own = f"b{len(self.blocks)}" if random.random() < 0.5 else ""
        for _ in range(1 + (random.random() < 0.3 and own != "")):  # the same at two nodes at once
            self._ask(Reserve(0, 0, block.key, LIMIT, amount, TTL, own), partial(self._got, block))

    def _ask(self, asked: Reserve | Commit, done: Callable[[Reserved], None]) -> None:
        if name := self._node():
            self.world.asked += isinstance(asked, Reserve)
            self.world.nodes[name].holds.begin(asked, done)

    def _later(self, wait: float, work: Callable[[], None]) -> None:
        self.world.network.plan(self.world.network.now + wait, work)

    def _got(self, block: Block, told: Reserved) -> None:
        """Called with what came of a reservation: add to it, or commit it in some time."""
        random = self.world.random
        assert told.answer[0] in {0, 1}, self.world.say(str(told.answer))
        if told.source == Source.LOCAL and told.answer[0] == 1:
            self.by_share[block.key] += block.amount
        if not told.reservation or block.id:
            return
        block.id, block.held = told.reservation, told.held
        if random.random() < 0.3:
            more = Reserve(0, 0, block.key, LIMIT, 50, TTL, more=block.id)
            self._ask(more, partial(self._added, block))
        if block.actual is not None:
            wait = 2.5 * random.random() ** 2  # some after its end
            for _ in range(1 + (random.random() < 0.3)):
                self._later(wait, partial(self._commit, block, block.actual))

    def _added(self, block: Block, told: Reserved) -> None:
        if told.source == Source.LOCAL and told.answer[0] == 1:
            self.by_share[block.key] += 50
        elif told.answer[0] == 1 and told.reservation:
            block.id, block.held = told.reservation, told.held

    def _commit(self, block: Block, actual: int) -> None:
        """Commit, at whatever node, until one says that it is done."""

        def done(told: Reserved) -> None:
            assert isinstance(told.answer[0], int), self.world.say(str(told.answer))
            if told.source == NOBODY:
                self._later(AGAIN, partial(self._commit, block, actual))
            elif block.settled is None:
                block.settled, block.settled_at = told.held, self.world.network.now

        self._ask(Commit(0, 0, block.id, actual), done)
        if self._node() is None:
            self._later(AGAIN, partial(self._commit, block, actual))

    # --- what is charged

    def used(self, key: str) -> int:
        """Return how many tokens of a key were used, as far as apps were told of it."""
        return sum(it.settled or 0 for it in self.blocks if it.key == key) + self.by_share[key]

    def spent(self, key: str) -> float:
        """Return how many tokens the owner of a key has charged to it by now."""
        node = self.world.nodes[self.world.running[0].cluster.ring.pair(key)[0]]
        held = node.node.buckets.held(key, node.clock())
        [limit] = parse_limits(LIMIT).items
        return sum(debt for it, debt in held if it == limit) * 1e-9 * limit.tokens / limit.window


def rolls(seed: int) -> None:
    """All nodes are replaced meanwhile: all that was used stays charged."""
    world, names, keys = begin(seed, 2, 4, keys=3)
    apps = Apps(world, keys)
    apps.busy(BUSY)
    for at, name in enumerate(names):
        world.run(world.random.random())
        replace(world, name, f"m{at}", alone=False)
    _within(apps)


def steady(seed: int) -> None:
    """Nothing happens: what was used is charged, and nothing else."""
    world, _, keys = begin(seed, 1, 4, keys=3)
    apps = Apps(world, keys)
    apps.busy(BUSY)
    _over(apps)
    for key in keys:
        used, spent = apps.used(key), apps.spent(key)
        assert used - REFILL <= spent <= used + REFILL, world.say(
            f"{key}: {spent:.2f} charged, {used} used"
        )


def bad_lines(seed: int) -> None:
    """Messages are lost and said again, later than anybody waits: nothing is given back twice."""
    world, _, keys = begin(seed, 1, 4, LOSING, keys=3)
    apps = Apps(world, keys)
    apps.busy(BUSY)
    _within(apps)


def standstills(seed: int) -> None:
    """Nodes stand still meanwhile: all that was used stays charged."""
    world, names, keys = begin(seed, 2, 4, keys=3)
    apps = Apps(world, keys)
    apps.busy(BUSY)
    start = world.network.now
    while world.network.now < start + BUSY:
        name = world.random.choice(names)
        if not world.paused(name):
            world.network.pause(name)
            until = world.network.now + 0.03 * 33 ** world.random.random()
            world.network.plan(until, partial(world.network.resume, name))
        world.run(world.random.random())
    _within(apps)


def deaths(seed: int) -> None:
    """Nodes are killed meanwhile and come back with nothing: too much is given back of nothing."""
    world, names, keys = begin(seed, 3, 5, keys=3)
    apps = Apps(world, keys)
    apps.busy(BUSY)
    start, kills = world.network.now, list[float]()
    while world.network.now < start + BUSY:
        name = world.random.choice(names)
        if world.network.is_up(name):
            world.crash(name)
            kills.append(world.network.now)
        world.run(0.5 + world.random.random())
        world.settle(60.0)
        if not world.network.is_up(name):
            world.start(name)
        world.settle(60.0)
        world.quiesce()
        world.run(0.3)  # copies of copies
    _within(apps, kills)


def _over(apps: Apps) -> None:
    """Have all that was begun come to its end."""
    apps.world.run(max(apps.end - apps.world.network.now, 0.0) + TTL / 1000 + 2.0)
    apps.world.quiesce()
    apps.world.run(1.0)


def _within(apps: Apps, kills: Sequence[float] = ()) -> None:
    """Fail unless what was used is charged, but for what was charged just before a kill.

    What was given back may be charged again, by a copy from before: too little, never too much.
    """
    _over(apps)
    for key in apps.keys:
        blocks = [it for it in apps.blocks if it.key == key]
        lost = [it for it in blocks if any(_is_near(it, at) for at in kills)]
        least = apps.used(key) - sum(it.settled or 0 for it in lost)
        most = sum(2 * it.most for it in blocks) + apps.by_share[key]
        spent = apps.spent(key)
        assert least - REFILL <= spent <= most + REFILL, apps.world.say(
            f"{key}: {spent:.2f} charged, {least} to {most} expected"
        )


def _is_near(block: Block, kill: float) -> bool:
    """Was it charged or committed so late before a kill that no other node may know of it?"""
    moments = (block.began, block.settled_at)
    return any(it <= kill + SYNC and kill - it <= 2 * SYNC for it in moments)


SMALL: Final[tuple[Callable[[int], object], ...]] = (
    steady,
    bad_lines,
    rolls,
    standstills,
    deaths,
)
