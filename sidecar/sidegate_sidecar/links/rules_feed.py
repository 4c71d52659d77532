"""The rules of this sidecar's file, told to all apps that watch them: at once, and as they change.

They are encoded once. An app that doesn't read is told no more until it has read, and then what is
in force by then; who leaves one push unread is closed as for any answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sidegate.protocol.codec import encode
from sidegate.protocol.standing_messages import RulesPush

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.ruleset.ruleset import RuleSet

MAX_A_TURN: Final = 1 << 20  # bytes told in a turn of the loop: one of the largest, sealed in 2 ms
MAX_UNREAD: Final = 64 << 20  # bytes that all apps together may leave unread; others wait for them
IS_READ: Final = 64 << 10  # bytes: with no more left to read, an app has read what it was told
PAUSE: Final = 0.005  # seconds between two turns that tell, in which checks go on
LOOK_AGAIN: Final = 0.1  # seconds, for those that haven't read
ASK_AGAIN: Final = 1.0  # seconds after which an app that asks again is told again


class RulesFeed:
    """Who watches, who is still to be told, and since when who was told hasn't read it."""

    def __init__(self) -> None:
        self._pushed = RulesPush("")
        self._frame = encode(self._pushed)
        self._watching: dict[Connection, str] = {}  # and the digest that each has
        self._due: dict[Connection, float] = {}  # to be told, from that time on
        self._told_at: dict[Connection, float] = {}
        self._unread: dict[Connection, float] = {}  # since when
        self._timer: asyncio.TimerHandle | None = None

    def put(self, rules: RuleSet) -> None:
        """Have these rules told to all who watch."""
        self._pushed = RulesPush(rules.digest, rules.encoded)
        self._frame = encode(self._pushed)
        for connection in self._watching:
            self._due[connection] = 0.0
        self._wake(PAUSE)

    def watch(self, connection: Connection, digest: str) -> None:
        """Have one told, that has the rules of this digest, now and at each change."""
        self._watching[connection] = digest
        told_at = self._told_at.get(connection)
        self._due[connection] = 0.0 if told_at is None else told_at + ASK_AGAIN
        self._wake(PAUSE)

    def left(self, connection: Connection) -> None:
        """Forget a connection."""
        for table in (self._due, self._told_at, self._unread):
            table.pop(connection, None)
        self._watching.pop(connection, None)

    def unread_for(self, connection: Connection, now: float) -> float:
        """Return for how many seconds one has left unread what it was told."""
        since = self._unread.get(connection)
        if since is None or self._has_read(connection):
            return 0.0
        return now - since

    def close(self) -> None:
        """Tell nobody any more."""
        self._watching.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self, within: float) -> None:
        if self._timer is None and self._due:
            self._timer = asyncio.get_running_loop().call_later(within, self._tell)

    def _tell(self) -> None:
        """Tell those that are due, as many as one turn and all memory have room for."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        room = MAX_UNREAD - sum(map(_unsent, self._unread))
        told = 0
        for connection in [it for it, at in self._due.items() if at <= now]:
            if not self._has_read(connection):
                continue
            frame = self._frame_for(connection)
            if told and told + len(frame) > min(MAX_A_TURN, room):
                break
            if len(frame) > max(room, 0):
                break
            told += len(frame)
            self._say(connection, frame, now)
        self._wake(PAUSE if told else LOOK_AGAIN)

    def _frame_for(self, connection: Connection) -> bytes:
        digest = self._pushed.digest
        if digest and self._watching[connection] == digest:
            return encode(RulesPush(digest))
        return self._frame

    def _say(self, connection: Connection, frame: bytes, now: float) -> None:
        del self._due[connection]
        self._told_at[connection] = now
        self._watching[connection] = self._pushed.digest
        connection.write(frame)
        if not self._has_read(connection):
            self._unread[connection] = now

    def _has_read(self, connection: Connection) -> bool:
        if _unsent(connection) > IS_READ:
            return False
        self._unread.pop(connection, None)
        return True


def _unsent(connection: Connection) -> int:
    return connection.transport.get_write_buffer_size()
