"""Codec: the bytes of messages, and of the frames that they travel in. Pure.

A frame is a length (4 bytes, big endian) and a message: `encode` makes one, `Framer` cuts a stream
into their bodies, and `decode` reads a body.
"""

from __future__ import annotations

from struct import Struct as ByteLayout
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, Union, get_args

import msgspec

from sidegate.errors import SidegateError, quoted
from sidegate.protocol.messages import VERSION, Checks, Error, Message, TracedChecks
from sidegate.protocol.seal import TAG_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.protocol.seal import Seal

MAX_FRAME_BYTES = 1 << 20  # 4,096 checks with keys of 200 bytes; more is a mistake or an attack
MAX_HELLO_BYTES = 1 << 12  # before the handshake is done: two names and a few numbers

_LENGTH = ByteLayout(">I")
HEADER_BYTES = _LENGTH.size

Bytes: TypeAlias = bytes | memoryview


class WireError(SidegateError):
    """The other side sent what it may not: `code` for programs, `text` for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return f"{self.text} ({self.code})"


class Refused(WireError):  # noqa: N818  # named for what happened
    """The other side said an Error, and closes the connection.

    Its words end up in logs, so of what doesn't print they have only the escapes.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(_on_a_line(code), _on_a_line(text))


def _on_a_line(text: str) -> str:
    return text[:500] if text.isprintable() else quoted(text, 500)[1:-1]


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Return the frame for a message. Whoever sends long lists minds MAX_FRAME_BYTES."""
    body = _encoder.encode(message)
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def decode(body: Bytes) -> Message:
    """Return the message in the body of a frame. WireError if there is none."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _not_a_message(error) from None


def tracing_decoder() -> Callable[[Bytes], Message]:
    """Return a `decode` that gives TracedChecks for Checks: for who traces, and nobody else."""
    kinds = [TracedChecks if kind is Checks else kind for kind in get_args(Message)]
    decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Union[tuple(kinds)])  # noqa: UP007  # it isn't written out

    def decode_traced(body: Bytes) -> Message:
        try:
            message: Message = decoder.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise _not_a_message(error) from None
        return message

    return decode_traced


def _not_a_message(error: Exception) -> WireError:
    return WireError("bad-message", f"not a message of version {VERSION}: {error}")


def version_of(body: Bytes) -> int | None:
    """Return the version if this is a Hello of whichever version, else None."""
    try:
        values = msgspec.msgpack.decode(body, type=list[object])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if len(values) < 2 or values[0] != 0 or not isinstance(values[1], int):
        return None
    return values[1]


def refuse(message: Message) -> NoReturn:
    """Raise what a message means that has no place here: Refused for an Error, or a WireError."""
    if isinstance(message, Error):
        raise Refused(message.code, message.text)
    name = type(message).__name__.lower()
    raise WireError("bad-message", f"a {name} has no place here")


class Framer:
    """Cuts a stream of bytes into the bodies of frames; holds at most one unfinished frame.

    `most` bytes in a body: whoever accepts connections allows less until a handshake is done.
    While `shakes`, it gives out one frame at a time, since a handshake that is done with it may
    have the next one sealed; `feed(b"")` goes on.
    """

    __slots__ = ("_around", "_need", "_seal", "most", "rest", "shakes")

    def __init__(self, most: int = MAX_FRAME_BYTES, *, shakes: bool = False) -> None:
        self.most = most
        self.shakes = shakes
        self.rest = bytearray()  # the part of a frame that waits for its other part
        self._need = HEADER_BYTES  # nothing can be cut before that many bytes are there
        self._seal: Seal | None = None
        self._around = HEADER_BYTES  # bytes of a frame that aren't its body

    def up(self, seal: Seal | None) -> None:
        """Cut from now on whatever is there, sealed frames if there is a seal."""
        self.most, self.shakes = MAX_FRAME_BYTES, False
        if seal is not None:
            self._seal, self._around = seal, HEADER_BYTES + TAG_BYTES

    def feed(self, data: bytes) -> Sequence[Bytes]:
        """Return the bodies of all frames that are complete now.

        WireError for one that is too long, or that isn't what the other side has sent.
        """
        # One whole frame and nothing else is the usual case, and worth a microsecond a hop.
        if not self.rest and len(data) > HEADER_BYTES:
            (length,) = _LENGTH.unpack_from(data)
            if length == len(data) - self._around and length <= self.most:
                return (data[HEADER_BYTES:] if self._seal is None else self._open(data),)
        if self.rest:
            self.rest += data
            if len(self.rest) < self._need:
                return ()
            data = bytes(self.rest)
            self.rest.clear()
        return self._cut(data)

    def _open(self, sealed: Bytes) -> Bytes:
        assert self._seal is not None  # frames are sealed
        if (body := self._seal.opened(sealed)) is None:
            raise WireError("changed", "the frames of this connection were changed on the way")
        return body

    def _cut(self, data: bytes) -> Sequence[Bytes]:
        bodies: list[Bytes] = []
        view = memoryview(data)
        start, end = 0, len(data)
        self._need = HEADER_BYTES
        while end - start >= HEADER_BYTES and not (self.shakes and bodies):
            (length,) = _LENGTH.unpack_from(view, start)
            if length > self.most:
                raise WireError("frame-too-long", _too_long(view[start:], length, self.most))
            stop = start + self._around + length
            if stop > end:
                self._need = self._around + length
                break
            frame = view[start:stop]
            bodies.append(frame[HEADER_BYTES:] if self._seal is None else self._open(frame))
            start = stop
        if start < end:
            self.rest += view[start:]
        return bodies


def _too_long(data: memoryview, length: int, most: int) -> str:
    if bytes(data[:HEADER_BYTES]) == b"HTTP":  # the first word of an answer to what we have sent
        return "the other side speaks HTTP: is that its --http port?"
    return f"a frame of {length:,} bytes; at most {most:,} are allowed"
