"""A few real Syncs in one room: messages arrive in order, or are lost when a test says so."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.buckets.store import MAX_MEMORY
from sidegate.protocol.messages import Buckets, Part
from sidegate_ring.hashring import Ring
from sidegate_sidecar.replication.sync import Sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.protocol.messages import NodeMessage
    from sidegate_sidecar.replication.outgoing.sending import Sends

    Post: TypeAlias = tuple[str, str, NodeMessage]  # sender, receiver, message

START = 10**15
MS = 10**6  # ns
YEARLY = "1000/year"  # a token is back after 9 hours: not while a test lasts
TOKEN = 365 * 86_400 * 10**6  # ns of debt for one of them
MAX_MESSAGES = 2_000  # that one event may lead to: more is a loop


def ring_of(names: Iterable[str]) -> Ring:
    """Return the ring of nodes that are named by a letter each."""
    return Ring(list(names), points=16)


def key_of(ring: str, *order: str) -> str:
    """Return a key that is asked of these nodes in this order, as far as they go."""
    keys = (f"key{at}" for at in range(10_000))
    return next(key for key in keys if ring_of(ring).owners(key, len(order)) == order)


def nothing(_sender: str, _to: str, _message: NodeMessage) -> bool:
    """Lose no message."""
    return False


def everything(_sender: str, _to: str, _message: NodeMessage) -> bool:
    """Lose every message."""
    return True


def only(kind: type[object]) -> Callable[[str, str, NodeMessage], bool]:
    """Lose messages of a kind."""

    def lost(_sender: str, _to: str, message: NodeMessage) -> bool:
        return isinstance(message, kind)

    return lost


class Syncs:
    """Nodes a, b, c, … that are on the ring from the beginning, and those that come later.

    `cut` has pairs that can't reach each other and know it; `lost` says of which messages nobody
    knows that they didn't arrive. `log` has all that were sent.
    """

    def __init__(self, names: str, max_memory: int = MAX_MEMORY) -> None:
        self.now = START
        self.log: list[Post] = []
        self.cut: set[frozenset[str]] = set()
        self.lost: Callable[[str, str, NodeMessage], bool] = nothing
        self.tables: dict[str, BucketTable] = {}
        self.nodes: dict[str, Sync] = {}
        self.serial = 0  # of the last check that a node decided in place of its owner
        self._max_memory = max_memory
        self._waiting: list[Post] = []
        for name in names:
            self.add(name)
        self.ring_is(names)
        self.settle()
        self.log.clear()

    def __getitem__(self, name: str) -> Sync:
        return self.nodes[name]

    def add(self, name: str) -> None:
        """Have one more node, which is not on the ring yet."""
        self.tables[name] = BucketTable(self._max_memory)

        def usable(other: str) -> bool:
            return other in self.nodes and frozenset((name, other)) not in self.cut

        self.nodes[name] = Sync(name, self.tables[name], usable, Ring())

    def remove(self, name: str) -> None:
        """Have a node be gone, as all others know."""
        del self.nodes[name], self.tables[name]
        for node in self.nodes.values():
            node.unreachable(name, self.now)
            node.gone(name)

    def ring_is(self, names: str, seen_by: str | None = None) -> None:
        """Have all see this ring, or only some."""
        for name in self.nodes if seen_by is None else seen_by:
            self.nodes[name].ring_changed(ring_of(names))

    # --- messages

    def post(self, sender: str, outgoing: Sends) -> None:
        """Send messages; they wait until they are delivered."""
        for to, message in outgoing:
            self.log.append((sender, to, message))
            if not self.lost(sender, to, message):
                self._waiting.append((sender, to, message))

    def deliver(self) -> None:
        """Have all messages arrive, and those that they lead to."""
        for _ in range(MAX_MESSAGES):
            if not self._waiting:
                return
            sender, to, message = self._waiting.pop(0)
            if to in self.nodes and frozenset((sender, to)) not in self.cut:
                self.post(to, self.nodes[to].step(sender, message, self.now))
        raise AssertionError("they don't stop talking")

    def tick(self, ms: int = 0, by: str | None = None) -> None:
        """Let time pass, and nodes do what is due; their messages arrive."""
        self.now += ms * MS
        for name in list(self.nodes) if by is None else by:
            self.post(name, self.nodes[name].tick(self.now))
        self.deliver()

    def settle(self) -> None:
        """Go on until all is where it should be."""
        for _ in range(MAX_MESSAGES):
            self.tick(100)
            if all(node.idle for node in self.nodes.values()) and not self._waiting:
                self._agree()
                return
        raise AssertionError("they don't settle")

    def _agree(self) -> None:
        """Have all know that they hold the same ring, if they do."""
        if len({node.ring.digest for node in self.nodes.values()}) == 1:
            for node in self.nodes.values():
                node.settle()

    def sent(self, sender: str = "", to: str = "", kind: type[object] = Buckets) -> list[Post]:
        """Return the messages of a kind, from one node, to one node."""
        return [
            post
            for post in self.log
            if isinstance(post[2], kind) and sender in {"", post[0]} and to in {"", post[1]}
        ]

    def rows(self, sender: str = "", to: str = "") -> Counter[str]:
        """Return how often each key was sent, from one node, to one node."""
        posts = [message for _, _, message in self.sent(sender, to)]
        groups = [group for it in posts if isinstance(it, Buckets) for group in it.groups]
        return Counter(key for _, keys, _ in groups for key in keys)

    # --- checks

    def charge(self, name: str, key: str, text: str = YEARLY, cost: int = 1) -> bool:
        """Have a node decide a check; tell if it was allowed."""
        allowed, _ = self.tables[name].take(key, parse_limits(text), cost, self.now)
        if allowed and cost:
            self.nodes[name].changed.add((key, text, cost))
        return allowed

    def stand_in(self, name: str, key: str, text: str = YEARLY, cost: int = 1) -> bool:
        """Have a node decide a check in place of its owner; tell if it was allowed."""
        limits = parse_limits(text)
        allowed, _ = self.tables[name].take(key, limits, cost, self.now)
        node = self.nodes[name]
        self.serial += 1
        charge = self.serial, 0, cost if allowed else 0
        node.stood_in(node.ring.pair(key)[0], (key, text, cost), limits, charge, self.now)
        return allowed

    def charge_all(self, keys: Iterable[str], ring: str, cost: int = 1) -> None:
        """Have the owner of each key decide a check."""
        for key in keys:
            assert self.charge(ring_of(ring).pair(key)[0], key, cost=cost)

    def tokens(self, name: str, key: str) -> int:
        """Return how many tokens a key owes of YEARLY, as far as a node knows."""
        _, debts = self.tables[name].debts(YEARLY, (key,), self.now, 0)
        return -(-sum(debts) // TOKEN)

    def holders(self, key: str, tokens: int = 1) -> set[str]:
        """Return the nodes that know of at least so many tokens that a key owes."""
        return {name for name in self.nodes if self.tokens(name, key) >= tokens}

    # --- a node comes, or leaves

    def pull(self, name: str, ring: str, part: Part = Part.ALL) -> None:
        """Have a node ask the others of a ring; nothing arrives yet."""
        self.post(name, self.nodes[name].pull([it for it in ring if it != name], part))

    def flush_out(self, name: str) -> None:
        """Have a node send its last changes before it leaves the ring."""
        self.nodes[name].keep_short = True
        self.post(name, self.nodes[name].flush(self.now, at_once=True))
