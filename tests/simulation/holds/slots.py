"""The slots of a simulated node: the real ones, and apps that hold some, wait, and may die."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.protocol.holds.slot_messages import (
    FreedBy,
    SlotAnswer,
    SlotAsk,
    SlotMessage,
    SlotsFreed,
    SlotState,
)
from sidegate_sidecar.node.holds.slot_node import SlotNode

if TYPE_CHECKING:
    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.node.holds.slot_around import Speaker
    from tests.simulation.nodes import SimNode

BUDGET = 0.05  # seconds for a first answer
PATIENCE = SECOND // 50
TTL = 600_000  # ms
BODIES = (0.01, 0.1, 0.1, 0.5, 3.0)  # seconds


@dataclass
class SlotBody:
    """What an app does while it holds a slot; it goes on until it ends, or its machine does."""

    key: str
    node: str
    begins: float
    ends: float | None = None


class SimSlots:
    """What one node decides and holds. Each slot is that of an app of its own."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._network = node.network
        self.slots = SlotNode(self, patience=PATIENCE, now=node.clock())
        self._asked: dict[int, tuple[str, int]] = {}  # key and slot, by app
        self._last_app = 0
        self.last_tick = 0.0
        self.bodies: list[SlotBody] = []
        self.answers: list[SlotState] = []

    @property
    def open(self) -> int:
        """How many apps wait for an answer."""
        return len(self._asked)

    # --- apps

    def take(self, key: str, at_most: int, *, wait: float = 0.0, strict: bool = False) -> None:
        """Have an app ask for a slot, and hold it for a while; one in ten dies over it."""
        self._last_app += 1
        app, slot = self._last_app, self._node.world.next_slot()
        self._asked[app] = key, slot
        ask = SlotAsk(slot, 0, key, at_most, TTL, int(wait * 1e3), int(strict))
        self._say(app, ask)
        patience = self._network.random.choice([wait, wait / 2]) + BUDGET
        self._network.plan(self._network.now + patience, partial(self._give_up, app))

    def _say(self, app: int, message: SlotMessage) -> None:
        """Say something to the sidecar, which may stand still just now."""

        def said() -> None:
            self.slots.on_message(app, message, self._node.clock())

        self._network.at(self._network.now, self._node.name, said)

    def _give_up(self, app: int) -> None:
        if app in self._asked:
            key, slot = self._asked.pop(app)
            self._say(app, SlotsFreed(0, "", FreedBy.RELEASED, [(slot, key)]))

    def _told(self, app: int, answer: SlotAnswer) -> None:
        if answer.state is SlotState.WAITS:
            return
        if app not in self._asked:
            if answer.state is SlotState.GRANTED:
                self._say(app, SlotsFreed(0, "", FreedBy.RELEASED, [(answer.slot, "")]))
            return
        key, slot = self._asked.pop(app)
        self.answers.append(answer.state)
        if answer.state is SlotState.GRANTED:
            self._run(app, key, slot)

    def _run(self, app: int, key: str, slot: int) -> None:
        body = SlotBody(key, self._node.name, self._network.now)
        self.bodies.append(body)
        dies = self._network.random.random() < 0.1

        def left() -> None:
            self.slots.app_left(app, self._node.clock())

        def ended() -> None:
            if not self._network.is_up(self._node.name):
                return  # it went with its machine
            body.ends = self._network.now
            if dies:
                self._network.at(self._network.now, self._node.name, left)
            else:
                self._say(app, SlotsFreed(0, "", FreedBy.RELEASED, [(slot, key)]))

        self._network.plan(self._network.now + self._network.random.choice(BODIES), ended)

    # --- its node

    def hear(self, sender: str, message: SlotMessage) -> None:
        """Handle what another node says."""
        self.slots.on_message(sender, message, self._node.clock())

    def up(self, name: str) -> None:
        """Note a link."""
        self.slots.node_up(name, self._node.clock())

    def left(self, name: str) -> None:
        """Note the loss of a link."""
        self.slots.node_left(name, self._node.clock())

    def ring_changed(self) -> None:
        """Note another ring."""
        self.slots.ring_changed(self._node.clock())

    def tick(self) -> None:
        """Do what is due, as a sidecar does: nothing while it is idle."""
        self.last_tick = self._network.now
        if not self.slots.is_idle:
            self.slots.tick(self._node.clock())

    # --- what the slots have around them

    @property
    def name(self) -> str:
        """The name of the node."""
        return self._node.name

    @property
    def ring(self) -> Ring:
        """The ring as it is now."""
        return self._node.cluster.ring

    def is_up(self, name: str) -> bool:
        """Tell if messages to a node arrive, as far as we know."""
        return self._node.is_up(name)

    def doubt(self, name: str) -> None:
        """Doubt a node."""
        self._node.cluster.doubt(name, self._node.clock())

    def post(self, to: Speaker, message: SlotMessage) -> None:
        """Send."""
        if isinstance(to, str):
            self._network.send(self.name, to, message)
        elif isinstance(message, SlotAnswer):
            self._told(to, message)
