"""Reservations and leases on a simulated network: the real routes and tables, without a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidegate.protocol.holds.lease_messages import Borrow, Lent
from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from tests.simulation.nodes import SimNode


class Pending:
    """An answer that has not come: what is awaited in place of a future."""

    def __init__(self) -> None:
        self.then: Callable[[Any], None] | None = None

    def __await__(self) -> Generator[Pending, Any, Any]:
        return (yield self)

    def come(self, value: Any) -> None:
        """Go on with what awaits it, once."""
        if then := self.then:
            self.then = None
            then(value)


def drive(work: Coroutine[Any, Any, Any], done: Callable[[Any], None]) -> None:
    """Run a coroutine that awaits nothing but what is Pending; `done` gets what it returns."""

    def step(value: Any) -> None:
        try:
            pending: Pending = work.send(value)
        except StopIteration as end:
            done(end.value)
        else:
            pending.then = step

    step(None)


class SimHolds:
    """What one node is asked about reservations and leases, and asks other nodes."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._pending: dict[int, tuple[str, Pending]] = {}
        self._last_id = 0

    async def ask(
        self, peer: str, question: Callable[[int], Reserve | Commit | Borrow], budget: float
    ) -> Any:
        """Ask another node; None if its answer doesn't come in time."""
        self._last_id = number = self._last_id + 1
        pending = Pending()
        self._pending[number] = peer, pending
        network, name = self._node.network, self._node.name
        network.send(name, peer, question(number))
        network.at(network.now + budget, name, lambda: pending.come(None))
        found = await pending
        del self._pending[number]
        return found

    def begin(self, asked: Reserve | Commit | Borrow, done: Callable[[Any], None]) -> None:
        """Have something decided, here or by the nodes that may."""
        reservations, leases = self._node.node.reservations, self._node.node.leases
        if isinstance(asked, Borrow):
            if lent := leases.borrow_here(asked):
                done(lent)
            else:
                drive(leases.borrow(asked), done)
        elif isinstance(asked, Reserve):
            drive(reservations.reserve(asked), done)
        else:
            drive(reservations.commit(asked), done)

    def hear(self, sender: str, message: Reserve | Commit | Reserved | Borrow | Lent) -> None:
        """Handle a message."""
        if not isinstance(message, Reserved | Lent):
            self.begin(message, lambda it: self._node.network.send(self._node.name, sender, it))
        elif found := self._pending.get(message.id):
            found[1].come(message)

    def broke(self, peer: str) -> None:
        """Give up what was asked of a node."""
        for name, pending in list(self._pending.values()):
            if name == peer:
                pending.come(None)
