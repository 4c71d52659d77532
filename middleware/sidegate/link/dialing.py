"""Dialling: one attempt to reach a sidecar, when there is another, and the task that makes them.

A link is dialled again after a pause that doubles and is jittered, or at once.
At once where another sidecar may answer at the same address, when the connection breaks or its
sidecar says that it is going: but only once a second, so one that only ever hangs up is no worse
off than one that isn't there.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as _executors
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from random import uniform
from secrets import token_bytes
from ssl import SSLError
from typing import TYPE_CHECKING, Protocol, TypeAlias

from sidegate.link.connection import Connection, Handler
from sidegate.link.listening import ListenedTime
from sidegate.protocol.codec import WireError
from sidegate.protocol.handshake import NONCE_BYTES, PLAIN, UNIX, Dialling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from ssl import SSLContext

    from sidegate.link.address import Address
    from sidegate.protocol.handshake import Identity

# Python refuses to import its module of executors once the main thread has ended, when an app may
# go on serving from other threads: asyncio wants it to look a name up, uvloop to be imported.
assert _executors

DIAL_WITHIN = 2.0  # seconds for connecting and the handshake; a busy loop of our own has longer
_STEP = DIAL_WITHIN / 8
FIRST_DELAY = 0.05  # seconds before the first redial; doubles up to the link's most
HURRY_EVERY = 1.0  # seconds between two dials without a pause

Context: TypeAlias = Callable[[], "SSLContext | None"]
"""Makes the TLS context for one dial, from files that may have changed; None for plain TCP."""


class Dialled(Handler, Protocol):
    """Who handles the connections, and is told when there is none."""

    def unreached(self) -> None:
        """Called when a dial came to nothing."""

    def refused(self, why: str) -> None:
        """Handle another reason why there is no connection than the last time: `why`, for people.

        Told once, not for each dial; and not that it is our own address, which is usual in seeds.
        """


async def dial(
    address: Address, me: Identity, context: SSLContext | None, handler: Handler
) -> Connection:
    """Return a connection: up, or closed when a side didn't like the other, as the handler heard.

    OSError, TimeoutError after 2 s or ValueError if there is none. A Unix socket has no TLS.
    """
    me.secrets_of(
        me.role
    )  # ValueError if there must be some and aren't yet: then there is nobody to ask
    connection: Connection | None = None
    try:
        async with _limited():
            connection = await _open(address, me, context, handler)
            await connection.shaken.wait()
            return connection
    except asyncio.CancelledError:
        if connection is not None:
            connection.abort()  # in this very turn: the loop may have no other
        raise
    finally:
        if connection is not None and not connection.is_up:
            connection.close()


async def _open(
    address: Address, me: Identity, context: SSLContext | None, handler: Handler
) -> Connection:
    loop = asyncio.get_running_loop()

    def protocol() -> Connection:
        nonce = me.instance + token_bytes(NONCE_BYTES - len(me.instance))
        handshake = Dialling(me, nonce, str(address))
        handshake.channel = UNIX if address.path else PLAIN
        return Connection(handshake, handler)

    if address.path:
        return (await loop.create_unix_connection(protocol, address.path))[1]
    host, port = address.host, address.port
    return (await loop.create_connection(protocol, host, port, ssl=context))[1]


@asynccontextmanager
async def _limited() -> AsyncGenerator[None]:
    """Raise TimeoutError in the body when we have listened for DIAL_WITHIN seconds."""
    async with asyncio.timeout(None) as timeout:
        limit = _Limit(timeout)
        try:
            yield
        finally:
            limit.stop()


class _Limit:
    """Has a timeout expire when we have listened for DIAL_WITHIN seconds."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._listened = ListenedTime(_STEP)
        self._timer: asyncio.TimerHandle | None = None
        self._step()

    def _step(self) -> None:
        now = self._loop.time()
        left = DIAL_WITHIN - self._listened.at(now)
        if left > 0:
            due = now + min(left, _STEP)
            self._listened.expect(now, due)
            self._timer = self._loop.call_at(due, self._step)
        else:
            self._timeout.reschedule(now)

    def stop(self) -> None:
        """Leave the timeout alone from now on."""
        if self._timer is not None:
            self._timer.cancel()


def why(error: Exception) -> str:
    """Return for people why nobody was reached."""
    if isinstance(error, TimeoutError):
        return f"no answer within {DIAL_WITHIN:g} s"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def code_of(error: Exception) -> str:
    """Return the word for programs for why a connection isn't there: the other side's, or "tls"."""
    if isinstance(error, WireError):
        return error.code
    return "tls" if isinstance(error, SSLError) else ""


class Redial:
    """Says when to dial, to the one task that does; is told what became of each connection."""

    def __init__(self, max_delay: float, *, hurries: bool) -> None:
        self._max_delay = max_delay
        self._hurries = hurries
        self._delay = FIRST_DELAY
        self._clock = asyncio.get_running_loop().time
        self._hurried_at = -inf
        self._at_once = False  # is there a dial that checks wait for, or will there be one?
        self._is_left = False  # has the sidecar said that it is going?
        self._ending = asyncio.Event()  # the connection is lost, or its sidecar is going

    # --- what becomes of connections

    def up(self) -> None:
        """Called when there is a new connection."""
        self._at_once = self._is_left = False
        self._ending.clear()

    def failed(self) -> None:
        """Called when a dial came to nothing."""
        self._at_once = False

    def leaving(self) -> None:
        """Called when the sidecar is going: from now on look for another one."""
        if self._hurries and not self._is_left:
            self._is_left = True
            self._hurry()
            self._ending.set()

    def lost(self) -> bool:
        """Called when the connection is gone; are checks to wait for the next one?"""
        self._hurry()
        if self._at_once or not self._is_left:
            self._ending.set()
        return self._at_once

    def _hurry(self) -> None:
        now = self._clock()
        if self._hurries and now - self._hurried_at >= HURRY_EVERY:
            self._hurried_at, self._at_once = now, True

    # --- when to dial

    async def ended(self) -> None:
        """Wait until the connection is gone, or should be left for another one."""
        await self._ending.wait()
        if self._at_once or not self._is_left:
            self._delay = FIRST_DELAY

    async def pause(self) -> None:
        """Wait until it is time to dial."""
        if self._at_once:
            return
        self._ending.clear()
        with suppress(TimeoutError):
            jittered = uniform(self._delay / 2, self._delay)  # noqa: S311  # jitter, not a secret
            async with asyncio.timeout(jittered):
                await self._ending.wait()
        self._delay = min(self._delay * 2, self._max_delay)


class Dialler:
    """The task that keeps a link connected, and why the last dial failed."""

    def __init__(
        self, address: Address, me: Identity, context: Context, redial: Redial, link: Dialled
    ) -> None:
        self.refusal = ""  # for people
        self.refusal_code = ""  # the other side's word for it, if it had one; "tls" where TLS fails
        self._address = address
        self._me = me
        self._context = context
        self._redial = redial
        self._link = link

    async def run(self) -> None:
        """Dial, now and whenever the connection ends or is to be left, until cancelled."""
        while True:
            if await self._dial():
                await self._redial.ended()
            else:
                self._redial.failed()
                self._link.unreached()
            await self._redial.pause()

    async def _dial(self) -> bool:
        try:
            context = None if self._address.path else self._context()
            return (await dial(self._address, self._me, context, self._link)).is_up
        except (OSError, TimeoutError, ValueError) as error:
            self._refused(error, why(error))
            return False

    def up(self) -> None:
        """Called when a handshake is done."""
        self.refusal = self.refusal_code = ""
        self._redial.up()

    def lost(self, error: Exception) -> None:
        """Called when a connection ended with an error, be it before its handshake was done."""
        self._refused(error, str(error))

    def _refused(self, error: Exception, text: str) -> None:
        self.refusal_code = code_of(error)
        said, self.refusal = self.refusal, text
        if text != said and self.refusal_code != "self":
            self._link.refused(text)
