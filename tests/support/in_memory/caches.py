"""Caches of several nodes without links: messages wait in order until they are carried."""

from collections import deque
from collections.abc import Iterable

from sidegate.buckets.limits import SECOND
from sidegate.protocol.cache_messages import (
    CacheDone,
    CacheForget,
    CacheGet,
    CacheMessage,
    CacheSet,
    CacheState,
    CacheValues,
)
from sidegate_ring.hashring import Ring
from sidegate_sidecar.cache.cache_node import CacheNode, place_of
from sidegate_sidecar.cache.fills import Source

PATIENCE = SECOND // 20
LEASE = 2_000_000  # us
HOUR = 3_600_000_000  # us


class Surroundings:
    """What one node has around it: the others of a set of caches, and apps, which are numbers."""

    def __init__(self, caches: "Caches", name: str) -> None:
        self.name = name
        self.doubted: list[str] = []
        self.caches = caches
        self.ring = Ring()

    def owner(self, place: str) -> str:
        """Return who owns it by the ring that this node has."""
        return self.ring.owner(place) if len(self.ring) else ""

    def owners(self) -> Iterable[str]:
        """Return all on that ring."""
        return self.ring.nodes

    def is_up(self, name: str) -> bool:
        """Is it linked?"""
        return name in self.caches.nodes and name not in self.caches.away

    def doubt(self, name: str) -> None:
        """Note a doubt."""
        self.doubted.append(name)

    def post(self, to: Source, message: CacheMessage) -> None:
        """Send."""
        if isinstance(to, int):
            self.caches.told.setdefault((self.name, to), []).append(message)
        elif self.is_up(to):
            self.caches.wire.append((self.name, to, message))


class Caches:
    """Some nodes on one ring. Who is `silent` gets nothing and says nothing.

    Where they `rest`, a node that is idle isn't told the time, as in a sidecar.
    """

    def __init__(self, *names: str, max_bytes: int = 1 << 20, rest: bool = False) -> None:
        self.now = 0
        self.rest = rest
        self.wire: deque[tuple[str, str, CacheMessage]] = deque()
        self.told: dict[tuple[str, int], list[CacheMessage]] = {}
        self.away: set[str] = set()
        self.silent: set[str] = set()
        self.around: dict[str, Surroundings] = {}
        self.nodes: dict[str, CacheNode] = {}
        self._id = 0
        for name in names:
            self.start(name, max_bytes)
        self.place(*names)

    def start(self, name: str, max_bytes: int = 1 << 20) -> None:
        """Start a node, which isn't on the ring yet."""
        self.around[name] = Surroundings(self, name)
        self.nodes[name] = CacheNode(
            self.around[name], max_bytes, first=len(self.around), patience=PATIENCE
        )

    def place(self, *names: str) -> None:
        """Have these on the ring, for all."""
        for name, around in self.around.items():
            around.ring = Ring(names)
            if name in self.nodes:
                self.nodes[name].ring_changed(self.now)

    def awake(self) -> str:
        """Return the names of those who aren't idle."""
        return "".join(name for name, node in self.nodes.items() if not node.is_idle)

    def kill(self, name: str) -> None:
        """End a node at once; its links break."""
        del self.nodes[name]
        self.wire = deque(it for it in self.wire if name not in it[:2])
        for node in self.nodes.values():
            node.left(name, self.now)
        self.carry()

    def key_of(self, owner: str, name: str = "users", skip: int = 0) -> str:
        """Return a key that a node owns."""
        ring = next(iter(self.around.values())).ring
        keys = (f"k{at}" for at in range(10_000))
        owned = [key for key in keys if ring.owner(place_of((name, key))) == owner]
        return owned[skip]

    def carry(self) -> None:
        """Deliver all that is on its way, and what comes of it."""
        while self.wire:
            sender, to, message = self.wire.popleft()
            if to in self.nodes and not {sender, to} & self.silent:
                self.nodes[to].on_message(sender, message, self.now)

    def wait(self, seconds: float) -> None:
        """Let time go by, with what is due."""
        until = self.now + int(seconds * SECOND)
        while self.now < until:
            self.now = min(self.now + PATIENCE // 2, until)
            self.tick()

    def tick(self) -> None:
        """Do what is due now."""
        for _ in range(10_000):
            here = [node for name, node in self.nodes.items() if name not in self.silent]
            work = [node.tick(self.now) for node in here if not (self.rest and node.is_idle)]
            if not self.wire and not any(work):
                return
            self.carry()
        raise AssertionError("it never ends")

    # --- apps

    def say(self, node: str, app: int, message: CacheMessage) -> None:
        """Have an app say something to its node."""
        self.nodes[node].on_message(app, message, self.now)
        self.carry()

    def get(
        self, node: str, app: int, *keys: str, lease: int = 0, near: int = 0, name: str = "users"
    ) -> int:
        """Ask; return the id."""
        self._id += 1
        self.say(node, app, CacheGet(self._id, 0, name, list(keys), lease, near))
        return self._id

    def set(
        self, node: str, app: int, key: str, data: bytes, *,
        token: int = 0, ttl: int = HOUR, stale: int = 0, name: str = "users",
    ) -> bool | None:  # fmt: skip
        """Keep a value; is it kept? None without an answer."""
        self._id += 1
        self.say(node, app, CacheSet(self._id, 0, name, key, token, ttl, stale, data))
        return next((it.count == 1 for it in self.done(node, app) if it.id == self._id), None)

    def done(self, node: str, app: int) -> list[CacheDone]:
        """Return what was said to be done."""
        return [it for it in self.told.get((node, app), []) if isinstance(it, CacheDone)]

    def forgotten(self, node: str, app: int) -> list[tuple[str, list[str]]]:
        """Return what an app was told to keep no copies of."""
        told = self.told.get((node, app), [])
        return [(it.name, it.keys) for it in told if isinstance(it, CacheForget)]

    def rows(self, node: str, app: int, number: int) -> list[tuple[int, CacheState, int, bytes]]:
        """Return the answers to a question: place, state, token and value."""
        told = self.told.get((node, app), [])
        answers = [it for it in told if isinstance(it, CacheValues) and it.id == number]
        return [(row[0], row[1], row[3], row[4]) for it in answers for row in it.rows]

    def states(self, node: str, app: int, number: int) -> list[CacheState]:
        """Return the states in the answers to a question."""
        return [row[1] for row in self.rows(node, app, number)]

    def value(self, node: str, app: int, key: str) -> bytes | None:
        """Return the value of a key, fresh or stale, None if there is none."""
        rows = self.rows(node, app, self.get(node, app, key))
        given = (CacheState.HIT, CacheState.STALE)
        return rows[0][3] if rows and rows[0][1] in given else None
