"""Parts: what is too long to be sent at once, cut and joined again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.cache_messages import (
    CACHE_MESSAGES,
    MAX_JOINED_BYTES,
    PART_BYTES,
    CachePart,
)
from sidegate.protocol.codec import HEADER_BYTES, WireError, decode, encode, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.protocol.cache_messages import CacheMessage


def cut(message: CacheMessage) -> Iterator[CacheMessage]:
    """Yield a message, or the parts that it is sent in."""
    body = memoryview(encode(message))[HEADER_BYTES:]
    if len(body) <= PART_BYTES:
        yield message
        return
    assert len(body) <= MAX_JOINED_BYTES  # whoever makes one minds it
    for offset in range(0, len(body), PART_BYTES):
        yield CachePart(len(body), offset, bytes(body[offset : offset + PART_BYTES]))


class Joiner:
    """Joins the parts that come from one side. What lacks a part is dropped.

    `held` is what it holds of an unfinished message, in bytes.
    """

    def __init__(self) -> None:
        self._body = bytearray()
        self._size = 0

    @property
    def held(self) -> int:
        """How many bytes wait for the others of their message."""
        return len(self._body)

    def add(self, part: CachePart) -> CacheMessage | None:
        """Return the message that this part completes, if it does. WireError if it is none."""
        if part.offset == 0:
            self._body.clear()
            self._size = part.size
        if part.offset != len(self._body) or part.size != self._size:
            self._body.clear()
            return None
        if part.offset + len(part.data) > part.size:
            raise WireError("bad-message", f"a part beyond the {part.size:,} bytes of its message")
        self._body += part.data
        if len(self._body) < self._size:
            return None
        body, self._body = self._body, bytearray()
        message = decode(memoryview(body))
        if isinstance(message, CachePart) or not isinstance(message, CACHE_MESSAGES):
            refuse(message)
        return message
