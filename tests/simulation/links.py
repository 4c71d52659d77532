"""Links of nodes on a simulated network: the real breaker and deadlines, in virtual time."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from sidegate.link.health import PROBE_EVERY, Health, LinkEvent, LinkProbe, LinkState
from sidegate.link.in_flight import InFlight
from sidegate.protocol.messages import Answers, Checks, Ping
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.local import ANSWERS_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.link.in_flight import Asker
    from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
    from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
    from sidegate.protocol.messages import Check, Holdings, Ids, Message, Refund, Trace
    from tests.simulation.network import Network
    from tests.simulation.nodes import SimNode

BUDGET = 0.05  # seconds for a check
PATIENCE = BUDGET * ANSWERS_SHARE * OWNERS_SHARE  # seconds, as in a sidecar with that budget


class _Timer:
    """One timer on a host of the network; setting it anew puts off what it was set for."""

    def __init__(self, network: Network, name: str, callback: Callable[[], None]) -> None:
        self._network = network
        self._name = name
        self._callback = callback
        self._sets = 0

    def set(self, at: float) -> None:
        self._sets += 1
        number = self._sets

        def off() -> None:
            if self._sets == number:  # else it was set anew, or stopped
                self._callback()

        self._network.at(at, self._name, off)

    def stop(self) -> None:
        self._sets += 1


class SimLink:
    """A link: the real breaker and the real deadlines, over a simulated connection.

    Unlike on a real link, checks don't wait for the first connection.
    """

    def __init__(self, node: SimNode, peer: str) -> None:
        self._node = node
        self._network = node.network
        self._peer = peer
        self._health = Health()
        self._flights = InFlight(PATIENCE, 0.0)
        self._last_id = 0
        self._timer = _Timer(node.network, node.name, self._wake)
        self._probe_timer = _Timer(node.network, node.name, self._probe)

    @property
    def is_up(self) -> bool:
        """Is it connected and not suspect?"""
        return self._health.state is LinkState.UP

    @property
    def takes_checks(self) -> bool:
        """Would `ask` take a check now?"""
        return self.is_up

    def ask(
        self,
        checks: list[Check],
        hops: int,
        budget: float,
        asker: Asker,
        ids: Ids,
        traces: list[Trace] | None,
    ) -> bool:
        """Send checks."""
        assert traces is None  # nobody traces here
        if not self.is_up:
            return False
        self._last_id = number = self._last_id + 1
        frame = Checks(number, hops, int(budget * 1e6), checks, *ids)
        wake_at = self._flights.add(number, asker, len(checks), budget, self._network.now)
        self._network.send(self._node.name, self._peer, frame)
        if wake_at < inf:
            self._timer.set(wake_at)
        return True

    def tell(self, message: Refund | Returned) -> bool:
        """Say it, if it is connected."""
        if self.is_up:
            self._network.send(self._node.name, self._peer, message)
        return self.is_up

    async def borrow(self, question: Callable[[int], Borrow], budget: float) -> Lent | None:
        """Ask to be lent something."""
        return await self._node.holds.ask(self._peer, question, budget) if self.is_up else None

    async def inspect(self, key: str, *, reset: bool, hops: int, budget: float) -> Holdings | None:
        """Not simulated."""
        raise AssertionError((key, reset, hops, budget))

    async def hold(
        self, question: Callable[[int], Reserve | Commit], budget: float
    ) -> Reserved | None:
        """Ask about a reservation."""
        return await self._node.holds.ask(self._peer, question, budget) if self.is_up else None

    def lacks(self, kind: type[Message]) -> str:
        """All are of this release."""
        assert kind
        return ""

    # --- what happens to it

    def up(self) -> None:
        """Called when there is a connection."""
        self._health.step(LinkEvent.SHAKEN, self._network.now)

    def heard(self) -> None:
        """Note a sign of life."""
        self._flights.heard()
        if self._health.step(LinkEvent.HEARD, self._network.now):
            self._probe_timer.stop()
            self._node.cluster.on_connected(self._peer, self._node.clock())
            self._node.slots.up(self._peer)

    def answered(self, answers: Answers) -> None:
        """Hand answers over; late ones are for nobody."""
        self._flights.land(answers)

    def broke(self) -> None:
        """Give up what is on its way."""
        now = self._network.now
        self._health.step(LinkEvent.LOST, now)
        self._flights.give_up(self._flights.take_all(now).values())

    def _wake(self) -> None:
        now = self._network.now
        at, overdue = self._flights.wake(now)
        if at < inf:
            self._timer.set(at)
        if overdue:
            if self._flights.is_silent(now) and self._health.step(LinkEvent.SILENT, now):
                self._probe()
            self._flights.give_up(overdue.values())

    def _probe(self) -> None:
        net = self._network
        match self._health.probe(net.now):
            case LinkProbe.PING:
                net.send(self._node.name, self._peer, Ping(0))
                self._probe_timer.set(net.now + PROBE_EVERY)
            case LinkProbe.GIVE_UP:
                net.close(self._node.name, self._peer)
                self._node.on_disconnected(self._peer)
            case LinkProbe.NONE:
                pass
