"""Apps on a simulated network that spend what an owner lends them, as real ones do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned

if TYPE_CHECKING:
    from tests.simulation.world import World

WANTED_FOR = 0.1  # seconds: as many tokens are asked for as are spent in it
IDLE = 0.5  # of a lease: it is given back if nothing was spent of it for so long


class SimBorrower:
    """One app, which asks for tokens of one key, so many a second on an average, beside any node.

    It spends what it has been lent, by its own clock. Only what it hasn't is asked by a check. So
    often (`loss`) what it says or is told of a lease gets lost.
    """

    def __init__(self, world: World, key: str, limits: str, rate: float, loss: float = 0.0) -> None:
        self.lent = 0  # tokens, ever
        self.is_busy = True
        self._world = world
        self._key = key
        self._limits = limits
        self._rate = rate
        self._loss = loss
        self._node = ""
        self._tokens = self._half = self._number = 0
        self._until = self._quiet_until = self._spent_at = 0.0
        self._asks = False
        self._next()

    def _next(self) -> None:
        network = self._world.network
        network.plan(network.now + self._world.random.expovariate(self._rate), self._turn)

    def _turn(self) -> None:
        """Spend a token, and have the next one come."""
        if not self.is_busy:
            return
        world, now = self._world, self._world.network.now
        up = [it.name for it in world.running if not world.paused(it.name)]
        if self._node not in up and up:  # its sidecar is gone: what it was lent is its own
            self._node = world.random.choice(up)
        if now >= self._until:
            self._tokens = 0
        if self._tokens:
            self._tokens -= 1
            self._spent_at = now
            world.admitted.append((now, self._key, "", "lease"))
        elif up:
            world.check(self._node, self._key, self._limits)
        if up and self._tokens <= self._half and now >= self._quiet_until and not self._asks:
            self._borrow(now)
        self._next()

    def _borrow(self, now: float) -> None:
        self._asks = True
        wanted = max(int(self._rate * WANTED_FOR), 1)
        asked = Borrow(0, 0, 50_000, self._key, self._limits, wanted)
        node, world = self._node, self._world
        world.network.plan(now + 0.2, self._forget)
        world.nodes[node].holds.begin(asked, lambda lent: self._got(lent, now))

    def _forget(self) -> None:
        self._asks = False  # its sidecar has died over it, or it was answered long ago

    def _got(self, lent: Lent, asked_at: float) -> None:
        now = self._world.network.now
        self._asks = False
        self._quiet_until = now + lent.pause * 1e-6
        if not lent.tokens or self._is_lost():
            return
        self._give_back()
        self.lent += lent.tokens
        self._tokens, self._half = lent.tokens, lent.tokens // 2
        self._number, self._until = lent.number, asked_at + lent.lasts * 1e-6
        self._spent_at = now
        self._world.network.plan(now + lent.lasts * 1e-6 * IDLE, self._look)

    def _look(self) -> None:
        idle = (self._until - self._spent_at) * IDLE
        if self._number and self._world.network.now - self._spent_at >= idle:
            self._give_back()

    def _is_lost(self) -> bool:
        return self._world.random.random() < self._loss

    def _give_back(self) -> None:
        """Say what is left of the lease, by any node that runs."""
        world = self._world
        up = world.network.is_up(self._node) and not world.paused(self._node)
        if self._number and up and not self._is_lost():
            row = (self._key, self._limits, self._number, self._tokens)
            world.nodes[self._node].node.leases.take_back(Returned(0, [row]))
        self._tokens = self._number = 0
