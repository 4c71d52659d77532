"""Numbers of apps, for what is pure and knows no connection: each has one while it is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidegate.link.connection import Connection


class AppNumbers:
    """Which number a connection has, from 1 on; none is given twice."""

    def __init__(self) -> None:
        self._numbers: dict[Connection, int] = {}
        self._connections: dict[int, Connection] = {}
        self._last = 0

    def of(self, connection: Connection) -> int:
        """Return the number of a connection, which has one from now on."""
        number = self._numbers.get(connection)
        if number is None:
            self._last += 1
            number = self._numbers[connection] = self._last
            self._connections[number] = connection
        return number

    def connection(self, number: int) -> Connection | None:
        """Return the connection that has a number, None if it ended."""
        return self._connections.get(number)

    def forget(self, connection: Connection) -> int | None:
        """Return the number of a connection that ended, None if it had none."""
        number = self._numbers.pop(connection, None)
        if number is not None:
            del self._connections[number]
        return number
