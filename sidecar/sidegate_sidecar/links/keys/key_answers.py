"""Key answers: what apps and nodes ask of many keys on a link, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.protocol.codec import WireError
from sidegate.protocol.key_messages import ListKeys, ResetKeys
from sidegate_sidecar.links.answering import Answering, is_node

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.key_messages import KeysListed, KeysReset
    from sidegate_sidecar.links.keys.all_keys import AllKeys

MAX_OF_ONE: Final = 64  # of one connection: each is a question to all nodes


class KeyAnswers:
    """Answers ListKeys and ResetKeys."""

    def __init__(self, keys: AllKeys) -> None:
        self._keys = keys
        self._answering = Answering("questions about many keys", MAX_OF_ONE)

    def ask(self, connection: Connection, message: ListKeys | ResetKeys) -> None:
        """Answer one soon; WireError if there are too many, or it makes no sense."""
        if message.hops and not is_node(connection):  # nodes tell each other keys as they are
            raise WireError("bad-message", "only nodes ask one node about many keys")
        if isinstance(message, ResetKeys) and bool(message.number) != bool(message.hops):
            raise WireError("bad-message", "a number is for resets that a node passes on")
        self._answering.ask(connection, lambda: self._answer(connection, message))

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
