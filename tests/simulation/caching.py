"""The cache of a simulated node: the real one, and apps that ask it, fill it, and may die of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.protocol.cache_messages import (
    CacheDelete,
    CacheGet,
    CacheMessage,
    CacheSet,
    CacheState,
    CacheValues,
)
from sidegate_sidecar.cache.cache_node import CacheNode
from sidegate_sidecar.cache.fills import MAX_LEASE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate_sidecar.cache.fills import Source
    from tests.simulation.nodes import SimNode

MAX_BYTES = 20_000  # a dozen values of the largest size
PATIENCE = SECOND // 25
LEASE = 2_000_000  # us
TTL = 3_000_000  # us; as long again as stale
ANSWERED = (CacheState.HIT, CacheState.STALE, CacheState.MISS, CacheState.LOST)
FILLS = (CacheState.FILL, CacheState.STALE_FILL)


class SimCache:
    """What one node keeps. Each question comes from an app of its own."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._network = node.network
        self.cache = CacheNode(
            self, MAX_BYTES, first=1 + node.network.random.randrange(1 << 29), patience=PATIENCE
        )
        self._asked: dict[int, str] = {}  # the key, by app
        self._filling: set[int] = set()
        self._last_app = 0
        self.loads = 0
        self.given: list[tuple[float, float]] = []  # when a value was made, and when it was given

    @property
    def open(self) -> int:
        """How many apps wait for an answer."""
        return len(self._asked)

    # --- apps

    def get_or_set(self, key: str) -> None:
        """Have an app ask for a value, and fill it if it may; one in ten dies over it.

        It waits as long as a lease.
        """
        self._last_app += 1
        app = self._last_app
        self._asked[app] = key

        def give_up() -> None:
            if app in self._asked and app not in self._filling:
                del self._asked[app]
                self.cache.left(app, self._node.clock())

        self._network.at(self._network.now + LEASE * 1e-6, self._node.name, give_up)
        question = CacheGet(1, 0, "users", [key], LEASE)
        self.cache.on_message(app, question, self._node.clock())

    def delete(self, key: str) -> None:
        """Have an app delete a value."""
        self._last_app += 1
        message = CacheDelete(1, 0, "users", [key])
        self.cache.on_message(self._last_app, message, self._node.clock())

    def _told(self, app: int, message: CacheValues) -> None:
        if app not in self._asked:
            return
        key = self._asked[app]
        for _, state, _, token, data in message.rows:
            if data:
                self.given.append((float(data.split()[0]), self._network.now))
            if state in FILLS:
                self._fill(app, key, token)
            elif state in ANSWERED:
                del self._asked[app]

    def _fill(self, app: int, key: str, token: int) -> None:
        self.loads += 1
        self._filling.add(app)
        random = self._network.random
        wait = random.choice([0.001, 0.1, 0.1, 1.0, 4.0])
        dies = random.random() < 0.1
        made = f"{self._network.now} ".encode().ljust(random.randrange(20, 1_500))

        def done() -> None:
            self._asked.pop(app, None)
            self._filling.discard(app)
            now = self._node.clock()
            if not dies:
                self.cache.on_message(app, CacheSet(2, 0, "users", key, token, TTL, TTL, made), now)
            self.cache.left(app, now)

        self._network.at(self._network.now + wait, self._node.name, done)

    # --- its node

    def hear(self, sender: str, message: CacheMessage) -> None:
        """Handle what another node says."""
        self.cache.on_message(sender, message, self._node.clock())

    def left(self, name: str) -> None:
        """Note the loss of a link."""
        self.cache.left(name, self._node.clock())

    def ring_changed(self) -> None:
        """Note another ring."""
        self.cache.ring_changed(self._node.clock())

    def tick(self) -> None:
        """Do what is due, unless it is idle, and look whether it is within its bounds."""
        now = self._node.clock()
        if not self.cache.is_idle:
            self.cache.tick(now)
        owner = self.cache.owner
        assert owner.store.bytes <= MAX_BYTES, "more bytes than may be"
        for fill in owner.fills._fills.values():
            assert fill.ends - MAX_LEASE <= now <= fill.ends, "a lease is held for ever"

    # --- what the cache has around it

    @property
    def name(self) -> str:
        """The name of the node."""
        return self._node.name

    def owner(self, place: str) -> str:
        """Return who owns it."""
        ring = self._node.cluster.ring
        return ring.owner(place) if len(ring) else ""

    def owners(self) -> Iterable[str]:
        """Return all on the ring."""
        return self._node.cluster.ring.nodes

    def is_up(self, name: str) -> bool:
        """Tell if messages to a node arrive, as far as we know."""
        return self._node.is_up(name)

    def doubt(self, name: str) -> None:
        """Doubt a node."""
        self._node.cluster.doubt(name, self._node.clock())

    def post(self, to: Source, message: CacheMessage) -> None:
        """Send."""
        if isinstance(to, str):
            self._network.send(self.name, to, message)
        elif isinstance(message, CacheValues):
            self._told(to, message)
