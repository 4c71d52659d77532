"""Answering: what is asked on connections beside checks, a few at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from sidegate.protocol.codec import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    from sidegate.link.connection import Connection

    Work: TypeAlias = Callable[[], Coroutine[None, None, None]]

MAX_ASKED: Final = 1_000  # at a time, of all: they are for people and scripts


class Answering:
    """Questions of one kind that are being answered, up to `most_of_one` of a connection.

    An app that asks for more at once is closed. Else what is too much isn't answered: a node asks
    on behalf of many, and where all together ask too much, nobody knows who does.
    """

    def __init__(self, what: str, most_of_one: int) -> None:
        self._what = what
        self._most_of_one = most_of_one
        self._tasks: set[asyncio.Task[None]] = set()
        self._of: Counter[Connection] = Counter()

    def ask(self, connection: Connection, answer: Work) -> None:
        """Have one answered soon; WireError if an app asks for too many."""
        is_too_much = self._of[connection] >= self._most_of_one
        if is_too_much and not is_node(connection):
            text = f"more than {self._most_of_one} {self._what} at a time from one side"
            raise WireError("busy", text)
        if is_too_much or len(self._tasks) >= MAX_ASKED:
            return
        self._of[connection] += 1
        task = asyncio.get_running_loop().create_task(self._answered(connection, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answered(self, connection: Connection, answer: Work) -> None:
        try:
            await answer()
        finally:
            self._of[connection] -= 1
            if not self._of[connection]:
                del self._of[connection]


def is_node(connection: Connection) -> bool:
    """Has the other side proved that it is a node?"""
    return connection.peer is not None and connection.peer.role == "node"
