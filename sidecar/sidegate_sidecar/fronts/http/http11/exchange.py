"""One connection's HTTP/1.1, without I/O: bytes go in, admitted requests and replies come out.

h11 does the reading. What it is given is bounded before: a head is handed over when it is there as
a whole, and is neither long nor of many lines, since each line takes h11 some microseconds.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from re import compile as regular
from typing import TYPE_CHECKING, Final

import h11

from sidegate_sidecar.fronts.http.http11.head import HttpRequest, head_of
from sidegate_sidecar.fronts.http.http11.reply import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate_sidecar.fronts.http.http11.head import Head
    from sidegate_sidecar.fronts.http.http11.reply import Reply

MAX_HEAD_BYTES = 16 << 10  # of browsers with many cookies 4 KiB
MAX_HEAD_LINES = 64  # browsers send 20, behind proxies 30; these take 0.25 ms
MAX_BODY_BYTES = 64 << 10  # a check is 2 kB at most; a body is held in memory whole
MAX_SENT_BYTES = 2 * MAX_BODY_BYTES  # of a body in chunks, with their lengths between them
MAX_EVENTS = 64  # chunks that are read at a time: 0.3 ms

_ENDING = frozenset({"malformed", "too-long", "timeout"})  # what follows may be anything
_HEAD_ENDS = regular(rb"\n\r?\n")
_FIRST_BYTE: Final = 0x21  # no method begins with less; TLS does
_CLOSE = ("Connection", "close")


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
        self._parser = h11.Connection(h11.SERVER, MAX_HEAD_BYTES)
        self._body = bytearray()
        self._sent = 0  # bytes of the body, as they came
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
        except h11.RemoteProtocolError as error:
            return _malformed(f"expected HTTP 1.1: {str(error)[:200]}")

    def interim(self) -> bytes:
        """Return what has to be sent before the body comes, if its sender waits for a word."""
        if self.phase is not Phase.BODY or self._sent or not self._is_awaited:
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
        self._parser.receive_data(bytes(unread[:size]))
        del unread[:size]
        self._searched = 0
        sent = self._parser.next_event()
        assert isinstance(sent, h11.Request)  # its end is there
        self.head = head_of(sent, self._peer)
        self._is_awaited = self._parser.they_are_waiting_for_100_continue
        self.phase = Phase.BODY
        return _wrong_head(self.head) or self._refusal(self.head)

    def _read_body(self) -> HttpRequest | Reply | None:
        if self._unread:
            self._sent += len(self._unread)
            self._parser.receive_data(bytes(self._unread))
            self._unread.clear()
        for _ in range(MAX_EVENTS):
            event = self._parser.next_event()
            if isinstance(event, h11.EndOfMessage):
                return self._whole()
            if not isinstance(event, h11.Data):
                return _too_long_a_body() if self._sent > MAX_SENT_BYTES else None
            self._body += event.data
            if len(self._body) > MAX_BODY_BYTES:
                return _too_long_a_body()
        self.has_more = True
        return None

    def _whole(self) -> HttpRequest:
        assert self.head is not None  # its body was read
        self._unread += self._parser.trailing_data[0]  # of the next request
        self.phase = Phase.REPLY
        return HttpRequest(self.head, bytes(self._body))

    def write(self, reply: Reply, date: str) -> bytes:
        """Return the bytes of a reply, and be ready for the next request, or over.

        Written here and not by h11, which takes longer for it than all else takes together.
        """
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
    start = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n{lines}\r\n"
    return start.encode("latin-1")


def _wrong_head(head: Head) -> Reply | None:
    if head.version not in {"1.1", "1.0"}:
        return _malformed("expected HTTP 1.1 or 1.0")
    length = head.fields.get("content-length")
    if length is None:
        return None
    if "transfer-encoding" in head.fields:
        return _malformed("expected Content-Length or Transfer-Encoding, not both")
    return _too_long_a_body() if int(length) > MAX_BODY_BYTES else None


def _malformed(detail: str) -> Reply:
    return problem(400, detail, reason="malformed")


def _too_long_a_head() -> Reply:
    most = f"{MAX_HEAD_BYTES:,} bytes in {MAX_HEAD_LINES} lines"
    return problem(431, f"expected a request line and fields of at most {most}", reason="too-long")


def _too_long_a_body() -> Reply:
    return problem(413, f"expected a body of at most {MAX_BODY_BYTES:,} bytes", reason="too-long")
