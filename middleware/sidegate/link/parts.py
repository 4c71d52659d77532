"""Parts: what is too long to be sent at once, cut and joined again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sidegate.protocol.cache_messages import (
    CACHE_MESSAGES,
    MAX_JOINED_BYTES,
    PART_BYTES,
    CacheEntries,
    CachePart,
    CacheSet,
    CacheValues,
    size_of,
)
from sidegate.protocol.codec import HEADER_BYTES, WireError, decode, encode, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.protocol.cache_messages import CacheMessage


_NO_BYTES = b"\xc4\x00"  # in MessagePack
_BYTES = b"\xc6"  # and four bytes of their number


def cut(message: CacheMessage) -> Iterator[CacheMessage]:
    """Yield a message, or the parts that it is sent in."""
    if size_of(message) < PART_BYTES // 2:  # surely short: names and numbers are much less
        yield message
        return
    head, value = _head_and_value(message)
    size = len(head) + len(value)
    if size <= PART_BYTES:
        yield message
        return
    assert size <= MAX_JOINED_BYTES  # whoever makes one minds it
    first = PART_BYTES - len(head)
    yield CachePart(size, 0, head + value[:first])
    for at in range(first, len(value), PART_BYTES):
        yield CachePart(size, len(head) + at, value[at : at + PART_BYTES])


def _head_and_value(message: CacheMessage) -> tuple[bytes, bytes]:
    """Return the body of a message in two pieces, the second being the one value that it ends with.

    So no turn of the loop copies the whole of it: that is a tenth of a millisecond for 1 MiB.
    """
    bare: CacheMessage
    match message:
        case CacheSet():
            value, bare = message.data, replace(message, data=b"")
        case CacheValues(rows=[row]):
            value, bare = row[4], replace(message, rows=[(*row[:4], b"")])
        case CacheEntries(rows=[row]):
            value, bare = row[6], replace(message, rows=[(*row[:6], b"")])
        case _:
            return b"", encode(message)[HEADER_BYTES:]
    body = encode(bare)[HEADER_BYTES : -len(_NO_BYTES)]
    return body + _BYTES + len(value).to_bytes(4, "big"), value


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
