"""gRPC over HTTP/2, as much of it as calls of one method take. Pure.

Fields that a server sends are not read, so that there is no table to keep: a call has an answer if
there is a message in it. All that is sent fits in the window that each server gives at first, and
is given back: a few calls of some KiB are under way at a time.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from bench.peers.asking.messages import PeerError

_HEAD: Final = Struct(">BHBBI")  # a length in three bytes, kind, flags, stream
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM: Final = 1  # also the flag that says ACK
_END_HEADERS: Final = 4
_PADDED: Final = 8
_HEAD_SIZE: Final = 9
_PREFIX: Final = 5  # of a message of gRPC: a flag, and its length
_WIDE: Final = 1 << 30  # bytes that a server may send before it is told to go on
_SETTING_PUSH, _SETTING_WINDOW = 2, 4


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return _HEAD.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


class GrpcConnection:
    """The bytes of one connection on which one method is called."""

    def __init__(self, authority: str, method: str) -> None:
        self._fields = _fields(authority, method)
        self._stream = -1
        self._received = b""
        self._messages: dict[int, bytes] = {}
        self._unreturned = 0  # bytes of the connection's window

    @staticmethod
    def opening() -> bytes:
        """Return what a client says first."""
        settings = Struct(">HIHI").pack(_SETTING_PUSH, 0, _SETTING_WINDOW, _WIDE)
        window = _frame(_WINDOW, 0, 0, _WIDE.to_bytes(4, "big"))
        return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, settings) + window

    def call(self, message: bytes) -> tuple[int, bytes]:
        """Return the number of a new call, and the bytes that make it."""
        self._stream += 2
        data = b"\0" + len(message).to_bytes(4, "big") + message
        fields = _frame(_HEADERS, _END_HEADERS, self._stream, self._fields)
        return self._stream, fields + _frame(_DATA, _END_STREAM, self._stream, data)

    def take(self, data: bytes) -> tuple[list[tuple[int, bytes | None]], bytes]:
        """Return the calls that have ended, and what is to be sent now.

        Each has its message, None if it was answered by an error. PeerError: the connection ends.
        """
        received = self._received + data if self._received else data
        ended: list[tuple[int, bytes | None]] = []
        replies: list[bytes] = []
        at, end = 0, len(received)
        while end - at >= _HEAD_SIZE:
            high, low, kind, flags, stream = _HEAD.unpack_from(received, at)
            after = at + _HEAD_SIZE + (high << 16 | low)
            if after > end:
                break
            self._read(kind, flags, stream, received[at + _HEAD_SIZE : after], replies)
            if kind == _RST or (flags & _END_STREAM and kind in {_DATA, _HEADERS}):
                ended.append((stream, self._whole(stream)))
            at = after
        self._received = received[at:]
        return ended, b"".join(replies)

    def _read(
        self, kind: int, flags: int, stream: int, payload: bytes, replies: list[bytes]
    ) -> None:
        if kind == _DATA:
            part = payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
            self._messages[stream] = self._messages.get(stream, b"") + part
            self._unreturned += len(payload)
            if self._unreturned > _WIDE // 2:
                replies.append(_frame(_WINDOW, 0, 0, self._unreturned.to_bytes(4, "big")))
                self._unreturned = 0
        elif kind in {_SETTINGS, _PING} and not flags & _END_STREAM:  # here it says ACK
            replies.append(_frame(kind, _END_STREAM, 0, payload if kind == _PING else b""))
        elif kind == _GOAWAY:
            raise PeerError(f"the server ended the connection: {payload[:100]!r}")

    def _whole(self, stream: int) -> bytes | None:
        message = self._messages.pop(stream, b"")
        return message[_PREFIX:] if len(message) >= _PREFIX and not message[0] else None


def _fields(authority: str, method: str) -> bytes:
    """Return a block of fields: two of the static table, and others as they are written."""
    named = b"\x83\x86\x04" + _text(method) + b"\x01" + _text(authority)
    return named + b"\x0f\x10" + _text("application/grpc") + b"\0" + _text("te") + _text("trailers")


def _text(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 127  # what one byte can say
    return bytes((len(data),)) + data
