"""One connection, seen from either side: frames in and out, and the handshake before them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

from sidegate.protocol.codec import (
    MAX_FRAME_BYTES,
    MAX_HELLO_BYTES,
    Framer,
    Refused,
    WireError,
    decode,
    encode,
)
from sidegate.protocol.handshake import Accepting, Dialling, Handshake, tls_channel
from sidegate.protocol.levels import readable
from sidegate.protocol.messages import Error, Hello, Message

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from sidegate.protocol.codec import Bytes
    from sidegate.protocol.seal import Seal

_LINGER = 5.0  # seconds that the last frame before closing may take to leave
_HIGH_WATER = 1 << 20  # bytes waiting to be read by the other side, before we stop reading from it


_UNCONNECTED = asyncio.Transport()  # asyncio sets the real one before anything else is called


class Handler(Protocol):
    """Who is told what happens on a connection."""

    def on_connected(self, connection: Connection) -> None:
        """Handle the end of the handshake: `connection.peer` is known."""

    def on_message(self, connection: Connection, message: Message) -> None:
        """Handle one message. A WireError closes the connection."""

    def on_disconnected(self, connection: Connection, error: Exception | None) -> None:
        """Handle the end of the connection, with the reason if one is known."""


class Connection(asyncio.Protocol):
    """An asyncio protocol that speaks our messages to a handler.

    Frames sent while bytes are being received leave in one write when all of them are handled,
    others at once (uvloop joins what is written in one turn of the loop). A peer that doesn't
    read isn't read from either. `decode` reads what comes after the handshake.
    """

    def __init__(
        self,
        handshake: Handshake,
        handler: Handler,
        decode: Callable[[Bytes], Message] = decode,
    ) -> None:
        self._handshake = handshake
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._handle = handler.on_message
        self._decode = decode
        # Whoever dials is told the ring right behind the last word of the handshake, in one read.
        accepts = isinstance(handshake, Accepting)
        self._framer = Framer(MAX_HELLO_BYTES if accepts else MAX_FRAME_BYTES, shakes=True)
        self._seal: Seal | None = None  # of what this side sends
        self._unknown = handshake.unknown  # to the other side, once it has said its Hello
        self._out: list[bytes] = []
        self._is_receiving = False
        self._shaken = 0  # bytes of the handshake
        self._error: Exception | None = None
        self.transport: asyncio.Transport = _UNCONNECTED
        self.opened_at = self._loop.time()
        self.unfinished_since: float | None = None
        self.is_up = False  # is the handshake done?
        self.shaken = asyncio.Event()  # done when the handshake is, or has failed
        self.closed = asyncio.Event()

    def hand_to(self, handler: Handler) -> None:
        """Have another handler told from now on."""
        self._handler = handler
        self._handle = handler.on_message

    @property
    def peer(self) -> Hello | None:
        """Who is at the other side, as soon as it has said so."""
        return self._handshake.peer

    @property
    def is_unconnected(self) -> bool:
        """Is there no transport yet, or is TLS still to be agreed on?"""
        return self.transport is _UNCONNECTED

    @property
    def remote_host(self) -> str:
        """The IP address at the other side; empty on a Unix socket."""
        name: object = self.transport.get_extra_info("peername")
        return str(cast("tuple[object, ...]", name)[0]) if isinstance(name, tuple) else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the handshake, if this side has to."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_HIGH_WATER)
        if isinstance(self._handshake, Dialling):
            tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
            if tls is not None:
                self._handshake.channel = tls_channel(tls.getpeercert(binary_form=True) or b"")
            self.transport.write(self._handshake.opening())

    def data_received(self, data: bytes) -> None:
        """Handle all messages that are complete, then write all that they gave rise to."""
        self._is_receiving = True
        framer = self._framer
        try:
            while not self.is_up and (bodies := framer.feed(data)):
                self.unfinished_since = None  # an older one is finished
                self._shake_hands(bodies[0])
                data = b""
            if self.is_up:
                for body in framer.feed(data):
                    self.unfinished_since = None
                    self._handle(self, self._decode(body))
        except WireError as error:
            self.fail(error)
        if framer.rest:
            self.unfinished_since = self.unfinished_since or self._loop.time()
        else:
            self.unfinished_since = None
        self._is_receiving = False
        if self._out:
            self._flush()

    def _shake_hands(self, body: Bytes) -> None:
        handshake = self._handshake
        self._shaken += len(body)
        if isinstance(handshake, Accepting) and self._shaken > MAX_HELLO_BYTES:
            text = f"a handshake of more than {MAX_HELLO_BYTES:,} bytes"
            raise WireError("frame-too-long", text)
        if reply := handshake.receive(body):
            self._out.append(reply)
        if handshake.done:
            self.is_up = True
            self._unknown = handshake.unknown
            self._seal, theirs = handshake.seals or (None, None)
            self._framer.up(theirs)
            self.shaken.set()
            self._handler.on_connected(self)

    def lacks(self, kind: type[Message]) -> str:
        """Return why messages of that kind aren't sent, for people; "" if they are."""
        return self._handshake.lacks(kind)

    def send(self, message: Message) -> None:
        """Send a message, as far as the other side knows it: it may be of an older release."""
        if self._unknown and self.peer is not None:
            if type(message) in self._unknown:
                return
            message = readable(message, self.peer.level)
        self.write(encode(message))

    def write(self, frame: bytes) -> None:
        """Send a frame that is already encoded."""
        if self._seal is not None:
            frame = self._seal.sealed(frame)
        if self._is_receiving:
            self._out.append(frame)
        elif not self.transport.is_closing():
            self.transport.write(frame)

    def _flush(self) -> None:
        out = self._out
        if not self.transport.is_closing():
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()

    def fail(self, error: WireError) -> None:
        """Tell the other side what it did wrong, unless it told us, and close."""
        self._error = error
        if not isinstance(error, Refused):
            frame = encode(Error(error.code, error.text[:500]))
            self._out.append(frame if self._seal is None else self._seal.sealed(frame))
        self.close()

    def close(self) -> None:
        """Send what is waiting and close; a peer that doesn't take it within 5 s is cut off."""
        if not self.transport.is_closing():
            if self._out:
                self._flush()
            self.transport.close()
            self._loop.call_later(_LINGER, self.transport.abort)

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """Read no more questions from a peer that doesn't read its answers.

        The dialling side always reads: its checks in flight are counted, and if both sides
        stopped reading, neither would go on.
        """
        if self._may_pause():
            self.transport.pause_reading()
            self.unfinished_since = None  # a frame may be, but through no fault of the peer

    def resume_writing(self) -> None:
        """Read on."""
        if self._may_pause():
            self.transport.resume_reading()

    def _may_pause(self) -> bool:
        return isinstance(self._handshake, Accepting) and not self.transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the handler, once."""
        self._handler.on_disconnected(self, self._error or exc)
        self.closed.set()
        self.shaken.set()
