"""Inspections: what apps and nodes ask of single keys, a few at a time and one in a turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from sidegate.errors import SidegateError
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import NOBODY, Holdings, Reset

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.messages import Inspect
    from sidegate_sidecar.node.node import Node

MAX_INSPECTIONS = 1_000  # at a time: they are for people and scripts
MAX_OF_ONE = 250  # of one connection: a page of the console asks for as many


class Inspections:
    """Answers Inspect and Reset. Each looks into all tables, so in a turn of the loop one begins.

    The others wait, and checks go first. Who asks for too many at once is closed.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tasks: set[asyncio.Task[None]] = set()
        self._of: Counter[Connection] = Counter()
        self._gate = asyncio.Lock()

    def ask(self, connection: Connection, message: Inspect | Reset) -> None:
        """Answer one soon; WireError if there are too many."""
        if len(self._tasks) >= MAX_INSPECTIONS:
            raise WireError("busy", f"more than {MAX_INSPECTIONS} inspections at a time")
        if self._of[connection] >= MAX_OF_ONE:
            raise WireError("busy", f"more than {MAX_OF_ONE} inspections at a time from one side")
        self._of[connection] += 1
        task = asyncio.get_running_loop().create_task(self._answer(connection, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, message: Inspect | Reset) -> None:
        try:
            async with self._gate:
                await asyncio.sleep(0)
            if not connection.transport.is_closing():
                connection.send(await self._held(message))
        except SidegateError as error:
            connection.fail(WireError("bad-key", str(error)))
        finally:
            self._of[connection] -= 1
            if not self._of[connection]:
                del self._of[connection]

    async def _held(self, message: Inspect | Reset) -> Holdings:
        reset = isinstance(message, Reset)
        held = await self._node.inspect(message.key, reset=reset, hops=message.hops)
        if held is None:  # the owner is out of reach: no buckets, and the source says so
            source = NOBODY if message.hops else self._node.fallback.source
            return Holdings(message.id, source, "", [])
        return Holdings(message.id, held.source, held.node, held.buckets)
