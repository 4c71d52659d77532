"""Nodes with slots and nothing else, by a clock that a test moves. Messages arrive at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidegate.buckets.limits import SECOND
from sidegate.protocol.holds.slot_messages import (
    FreedBy,
    SlotAnswer,
    SlotAsk,
    SlotMessage,
    SlotsFreed,
    SlotState,
)
from sidegate_ring.hashring import Ring
from sidegate_sidecar.node.holds.slot_node import SlotNode

if TYPE_CHECKING:
    from sidegate_sidecar.node.holds.slot_around import Speaker

PATIENCE = SECOND // 50
TTL = 600_000
APP = 1


class SlotPeer:
    """One of the nodes, with one app."""

    def __init__(self, cluster: SlotCluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.doubted: list[str] = []
        self.answers: list[SlotAnswer] = []
        self.node = SlotNode(self, patience=cluster.patience, now=cluster.now)

    @property
    def ring(self) -> Ring:
        """The ring as this node has it."""
        return self.cluster.rings[self.name]

    def is_up(self, name: str) -> bool:
        """Is it linked to that one?"""
        return name in self.cluster.peers and (self.name, name) not in self.cluster.cut

    def doubt(self, name: str) -> None:
        """Note whom it doubts."""
        self.doubted.append(name)

    def post(self, to: Speaker, message: SlotMessage) -> None:
        """Have it arrive."""
        if isinstance(to, str):
            self.cluster.post(self.name, to, message)
        elif isinstance(message, SlotAnswer):
            self.answers.append(message)

    # --- its app

    def ask(self, slot: int, key: str, at_most: int = 1, **more: Any) -> SlotAnswer:
        """Have the app ask; return what it was told at once."""
        self.say(SlotAsk(slot, 0, key, at_most, TTL, **more))
        return self.answers[-1]

    def free(self, slot: int, key: str) -> None:
        """Have the app give a slot back."""
        self.say(SlotsFreed(0, "", FreedBy.RELEASED, [(slot, key)]))

    def say(self, message: SlotMessage, app: int = APP) -> None:
        """Have the app say something."""
        self.node.on_message(app, message, self.cluster.now)
        self.cluster.deliver()


class SlotCluster:
    """The nodes and what is on its way. Nodes in `deaf` don't answer, and their links stay.

    Where `rests`, a node that is idle isn't told the time, as in a sidecar.
    """

    def __init__(self, *names: str, patience: int = PATIENCE, rests: bool = False) -> None:
        self.now = 100 * SECOND
        self.patience = patience
        self.rests = rests
        ring = Ring(names)
        self.rings = dict.fromkeys(names, ring)
        self.cut: set[tuple[str, str]] = set()
        self.deaf: set[str] = set()
        self.said: list[SlotMessage] = []
        self._waiting: list[tuple[str, str, SlotMessage]] = []
        self.peers: dict[str, SlotPeer] = {}
        for name in names:
            self.peers[name] = SlotPeer(self, name)
        self.run(3.0)  # they know that nobody holds anything

    def __getitem__(self, name: str) -> SlotPeer:
        return self.peers[name]

    def key(self, owner: str, backup: str = "") -> str:
        """Return a key of that owner, and backup."""
        ring = next(iter(self.rings.values()))
        pairs = ((key, ring.pair(key)) for key in (f"k{at}" for at in range(10_000)))
        return next(key for key, (one, two) in pairs if one == owner and backup in {"", two})

    def post(self, sender: str, to: str, message: SlotMessage) -> None:
        """Have a message on its way."""
        self.said.append(message)
        self._waiting.append((sender, to, message))

    def deliver(self) -> None:
        """Have all that is on its way arrive, and what is said to it."""
        while self._waiting:
            sender, to, message = self._waiting.pop(0)
            if to in self.peers and to not in self.deaf and (sender, to) not in self.cut:
                self.peers[to].node.on_message(sender, message, self.now)

    def run(self, seconds: float) -> None:
        """Let time pass, in steps of a tick."""
        for _ in range(round(seconds / 0.02)):
            self.now += SECOND // 50
            for name, peer in self.peers.items():
                if name not in self.deaf and not (self.rests and peer.node.is_idle):
                    peer.node.tick(self.now)
            self.deliver()

    def awake(self) -> str:
        """Return the names of those who aren't idle."""
        return "".join(name for name, peer in self.peers.items() if not peer.node.is_idle)

    def kill(self, name: str) -> None:
        """End a node; the links to it break."""
        del self.peers[name]
        for peer in self.peers.values():
            peer.node.node_left(name, self.now)
        self.deliver()

    def ring_of(self, *names: str) -> None:
        """Have all nodes hold another ring."""
        for name, peer in self.peers.items():
            self.rings[name] = Ring(names)
            peer.node.ring_changed(self.now)
        self.deliver()

    def in_flight(self, name: str, key: str) -> int:
        """Return how many a node takes for held."""
        return self.peers[name].node.owner.table.in_flight(key)


GRANTED, DENIED, WAITS = SlotState.GRANTED, SlotState.DENIED, SlotState.WAITS
NOBODY, FAULT = SlotState.NOBODY, SlotState.FAULT
