"""Key answers: what apps and nodes ask of many keys on a link, a few at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sidegate.protocol.codec import WireError
from sidegate.protocol.key_messages import ListKeys, ResetKeys

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.key_messages import KeysListed, KeysReset
    from sidegate_sidecar.links.keys.all_keys import AllKeys

MAX_ASKED = 1_000  # questions at a time: they are for people and scripts


class KeyAnswers:
    """Answers ListKeys and ResetKeys. Who asks for too many at once is closed."""

    def __init__(self, keys: AllKeys) -> None:
        self._keys = keys
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, connection: Connection, message: ListKeys | ResetKeys) -> None:
        """Answer one soon; WireError if there are too many, or it makes no sense."""
        if len(self._tasks) >= MAX_ASKED:
            raise WireError("busy", f"more than {MAX_ASKED:,} questions about many keys at a time")
        is_node = connection.peer is not None and connection.peer.role == "node"
        if message.hops and not is_node:  # nodes tell each other keys as they are
            raise WireError("bad-message", "only nodes ask one node about many keys")
        if isinstance(message, ResetKeys) and bool(message.number) != bool(message.hops):
            raise WireError("bad-message", "a number is for resets that a node passes on")
        task = asyncio.get_running_loop().create_task(self._answer(connection, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, message: ListKeys | ResetKeys) -> None:
        answer: KeysListed | KeysReset
        try:
            if isinstance(message, ListKeys):
                answer = await self._keys.first(message)
            else:
                answer = await self._keys.reset(message)
        except ValueError as error:
            connection.fail(WireError("bad-key", str(error)))
        else:
            if not connection.transport.is_closing():
                connection.send(answer)
