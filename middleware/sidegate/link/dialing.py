"""Dialling: one attempt to reach a sidecar, up to the end of the handshake."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as _executors
from contextlib import asynccontextmanager
from secrets import token_bytes
from ssl import SSLError
from typing import TYPE_CHECKING

from sidegate.link.connection import Connection
from sidegate.link.listening import ListenedTime
from sidegate.protocol.codec import WireError
from sidegate.protocol.handshake import NONCE_BYTES, PLAIN, UNIX, Dialling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from ssl import SSLContext

    from sidegate.link.address import Address
    from sidegate.link.connection import Handler
    from sidegate.protocol.handshake import Identity

# Python refuses to import its module of executors once the main thread has ended, when an app may
# go on serving from other threads: asyncio wants it to look a name up, uvloop to be imported.
assert _executors

DIAL_WITHIN = 2.0  # seconds for connecting and the handshake; a busy loop of our own has longer
_STEP = DIAL_WITHIN / 8


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
