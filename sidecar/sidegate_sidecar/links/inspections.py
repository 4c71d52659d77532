"""Inspections: what apps and nodes ask of single keys, a few at a time and one in a turn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sidegate.errors import SidegateError
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import NOBODY, Holdings, Reset
from sidegate_sidecar.links.answering import Answering

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.messages import Inspect
    from sidegate_sidecar.node.node import Node

MAX_OF_ONE = 250  # of one connection: a page of the console asks for as many


class Inspections:
    """Answers Inspect and Reset. Each looks into all tables, so in a turn of the loop one begins.

    The others wait, and checks go first.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._answering = Answering("inspections", MAX_OF_ONE)
        self._gate = asyncio.Lock()

    def ask(self, connection: Connection, message: Inspect | Reset) -> None:
        """Answer one soon; WireError if an app asks for too many."""
        self._answering.ask(connection, lambda: self._answer(connection, message))

    async def _answer(self, connection: Connection, message: Inspect | Reset) -> None:
        try:
            async with self._gate:
                await asyncio.sleep(0)
            if not connection.transport.is_closing():
                connection.send(await self._held(message))
        except SidegateError as error:
            connection.fail(WireError("bad-key", str(error)))

    async def _held(self, message: Inspect | Reset) -> Holdings:
        reset = isinstance(message, Reset)
        held = await self._node.inspect(message.key, reset=reset, hops=message.hops)
        if held is None:  # the owner is out of reach: no buckets, and the source says so
            source = NOBODY if message.hops else self._node.fallback.source
            return Holdings(message.id, source, "", [])
        return Holdings(message.id, held.source, held.node, held.buckets)
