"""One connection's HTTP/1.1, without I/O: bytes go in, admitted requests and replies come out.

A head is read when it is there as a whole, and is neither long nor of many lines, since each line
takes some time. Reading and writing take 9 of the 33 µs that a check over HTTP takes in all.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from re import compile as regular
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.fronts.http.http11.bodies import (
    MAX_BODY_BYTES,
    BodyTooLong,
    SizedBody,
    body_of,
)
from sidegate_sidecar.fronts.http.http11.head import HttpRequest, MalformedHttp, read_head
from sidegate_sidecar.fronts.http.http11.reply import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate_sidecar.fronts.http.http11.bodies import ChunkedBody
    from sidegate_sidecar.fronts.http.http11.head import Head
    from sidegate_sidecar.fronts.http.http11.reply import Reply

MAX_HEAD_BYTES = 16 << 10  # of browsers with many cookies 4 KiB
MAX_HEAD_LINES = 64  # browsers send 20, behind proxies 30; these take 0.05 ms

_ENDING = frozenset({"malformed", "too-long", "timeout"})  # what follows may be anything
_HEAD_ENDS = regular(rb"\n\r?\n")
_VERSIONS: Final = frozenset({"1.1", "1.0"})
_FIRST_BYTE: Final = 0x21  # no method begins with less; TLS does
_CLOSE = ("Connection", "close")
_PHRASES: Final = {it.value: it.phrase for it in HTTPStatus}
_NOTHING: Final = SizedBody(0)


class Phase(Enum):
    """What a connection waits for."""

    IDLE = "idle"  # the first byte of a request
    HEAD = "head"  # the rest of its head
    BODY = "body"  # the rest of its body
    REPLY = "reply"  # our reply
    STREAM = "stream"  # the rest of our reply, which comes in pieces until one side ends it
    OVER = "over"  # nothing: no further request is read


_LAST = frozenset({Phase.STREAM, Phase.OVER})  # no further request is read


class HttpExchange:
    """Requests on one connection, one after the other, each with its reply before the next.

    `peer` is the address at the other side; `refusal` tells by the head why a request may not go
    on, None for one that may.
    """

    def __init__(self, peer: str, refusal: Callable[[Head], Reply | None]) -> None:
        self.phase = Phase.IDLE
        self.head: Head | None = None  # of the request that is read or replied to
        self.has_more = False  # is there more to look at that came already?
        self._peer = peer
        self._refusal = refusal
        self._unread = bytearray()
        self._searched = 0  # bytes of it in which no head ends
        self._begin()

    def _begin(self) -> None:
        self._body: SizedBody | ChunkedBody = _NOTHING
        self._is_awaited = False  # does the sender wait for a word before it sends the body?
        self.head = None
        self.has_more = bool(self._unread)
        self.phase = Phase.HEAD if self.has_more else Phase.IDLE

    def receive(self, data: bytes) -> None:
        """Take bytes that came; `MAX_HEAD_BYTES` at a time at most."""
        if self.phase in _LAST:
            return
        self._unread += data
        if self.phase is Phase.IDLE:
            self.phase = Phase.HEAD

    def next(self) -> HttpRequest | Reply | None:
        """Return a whole request, the reply to one that may not go on, or None for neither yet."""
        self.has_more = False
        try:
            if self.phase is Phase.HEAD:
                refused = self._read_head()
                if refused is not None:
                    return refused
            return self._read_body() if self.phase is Phase.BODY else None
        except MalformedHttp as error:
            return _malformed(f"expected HTTP 1.1: {error}")
        except BodyTooLong:
            return _too_long_a_body()

    def interim(self) -> bytes:
        """Return what has to be sent before the body comes, if its sender waits for a word."""
        if self.phase is not Phase.BODY or self._body.has_begun or not self._is_awaited:
            return b""
        self._is_awaited = False
        return b"HTTP/1.1 100 Continue\r\n\r\n"

    def _read_head(self) -> Reply | None:
        unread = self._unread
        if unread[0] < _FIRST_BYTE:
            return _malformed("expected HTTP 1.1: a method, a path")
        ends = _HEAD_ENDS.search(unread, self._searched)
        size = ends.end() if ends else len(unread)
        if size > MAX_HEAD_BYTES or unread.count(b"\n", 0, size) > MAX_HEAD_LINES:
            return _too_long_a_head()
        if ends is None:
            self._searched = max(size - 2, 0)
            return None
        self._searched = 0
        head = self.head = read_head(bytes(unread[:size]), self._peer)
        del unread[:size]
        self.phase = Phase.BODY
        if head.version not in _VERSIONS:
            return _malformed("expected HTTP 1.1 or 1.0")
        self._body = body_of(head)
        self._is_awaited = head.awaits_a_word
        return self._refusal(head)

    def _read_body(self) -> HttpRequest | None:
        body = self._body.take(self._unread)
        self.has_more = self._body.has_more
        if body is None:
            return None
        assert self.head is not None  # its body was read
        self.phase = Phase.REPLY
        return HttpRequest(self.head, body)

    def write(self, reply: Reply, date: str) -> bytes:
        """Return the bytes of a reply, and be ready for the next request, or over."""
        stays = self._stays(reply)
        length = ("Content-Length", str(len(reply.body)))
        start = _start(reply, date, length, *([] if stays else [_CLOSE]))
        is_head = self._is_head
        if stays:
            self._begin()
        else:
            self.end()
        return start + (b"" if is_head else reply.body)

    def write_start(self, reply: Reply, date: str) -> bytes:
        """Return the head of a reply whose body comes in pieces: it ends when we close.

        To HEAD that is all, and it is over.
        """
        is_head = self._is_head
        self.end()
        if not is_head:
            self.phase = Phase.STREAM
        return _start(reply, date, _CLOSE)

    @property
    def _is_head(self) -> bool:
        return self.head is not None and self.head.method == "HEAD"

    def _stays(self, reply: Reply) -> bool:
        """May another request follow on this connection?"""
        if self.head is None or self.head.is_last or reply.reason in _ENDING:
            return False
        return self.phase is Phase.REPLY or not self.head.has_body

    def end(self) -> None:
        """Read no further request."""
        self.phase = Phase.OVER
        self._unread.clear()


def _start(reply: Reply, date: str, *more: tuple[str, str]) -> bytes:
    """Return the bytes of a reply up to its body."""
    fields = (("Date", date), ("Content-Type", reply.content_type), *more, *reply.headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    start = f"HTTP/1.1 {reply.status} {_PHRASES[reply.status]}\r\n{lines}\r\n"
    return start.encode("latin-1")


def _malformed(detail: str) -> Reply:
    return problem(400, detail, reason="malformed")


def _too_long_a_head() -> Reply:
    most = f"{MAX_HEAD_BYTES:,} bytes in {MAX_HEAD_LINES} lines"
    return problem(431, f"expected a request line and fields of at most {most}", reason="too-long")


def _too_long_a_body() -> Reply:
    return problem(413, f"expected a body of at most {MAX_BODY_BYTES:,} bytes", reason="too-long")
