"""A line: the bytes of one connection to a sidecar, dialled and read in short steps.

No call lasts longer than a step, so whoever leads can look at the clock, and another may go on
with a line where one has stopped. Only the look-up of a host name isn't held to that: nobody can
interrupt the system's resolver. The address of a sidecar beside the app needs none.

The modules `socket` and `select` are asked for their functions at each call, so that gevent may
have replaced them. Nothing else here may block.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from contextlib import suppress
from ipaddress import ip_address
from secrets import token_bytes
from ssl import SSLWantReadError, SSLWantWriteError
from typing import TYPE_CHECKING, TypeAlias

from sidegate.protocol.codec import Framer, Refused, WireError, encode
from sidegate.protocol.handshake import NONCE_BYTES, PLAIN, UNIX, Dialling, tls_channel
from sidegate.protocol.levels import OlderSide
from sidegate.protocol.messages import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from ssl import SSLContext

    from sidegate.link.address import Address
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.codec import Bytes
    from sidegate.protocol.messages import Message
    from sidegate.protocol.seal import Seal

_Steps: TypeAlias = "Generator[bool, None, None]"
"""What takes several steps; each yields whether something was heard in it."""

_READ = 65_536  # bytes at a time: an answer has 30; what came while the line was idle may be more
FAULTS = (OSError, ValueError, WireError)  # of a line; ValueError: a host that can't be one
_NOT_NOW = (TimeoutError, BlockingIOError, SSLWantReadError, SSLWantWriteError)


class Line:
    """A connection that is up after some calls of `advance`. After an exception it must be closed.

    `is_left`: the sidecar has said that it is going; `has_more`: it may have said more than what
    was read.
    """

    __slots__ = (
        "_dialling",
        "_early",
        "_framer",
        "_handshake",
        "_is_plain",
        "_options",
        "_seal",
        "_socket",
        "_step",
        "_unsent",
        "has_more",
        "is_left",
        "is_resolving",
        "is_up",
    )

    def __init__(self, options: Endpoint, step: float) -> None:
        self._options = options
        self._step = step
        self._socket: socket.socket | None = None
        self._framer = Framer(shakes=True)
        self._handshake: Dialling | None = None
        self._seal: Seal | None = None  # of what is sent
        self._early: Sequence[Bytes] = ()  # what came right behind the handshake
        self._unsent = b""
        self._is_plain = False  # are its bytes those of the socket, without TLS between?
        self._dialling = self._dial()
        self.is_resolving = False
        self.is_up = False
        self.is_left = False
        self.has_more = False

    @property
    def is_clogged(self) -> bool:
        """Is something not sent yet, since the sidecar reads too slowly?"""
        return bool(self._unsent)

    @property
    def is_cooperative(self) -> bool:
        """Is it gevent's, or the like? Then who uses it is killed only where it waits for bytes.

        A thread may be interrupted anywhere: also between reading bytes and keeping them.
        """
        return type(self._socket).__module__ not in {"socket", "ssl"}

    # --- dialling

    def advance(self) -> bool:
        """Take a step towards being up; was something heard? OSError, ValueError or WireError."""
        try:
            return next(self._dialling)
        except StopIteration:
            self.is_up = True
            return True

    def _dial(self) -> _Steps:
        yield from self._connect()
        assert self._socket is not None  # it is connected
        self._socket.settimeout(self._step)
        channel = UNIX if self._options.sidecar.path else PLAIN
        if context := self._options.context():
            channel = tls_channel((yield from self._encrypt(self._socket, context)))
        else:
            self._is_plain = True
        yield from self._shake_hands(channel)

    def _connect(self) -> _Steps:
        """Connect to the first address of a name that answers."""
        address = self._options.sidecar
        failure = OSError(f"{address.host!r} has no address")
        for family, where in self._places(address):
            try:
                yield from self._connect_to(family, where)
            except OSError as error:
                failure = error
            else:
                return
        raise failure

    def _places(self, address: Address) -> list[tuple[int, str | tuple[object, ...]]]:
        """Return family and address of all places that an address stands for."""
        if address.path:
            return [(socket.AF_UNIX, address.path)]
        host, port = address.host, address.port
        try:
            version = ip_address(host).version
        except ValueError:
            return self._resolve(host, port)
        return [(socket.AF_INET6 if version == 6 else socket.AF_INET, (host, port))]

    def _resolve(self, host: str, port: int) -> list[tuple[int, str | tuple[object, ...]]]:
        self.is_resolving = True
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        finally:
            self.is_resolving = False
        return [(family, where) for family, _, _, _, where in found]

    def _connect_to(self, family: int, where: str | tuple[object, ...]) -> _Steps:
        self._socket = connecting = socket.socket(family, socket.SOCK_STREAM)
        try:
            yield from self._reach(connecting, where)
            if family != socket.AF_UNIX:
                connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            connecting.close()
            raise

    def _reach(self, connecting: socket.socket, where: str | tuple[object, ...]) -> _Steps:
        connecting.setblocking(False)
        failure = connecting.connect_ex(where)
        if failure == errno.EINPROGRESS:
            while not self._is_writable(connecting):
                yield False
            failure = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))

    def _is_writable(self, connecting: socket.socket) -> bool:
        """Wait for a step at most until an attempt to connect has ended, well or not."""
        poll = select.poll()
        poll.register(connecting, select.POLLOUT)
        return bool(poll.poll(self._step * 1e3))

    def _encrypt(
        self, connected: socket.socket, context: SSLContext
    ) -> Generator[bool, None, bytes]:
        """Speak TLS from here on; return the certificate of the other side (DER)."""
        self._socket = secured = context.wrap_socket(connected, do_handshake_on_connect=False)
        while True:
            try:
                secured.do_handshake()
            except _NOT_NOW:
                yield False
            else:
                return secured.getpeercert(binary_form=True) or b""

    def _shake_hands(self, channel: bytes) -> _Steps:
        """Say who we are; WireError if either side doesn't like the other."""
        options = self._options
        dialled = str(options.sidecar)
        self._handshake = handshake = Dialling(options.identity, token_bytes(NONCE_BYTES), dialled)
        handshake.channel = channel
        self.send(handshake.opening())
        while not handshake.done:
            bodies = self.receive()
            yield bool(bodies)
            while bodies and not handshake.done:
                if reply := handshake.receive(bodies[0]):
                    self.send(reply)
                bodies = () if handshake.done else self._framer.feed(b"")
        self._seal, theirs = handshake.seals or (None, None)
        self._framer.up(theirs)
        self._early = self._framer.feed(b"")

    # --- bytes

    def lacks(self, kind: type[Message]) -> str:
        """Return why the other side isn't told messages of that kind, for people; "" if it is."""
        return self._handshake.lacks(kind) if self._handshake else ""

    def tell(self, message: Message) -> None:
        """Send a message; OlderSide, and nothing is sent, if the other side doesn't know it."""
        if why := self.lacks(type(message)):
            raise OlderSide(why)
        self.send(encode(message))

    def send(self, frames: bytes) -> None:
        """Send this behind what isn't sent yet, or as much as goes within a step."""
        if self._seal is not None:
            frames = self._seal.all_sealed(frames)
        # Kept before it is sent: who is killed here leaves nothing half said.
        self._unsent = frames = self._unsent + frames if self._unsent else frames
        try:
            sent = self._send(frames)
        except _NOT_NOW:
            return
        self._unsent = b"" if sent == len(frames) else frames[sent:]

    def _send(self, frames: bytes) -> int:
        """Return how many bytes went; one of _NOT_NOW if none did within a step.

        A socket with a timeout looks first whether it can be written to, which it nearly always
        can: a system call of four, of 23 µs for a check by 1 thread.
        """
        connected = self._connected
        if self._is_plain:
            try:
                return os.write(connected.fileno(), frames)
            except BlockingIOError:
                pass  # it is full
        return connected.send(frames)

    def receive(self) -> Sequence[Bytes]:
        """Return the frames that come within a step, perhaps none. OSError at the end."""
        if self._early:
            bodies, self._early = self._early, ()
            return bodies
        try:
            data = self._connected.recv(_READ)
        except _NOT_NOW:
            self.has_more = False
            return ()
        if not data:
            raise ConnectionResetError("the sidecar has closed the connection")
        self.has_more = len(data) == _READ
        return self._framer.feed(data)

    def is_readable(self) -> bool:
        """Tell if something is there to be received, or the end of the connection is."""
        if self._early:
            return True
        pending: Callable[[], int] | None = getattr(self._socket, "pending", None)
        if pending is not None and pending():  # TLS has read it already
            return True
        poll = select.poll()
        poll.register(self._connected, select.POLLIN)
        return bool(poll.poll(0))

    def wait_with(self, other: socket.socket, seconds: float) -> None:
        """Wait until something is there to be received, here or by another one, or time is up."""
        if self.is_readable():
            return
        poll = select.poll()
        poll.register(self._connected, select.POLLIN)
        poll.register(other, select.POLLIN)
        poll.poll(seconds * 1e3)

    @property
    def _connected(self) -> socket.socket:
        assert self._socket is not None  # it is dialled first
        return self._socket

    # --- the end

    def fail(self, error: BaseException) -> None:
        """Close, and tell the sidecar if it did something wrong."""
        if self._socket and isinstance(error, WireError) and not isinstance(error, Refused):
            with suppress(OSError):
                self._socket.settimeout(0)  # if it doesn't fit in the buffer, then not
                self.send(encode(Error(error.code, error.text[:500])))
        self.close()

    def close(self) -> None:
        """Close this process's end: no shutdown, so a line inherited by fork goes on there."""
        if self._socket is not None:
            self._socket.close()
