"""Scenarios of storms: anything happens to any node, and when it ends the ring is whole soon."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.simulation.scenarios.bounds import HEALED_WITHIN, MAX_MESSAGES, SLOW, WHOLE_WITHIN, begin
from tests.simulation.world import World

SECONDS: Final = 30.0


@dataclass
class _Storm:
    world: World
    names: list[str]
    kinds: int  # of what can happen: the first four leave all ways open

    def strike(self) -> None:
        """Have something happen to a random node."""
        world, random = self.world, self.world.random
        name = random.choice(self.names)
        if not world.network.is_up(name):
            world.start(name)
            return
        match random.randrange(self.kinds):
            case 0 | 1:
                if len(world.running) > 1:
                    world.crash(name)
            case 2:
                world.network.pause(name)
                until = world.network.now + random.random() * 6
                world.network.plan(until, partial(self._resume, name))
            case 3:
                world.nodes[name].leave(2.0)
            case 4:
                one, other = random.sample(self.names, 2)
                world.network.cut(one, other)
            case _:
                world.network.heal()

    def _resume(self, name: str) -> None:
        if self.world.network.is_up(name):
            self.world.network.resume(name)

    def end(self) -> None:
        """Have all nodes run again, without faults."""
        world = self.world
        world.network.heal()
        for name in self.names:
            if not world.network.is_up(name):
                world.start(name)
            elif world.paused(name):
                world.network.resume(name)
            elif world.nodes[name] not in world.members:
                world.crash(name)
                world.start(name)


def storm(seed: int) -> None:
    """Anything happens to any node, again and again; when it ends the ring is whole soon."""
    _storm(seed, 6)


def bustle(seed: int) -> None:
    """Nodes crash, stand still, leave and come, all ways open: who answers knew all it could."""
    _storm(seed, 4)


def _storm(seed: int, kinds: int) -> None:
    world, names, keys = begin(seed, 3, 7, keys=4)
    it = _Storm(world, names, kinds)
    world.traffic(SECONDS, 0.05, keys, SLOW)
    sent = world.network.sent.total() - world.network.of_checks
    end = world.network.now + SECONDS
    while world.network.now < end:
        it.strike()
        world.run(0.05 + world.random.random() * 2)
    it.end()
    world.settle(HEALED_WITHIN)
    sent = world.network.sent.total() - world.network.of_checks - sent
    rate = sent / (SECONDS * len(names))
    assert rate < MAX_MESSAGES, world.say(f"{rate:.0f} messages a node a second")
    world.quiesce()


def kills(seed: int) -> None:
    """Nodes are killed and started again at random; 5 s after the end all hold one ring."""
    world, names, keys = begin(seed, 3, 6, keys=4)
    world.traffic(SECONDS, 0.02, keys, SLOW)
    end = world.network.now + SECONDS
    while world.network.now < end:
        name = world.random.choice(names)
        if not world.network.is_up(name):
            world.start(name)
        elif len(world.running) > 1:
            world.crash(name)
        world.run(world.random.random() * 3)
    for name in names:
        if not world.network.is_up(name) and world.random.random() < 0.5:
            world.start(name)
    world.settle(WHOLE_WITHIN)
