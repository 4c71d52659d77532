"""A few real Clusters in one room with a clock of its own; links come up and break as told."""

from collections.abc import Callable, Iterable
from random import Random
from typing import TypeAlias

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.protocol.messages import Gossip, Message, NodeMessage
from sidegate.protocol.standing_messages import OnSplit
from sidegate_ring.membership.membership import Member, Timing
from sidegate_sidecar.cluster.cluster import Cluster, Stage

Post: TypeAlias = tuple[str, str, NodeMessage]  # sender, receiver, message

START = 10**15
STEP = SECOND // 100
YEARLY = "1000/year"  # a token is back after 9 hours: not while a test lasts
TOKEN = 365 * 86_400 * 10**6  # ns of debt for one of them
MAX_MESSAGES = 5_000  # that one event may lead to: more is a loop


def nobody(_: Post) -> bool:
    """Lose no message."""
    return False


class Port:
    """The links of one node."""

    def __init__(self, room: "Room", name: str) -> None:
        self._room = room
        self._name = name
        self.rings_seen = 0
        self.forgotten: list[str] = []

    def forget(self, key: str, begins: bool) -> None:  # as Cluster.on_reset
        """Note which keys the apps were told to forget; with a "*" those that begin so."""
        self.forgotten.append(f"{key}*" if begins else key)

    def post(self, name: str, message: NodeMessage, /) -> None:
        """Send a message, which waits until it is delivered."""
        self._room.post(self._name, name, message)

    def is_up(self, name: str, /) -> bool:
        """Tell if there is a link that hasn't broken."""
        return frozenset((self._name, name)) in self._room.links

    def lacks(self, name: str, kind: type[Message], /) -> str:
        """All are of this release."""
        assert name != kind.__name__
        return ""

    def members_changed(self, changed: list[Member], /) -> None:
        """Have a link to each of the living."""
        self._room.to_dial += [(self._name, it.name) for it in changed if it.living]

    def ring_changed(self) -> None:
        """Count it."""
        self.rings_seen += 1


class Room:
    """Nodes a, b, c, …. Messages of `stopped` nodes wait; `lost` says which vanish."""

    def __init__(
        self,
        names: str = "",
        timing: Timing | None = None,
        on_split: OnSplit = OnSplit.OPTIMISTIC,
    ) -> None:
        self.on_split = on_split
        self.now = START
        self.timing = timing or Timing()
        self.nodes: dict[str, Cluster] = {}
        self.stages: dict[str, list[Stage]] = {}
        self.ports: dict[str, Port] = {}
        self.links: set[frozenset[str]] = set()
        self.to_dial: list[tuple[str, str]] = []
        self.stopped: set[str] = set()
        self.lost: Callable[[Post], bool] = nobody
        self.log: list[Post] = []
        self._waiting: list[Post] = []
        self._next_tick: dict[str, int] = {}
        self._random = Random(1)
        for name in names:
            self.add(name)
            self.join(name)

    def __getitem__(self, name: str) -> Cluster:
        return self.nodes[name]

    def add(self, name: str, *, leaf: bool = False, address: str = "", knows: str = "") -> Cluster:
        """Have one more node, connected with all (or those that it knows), in stage STARTING."""
        self.stages[name] = []
        port = self.ports[name] = Port(self, name)
        node = Cluster(
            name,
            address or f"{name}:4222",
            BucketTable(),
            port,
            incarnation=self.now // SECOND + len(self.log),
            randrange=self._random.randrange,
            now=self.now,
            leaf=leaf,
            on_split=self.on_split,
            timing=self.timing,
            on_ring=port.ring_changed,
            on_reset=port.forget,
        )
        node.place.on_stage = self.stages[name].append
        others = [other for other in self.nodes if not knows or other in knows]
        self.nodes[name] = node
        self._next_tick[name] = self.now
        for other in others:
            self.connect(name, other)
        self.deliver()
        return node

    def join(self, name: str) -> None:
        """Have a node take its place, and wait until it has."""
        self.nodes[name].place.join(self.now)
        self.run_until(lambda: self.nodes[name].place.joined)
        self.run(0.3)

    # --- links

    def connect(self, name: str, other: str) -> None:
        """Have a link come up."""
        link = frozenset((name, other))
        if link not in self.links and {name, other} <= self.nodes.keys() and name != other:
            self.links.add(link)
            for it, peer in ((name, other), (other, name)):
                self.nodes[it].on_connected(peer, self.now)

    def disconnect(self, name: str, other: str) -> None:
        """Have a link break, and what was on its way be lost."""
        self.links.discard(frozenset((name, other)))
        self._waiting = [it for it in self._waiting if {it[0], it[1]} != {name, other}]
        for it, peer in ((name, other), (other, name)):
            if it in self.nodes and it not in self.stopped:
                self.nodes[it].on_disconnected(peer, self.now)

    def crash(self, name: str) -> None:
        """Have a process end."""
        del self.nodes[name]
        for link in [link for link in self.links if name in link]:
            (other,) = link - {name}
            self.disconnect(name, other)

    def post(self, sender: str, to: str, message: NodeMessage) -> None:
        """Send a message, if there is a link."""
        post = sender, to, message
        self.log.append(post)
        if frozenset((sender, to)) in self.links and not self.lost(post):
            self._waiting.append(post)

    def deliver(self) -> None:
        """Have links come up, all messages arrive, and what that leads to."""
        for _ in range(MAX_MESSAGES):
            while self.to_dial:
                self.connect(*self.to_dial.pop(0))
            at = next((at for at, it in enumerate(self._waiting) if it[1] not in self.stopped), -1)
            if at < 0:
                return
            sender, to, message = self._waiting.pop(at)
            if to in self.nodes:
                self.nodes[to].step(sender, message, self.now, f"10.0.0.{ord(sender)}")
        raise AssertionError("they don't stop talking")

    # --- time

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + int(seconds * SECOND)
        while self.now < end:
            self.now += STEP
            for name in list(self.nodes):
                if name not in self.stopped and self._next_tick[name] <= self.now:
                    node = self.nodes[name]
                    self._next_tick[name] = self.now + node.tick(self.now)
            self.deliver()

    def run_until(self, condition: Callable[[], object], within: float = 30) -> float:
        """Let time pass until something is so; return how many seconds that took."""
        start = self.now
        while not condition():
            assert self.now - start < within * SECOND, "it never is so"
            self.run(STEP / SECOND)
        return (self.now - start) / SECOND

    # --- checks

    def charge(self, name: str, key: str, text: str = YEARLY, cost: int = 1) -> None:
        """Have a node decide a check as the owner, or in the owner's place."""
        node = self.nodes[name]
        allowed, _ = node.table.take(key, parse_limits(text), cost, self.now)
        assert allowed
        node.sync.changed.add((key, text, cost))

    def charge_all(self, keys: Iterable[str], by: str) -> None:
        """Have the owner of each key decide a check, by the ring of one node."""
        for key in keys:
            self.charge(self.nodes[by].ring.pair(key)[0], key)

    def tokens(self, name: str, key: str) -> int:
        """Return how many tokens a key owes of YEARLY, as far as a node knows."""
        _, debts = self.nodes[name].table.debts(YEARLY, (key,), self.now, 0)
        return -(-sum(debts) // TOKEN)

    def holders(self, key: str, tokens: int = 1) -> set[str]:
        """Return the nodes that know of at least so many tokens that a key owes."""
        return {name for name in self.nodes if self.tokens(name, key) >= tokens}

    # --- what was said

    def told(self, sender: str, to: str) -> list[NodeMessage]:
        """Return all messages from one node to another."""
        return [message for by, whom, message in self.log if (by, whom) == (sender, to)]


def says(message: NodeMessage, name: str, *, owner: int) -> bool:
    """Tell if a message says of a node that it is on the ring (1) or not (0)."""
    return isinstance(message, Gossip) and any(
        rumor[0] == name and rumor[4] == owner for rumor in message.rumors
    )
