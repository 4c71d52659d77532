"""Bodies as they come: of a length that was said, or in chunks. Each takes its bytes off a buffer.

Line ends are CRLF and nothing else, so that nobody else sees another end of a body.
"""

from __future__ import annotations

from enum import Enum
from re import compile as regular
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.fronts.http.http11.head import MalformedHttp, read_field

if TYPE_CHECKING:
    from sidegate_sidecar.fronts.http.http11.head import Head

MAX_BODY_BYTES: Final = 64 << 10  # a check is 2 kB at most; a body is held in memory whole
MAX_SENT_BYTES: Final = 2 * MAX_BODY_BYTES  # of a body in chunks, with their lengths between them
MAX_LINE_BYTES: Final = 4 << 10  # of a chunk's length, and what else its line says
MAX_TRAILERS: Final = 64  # lines, as of a head
MAX_STEPS: Final = 128  # lines and pieces of chunks that are taken at a time: 0.1 ms

_LENGTH: Final = regular(r"[0-9]{1,20}")
_CHUNK: Final = regular(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*|;[\t -~\x80-\xff]*)")
_LINE_END: Final = b"\r\n"


class BodyTooLong(ValueError):  # noqa: N818  # named for what was sent
    """A body, or what it came in, is longer than any may be."""


class SizedBody:
    """A body whose length was said, at most `MAX_BODY_BYTES`; without one it is 0."""

    __slots__ = ("_length", "has_begun")

    def __init__(self, length: int) -> None:
        if length > MAX_BODY_BYTES:
            raise BodyTooLong
        self._length = length
        self.has_begun = False

    def take(self, unread: bytearray) -> bytes | None:
        """Return the body once it is there whole."""
        length = self._length
        if len(unread) < length:
            self.has_begun = bool(unread)
            return None
        body = bytes(unread[:length])
        del unread[:length]
        return body

    has_more = False  # it is never read in parts


class _Part(Enum):
    SIZE = "size"  # a line with the length of the next chunk
    DATA = "data"  # the rest of that chunk
    END = "end"  # the line end behind it
    TRAILER = "trailer"  # fields behind the last one, and an empty line
    NONE = "none"  # that was all


class ChunkedBody:
    """A body in chunks. What their lines say beside lengths, and fields behind them, is dropped."""

    __slots__ = ("_body", "_left", "_part", "_taken", "_trailers", "has_more")

    def __init__(self) -> None:
        self.has_more = False  # is there more to take of what came?
        self._body = bytearray()
        self._part = _Part.SIZE
        self._left = 0  # bytes of the present chunk
        self._taken = 0  # bytes, of all that came
        self._trailers = 0

    @property
    def has_begun(self) -> bool:
        """Has any of it come?"""
        return self._taken > 0

    def take(self, unread: bytearray) -> bytes | None:
        """Return the body once it is there whole.

        MalformedHttp for what is no chunk, BodyTooLong for too many of them.
        """
        for _ in range(MAX_STEPS):
            before = len(unread)
            is_there = self._step(unread)
            self._taken += before - len(unread)
            if self._part is _Part.NONE:
                return bytes(self._body)
            if not is_there:
                self.has_more = False
                self._require_room(self._taken + len(unread), MAX_SENT_BYTES)
                return None
        self.has_more = True
        return None

    def _step(self, unread: bytearray) -> bool:
        """Take the next line or piece; tell if it was there."""
        match self._part:
            case _Part.DATA:
                return self._take_data(unread)
            case _Part.END:
                if len(unread) < len(_LINE_END):
                    return False
                if not unread.startswith(_LINE_END):
                    raise MalformedHttp("a line end behind each chunk")
                del unread[: len(_LINE_END)]
                self._part = _Part.SIZE
            case _:
                line = _line(unread)
                if line is None:
                    return False
                self._take_line(line)
        return True

    def _take_data(self, unread: bytearray) -> bool:
        piece = unread[: self._left]
        del unread[: len(piece)]
        self._body += piece
        self._left -= len(piece)
        if not self._left:
            self._part = _Part.END
        return bool(piece)

    def _take_line(self, line: bytes) -> None:
        if self._part is _Part.TRAILER:
            self._trailers += 1
            if line:
                read_field(line.decode("latin-1"))
            if self._trailers > MAX_TRAILERS:
                raise MalformedHttp(f"at most {MAX_TRAILERS} lines behind a body")
            self._part = _Part.TRAILER if line else _Part.NONE
            return
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise MalformedHttp("the length of a chunk")
        self._left = int(size[1], 16)
        self._require_room(len(self._body) + self._left, MAX_BODY_BYTES)
        self._part = _Part.DATA if self._left else _Part.TRAILER

    @staticmethod
    def _require_room(size: int, most: int) -> None:
        if size > most:
            raise BodyTooLong


def body_of(head: Head) -> SizedBody | ChunkedBody:
    """Return what reads the body of a request; MalformedHttp if its head doesn't say how."""
    length, coding = head.fields.get("content-length"), head.fields.get("transfer-encoding")
    if coding is not None:
        if length is not None:
            raise MalformedHttp("Content-Length or Transfer-Encoding, not both")
        if coding.lower() != "chunked" or head.version == "1.0":
            raise MalformedHttp("no Transfer-Encoding but chunked")
        return ChunkedBody()
    if length is None:
        return SizedBody(0)
    if not _LENGTH.fullmatch(length):
        raise MalformedHttp("one Content-Length, in digits")
    return SizedBody(int(length))


def _line(unread: bytearray) -> bytes | None:
    """Take a line, without its end; None if it isn't there whole."""
    at = unread.find(b"\n", 0, MAX_LINE_BYTES)
    if at < 0:
        if len(unread) >= MAX_LINE_BYTES:
            raise MalformedHttp(f"lines of at most {MAX_LINE_BYTES:,} bytes")
        return None
    line = bytes(unread[: at + 1])
    del unread[: at + 1]
    if not line.endswith(_LINE_END):
        raise MalformedHttp("lines that end with CRLF")
    return line[: -len(_LINE_END)]
