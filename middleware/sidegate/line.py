"""A line: one blocking connection to a sidecar, on which one question at a time is asked.

The modules `socket` and `time` are asked for their functions at each call, so that gevent may
have replaced them. Nothing else here may block.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from ipaddress import ip_address
from secrets import token_bytes
from typing import TYPE_CHECKING, TypeAlias

from sidegate.handshake import NONCE_BYTES, Dialling
from sidegate.wire import (
    Answers,
    Bytes,
    Check,
    Checks,
    Error,
    Forget,
    Framer,
    Message,
    Ping,
    Pong,
    Refused,
    Roster,
    WireError,
    decode,
    encode,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.address import Address
    from sidegate.handshake import Identity
    from sidegate.options import Options

    Told: TypeAlias = Callable[[Roster | Forget], None]

_READ = 65_536  # bytes at a time: an answer has 50; what came while the line was idle may be more
_SHORT = 0.005  # seconds: below it a timeout is set to the point


def dial(options: Options, told: Told, deadline: float) -> Line:
    """Return a line that is up by `deadline` (of time.monotonic); OSError or WireError if none is.

    Only the look-up of a host name isn't held to the deadline: nobody can interrupt the system's
    resolver. The address of a sidecar beside the app needs none.
    """
    line = Line(_connect(options.sidecar, deadline), told)
    try:
        if context := options.context():
            line.encrypt(context, deadline)
        line.shake_hands(options.identity, deadline)
    except BaseException as error:
        line.fail(error)
        raise
    return line


class Line:
    """A connection that is up after `shake_hands`. After any exception it must be closed.

    Then a late answer can't be taken for the answer to the next question.
    """

    __slots__ = (
        "_bodies",
        "_framer",
        "_last_id",
        "_late",
        "_socket",
        "_timeout",
        "_told",
        "deadline",
        "generation",
        "is_left",
        "relief_due",
    )

    def __init__(self, connected: socket.socket, told: Told) -> None:
        self._socket = connected
        self._timeout = connected.gettimeout() or 0.0
        self._told = told
        self._framer = Framer()
        self._bodies: deque[Bytes] = deque()
        self._last_id = 0
        self._late = False
        self.is_left = False  # has the sidecar said that it is going?
        self.deadline = 0.0  # of the last question; this and what follows is for the pool
        self.generation = 0
        self.relief_due = 0.0  # when to look for another line, once this one is left

    @property
    def is_used(self) -> bool:
        """Was it asked before? Then it may have died since."""
        return self._last_id > 0

    def encrypt(self, context: ssl.SSLContext, deadline: float) -> None:
        """Speak TLS from here on."""
        self._allow(_left(deadline))
        self._socket = context.wrap_socket(self._socket)

    def shake_hands(self, me: Identity, deadline: float) -> None:
        """Say who we are; WireError if either side doesn't like the other."""
        handshake = Dialling(me, token_bytes(NONCE_BYTES))
        self._send(handshake.opening(), deadline)
        while not handshake.done:
            if reply := handshake.receive(self._next(deadline)):
                self._send(reply, deadline)

    def ask(self, check: Check, deadline: float) -> Answers:
        """Return the answer to one check. TimeoutError at the deadline, OSError if the line broke.

        Refused if the sidecar said why it closes the line, WireError if it made no sense.
        """
        self._last_id = number = self._last_id + 1
        self._late = False
        self.deadline = deadline
        left = _left(deadline)
        self._allow(left)
        self._socket.sendall(encode(Checks(number, 0, int(left * 1e6), [check])))
        while True:
            message = decode(self._next(deadline))
            if type(message) is not Answers:
                self._hear(message, deadline)
            elif message.id == number:
                return _only_one(message)

    def _hear(self, message: Message, deadline: float) -> None:
        """Handle what comes in between."""
        match message:
            case Roster() | Forget():
                self._told(message)
                self.is_left |= isinstance(message, Roster) and message.leaving == 1
            case Ping():
                self._send(encode(Pong(message.id)), deadline)
            case Pong():
                pass
            case _:
                refuse(message)

    def fail(self, error: BaseException) -> None:
        """Close, and tell the sidecar if it did something wrong."""
        if isinstance(error, WireError) and not isinstance(error, Refused):
            with suppress(OSError):
                self._allow(0)  # if it doesn't fit in the buffer, then not
                self._socket.send(encode(Error(error.code, error.text[:500])))
        self.close()

    def close(self) -> None:
        """Close this process's end: no shutdown, so a line inherited by fork goes on there."""
        self._socket.close()

    # --- bytes

    def _send(self, frame: bytes, deadline: float) -> None:
        self._allow(_left(deadline))
        self._socket.sendall(frame)

    def _next(self, deadline: float) -> Bytes:
        """Return the body of the next frame. TimeoutError at the deadline.

        Past it, what is there already is still read, once: then it is this process that was late
        (no CPU to be had, a busy gevent hub), and the sidecar isn't to be blamed for it.
        """
        bodies = self._bodies
        while not bodies:
            if self._late:
                raise TimeoutError("no answer within the budget")
            left = deadline - time.monotonic()
            self._late = left <= 0
            bodies.extend(self._framer.feed(self._receive(max(left, 0.0))))
        return bodies.popleft()

    def _receive(self, left: float) -> bytes:
        """Return what comes within `left` seconds, perhaps nothing. OSError at the end."""
        self._allow(left)
        try:
            data = self._socket.recv(_READ)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return b""
        if not data:
            raise ConnectionResetError("the sidecar has closed the connection")
        return data

    def _allow(self, left: float) -> None:
        """Set the socket's timeout to `left` or a little less.

        One that was set before may still be right, which saves a system call on each check.
        """
        if left and 0.9 * left <= self._timeout <= left:
            return
        self._timeout = 0.95 * left if left > _SHORT else left
        self._socket.settimeout(self._timeout)


def _only_one(answers: Answers) -> Answers:
    if len(answers.answers) != 1 or answers.positions not in (None, [0]):
        raise WireError("bad-message", "answers that don't fit the one check they are for")
    return answers


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time is left within the budget")
    return left


def _connect(address: Address, deadline: float) -> socket.socket:
    """Return a connected socket, to the first address of a name that answers."""
    failure: OSError = OSError(f"{address.host!r} has no address")
    for family, where in _places(address):
        try:
            return _connect_to(family, where, deadline)
        except OSError as error:
            failure = error
    raise failure


def _places(address: Address) -> list[tuple[int, str | tuple[object, ...]]]:
    """Return family and address of all places that an address stands for."""
    if address.path:
        return [(socket.AF_UNIX, address.path)]
    host, port = address.host, address.port
    try:
        version = ip_address(host).version
    except ValueError:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, where) for family, _, _, _, where in found]
    return [(socket.AF_INET6 if version == 6 else socket.AF_INET, (host, port))]


def _connect_to(family: int, where: str | tuple[object, ...], deadline: float) -> socket.socket:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(_left(deadline))
        connecting.connect(where)
        if family != socket.AF_UNIX:
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connecting.close()
        raise
    return connecting
