"""Lease answers: what apps and nodes want to borrow, and give back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.messages import NOBODY
from sidegate_sidecar.links.answering import is_node

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate_sidecar.node.leases.lease_node import LeaseNode

MAX_ASKED: Final = 4_096  # of other nodes at a time; each takes one budget at most
_BUSY: Final = 10_000  # µs until one too many asks again


class LeaseAnswers:
    """Answers Borrow, at once where this node owns the key, and takes Returned."""

    def __init__(self, leases: LeaseNode) -> None:
        self._leases = leases
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, connection: Connection, message: Borrow | Returned) -> None:
        """Answer one; one too many at once, that nobody lends. WireError for a lie."""
        if message.hops and not is_node(connection):
            raise WireError("bad-message", "hops are of what a node forwards")
        if isinstance(message, Returned):
            self._leases.take_back(message)
        elif lent := self._leases.borrow_here(message):
            connection.send(lent)
        elif len(self._tasks) >= MAX_ASKED:
            connection.send(Lent(message.id, NOBODY, "", pause=_BUSY))
        else:
            task = asyncio.get_running_loop().create_task(self._answer(connection, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, message: Borrow) -> None:
        lent = await self._leases.borrow(message)
        if not connection.transport.is_closing():
            connection.send(lent)
