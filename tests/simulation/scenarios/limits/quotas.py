"""Scenarios of quotas: windows begin and end while nodes come, go and fail, and clocks differ."""

from collections import Counter

from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.protocol.messages import Answers
from tests.simulation.known import BY_TABLE
from tests.simulation.nodes import SKEW, WALL
from tests.simulation.scenarios.bounds import SYNC, begin
from tests.simulation.scenarios.deploys import replace
from tests.simulation.world import World

QUOTA = "10/10 seconds window"
EVERY = 0.03  # seconds from one check to the next
WINDOWS = 5
SKEWED = SKEW / SECOND  # seconds that a clock is off at most
LENGTH = 10.0  # seconds of each


class Spent:
    """What was admitted of each key in each window, as those say who decided."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.counts = Counter[tuple[str, int]]()

    def check(self, node: str, key: str) -> None:
        """Have the app beside a node ask once."""

        def heard(answers: Answers) -> None:
            [answer] = answers.answers
            if answer[0] == 1 and str(answers.source) in BY_TABLE:
                assert isinstance(answer, list)
                self.counts[key, answer[-1]] += 1

        self._world.check(node, key, QUOTA, heard=heard)

    def go_on(self, keys: list[str], until: float) -> None:
        """Ask about random keys until then, ten times as often as their quotas allow."""
        world = self._world
        while world.network.now < until:
            node = world.random.choice(world.members).name
            self.check(node, world.random.choice(keys))
            world.run(EVERY)

    def most(self) -> int:
        """Return what was admitted at most of a key in a window."""
        return max(self.counts.values(), default=0)


def quotas(seed: int) -> World:
    """Nodes are replaced while windows begin: of each key just its quota in each of them.

    Clocks differ by up to half a second. Only where a node comes or goes in the last moment of a
    window, by one of their clocks, its keys may have their quotas of that window again.
    """
    world, names, keys = begin(seed, 2, 5, keys=3)
    spent = Spent(world)
    began = world.network.now
    moves: list[tuple[float, float]] = []
    for at, name in enumerate(names):
        spent.go_on(keys, world.network.now + world.random.random() * LENGTH)
        begins = world.network.now
        replace(world, name, f"m{at}", alone=False)
        moves.append((begins, world.network.now))
    spent.go_on(keys, max(world.network.now, began + WINDOWS * LENGTH))
    tokens = parse_limits(QUOTA).smallest_burst
    for (key, number), count in spent.counts.items():
        end = number * LENGTH - WALL / SECOND
        moved = any(begins - 2 * SKEWED < end < ends + 2 * SKEWED for begins, ends in moves)
        most = 2 * tokens if moved else tokens
        assert count <= most, world.say(f"{key}, {end} s: {count} in a window, at most {most}")
    assert spent.most() >= tokens, world.say(f"at most {spent.most()} in a window")
    numbers = sorted({number for _, number in spent.counts})
    assert len(numbers) >= WINDOWS, world.say(f"only windows {numbers}")
    return world


def quotas_and_fail(seed: int) -> World:
    """Nodes are killed meanwhile: what is lost of a window is what they decided at the end."""
    world, names, keys = begin(seed, 3, 6, keys=3)
    spent = Spent(world)
    killed = names[: len(names) - 2]
    for name in killed:
        spent.go_on(keys, world.network.now + world.random.random() * LENGTH)
        world.crash(name)
        world.settle()
    spent.go_on(keys, world.network.now + LENGTH)
    most = parse_limits(QUOTA).smallest_burst + len(killed) * (1 + SYNC / EVERY)
    assert spent.most() <= most, world.say(f"{spent.most()}, at most {most}: {spent.counts}")
    return world
