"""Value queues: values leave in turns, so that no check waits behind more than one of them.

In a turn of the loop at most PART_BYTES of values are written, to whoever reads what it was sent;
each connection gets one part at a time. What is short goes at once, if nothing is before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from sidegate.link.parts import cut
from sidegate.protocol.cache_messages import PART_BYTES, CacheState, CacheValues, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.protocol.cache_messages import CacheMessage
    from sidegate_sidecar.cache.fills import Source

MAX_QUEUED = 8 << 20  # bytes for one receiver; beyond it, it is told that values can't be had
MAX_QUEUED_IN_ALL = 64 << 20
SHORT = 4_096  # bytes
LOOK_AGAIN = 0.001  # seconds, when nobody reads
GONE = 1 << 40  # bytes: nobody reads them any more


class Outlet(Protocol):
    """Where messages leave."""

    def unsent(self, to: Source) -> int:
        """Return how many bytes wait to be read by somebody; more than any, if it is gone."""
        ...

    def write(self, to: Source, message: CacheMessage) -> None:
        """Send a message, or drop it."""


class NodeOutlet(Protocol):
    """The links to other nodes, as far as values need them."""

    def is_up(self, name: str, /) -> bool:
        """Tell if a node can be sent something."""
        ...

    def lacks(self, name: str, kind: type[CacheMessage], /) -> str:
        """Return why a node isn't told messages of that kind, for people; "" if it is."""
        ...

    def unsent(self, name: str, /) -> int:
        """Return how many bytes wait to be read by a node that we are linked to."""
        ...

    def post(self, name: str, message: CacheMessage, /) -> None:
        """Send a message to a node, or drop it."""


class _Queue:
    __slots__ = ("bytes", "messages", "parts")

    def __init__(self) -> None:
        self.messages: deque[CacheMessage] = deque()
        self.parts: Iterator[CacheMessage] | None = None  # of the first message
        self.bytes = 0


class ValueQueues:
    """What waits to be sent, by receiver and in order."""

    def __init__(self, outlet: Outlet) -> None:
        self.bytes = 0
        self.refused = 0  # values that weren't sent, since too much waited
        self._outlet = outlet
        self._queues: dict[Source, _Queue] = {}  # whose turn is first stands first
        self._spent = 0  # bytes, in this turn
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None

    def post(self, to: Source, message: CacheMessage) -> None:
        """Send a message as soon as it is its turn."""
        size = size_of(message)
        queue = self._queues.get(to)
        if queue is None and size <= SHORT and self._spent + size <= PART_BYTES:
            self._write(to, message, size)
            return
        if queue is None:
            queue = self._queues[to] = _Queue()
        if size > SHORT and self._is_full(queue, size):
            self.refused += 1
            if not isinstance(message, CacheValues):
                return  # who has asked for it gets no answer
            message = _without_values(message)
            size = size_of(message)
        queue.messages.append(message)
        queue.bytes += size
        self.bytes += size
        self._turn_soon()

    def _is_full(self, queue: _Queue, size: int) -> bool:
        return queue.bytes + size > MAX_QUEUED or self.bytes + size > MAX_QUEUED_IN_ALL

    def _write(self, to: Source, message: CacheMessage, size: int) -> None:
        self._spent += size
        self._outlet.write(to, message)
        self._turn_soon()

    def _turn_soon(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._timer, self._spent = None, 0
        for to in list(self._queues):
            if self._outlet.unsent(to) > PART_BYTES:
                continue
            self._write_part(to)
            if self._spent >= PART_BYTES:
                break
        if self._queues and self._timer is None:  # nobody reads
            self._timer = self._loop.call_later(LOOK_AGAIN, self._turn)

    def _write_part(self, to: Source) -> None:
        """Write the next part for somebody, who is then the last in turn."""
        queue = self._queues.pop(to)
        message = queue.messages[0]
        if queue.parts is None:
            queue.parts = cut(message)
        part = next(queue.parts, None)
        if part is not None:
            self._write(to, part, size_of(part))
        if part is None or part is message:
            queue.parts = None
            queue.messages.popleft()
            size = size_of(message)
            queue.bytes -= size
            self.bytes -= size
        if queue.messages:
            self._queues[to] = queue
            self._turn_soon()

    def drop(self, to: Source) -> None:
        """Forget what waits for somebody, who is gone."""
        if queue := self._queues.pop(to, None):
            self.bytes -= queue.bytes

    def close(self) -> None:
        """Send nothing more."""
        self._queues.clear()
        if self._timer is not None:
            self._timer.cancel()


def _without_values(message: CacheValues) -> CacheValues:
    """Return an answer that says of each value that it can't be had; leases stay."""
    rows = [
        (place, CacheState.LOST if data else state, 0, token, b"")
        for place, state, _, token, data in message.rows
    ]
    return CacheValues(message.id, rows)
