"""A listening socket whose certificates may be replaced while it listens."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from socket import AF_UNIX
from typing import TYPE_CHECKING

from sidegate.address import Address
from sidegate.handshake import PLAIN, UNIX, tls_channel

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from sidegate.options import Tls

log = logging.getLogger("sidegate")

LOOK_EVERY = 2.0  # seconds between two looks at the certificate files
SHAKE_WITHIN = 5.0  # seconds for the handshake of TLS: an honest side takes milliseconds
PAUSE = 1.0  # seconds before the next try to accept when there are no files left


class Listener:
    """Accepts connections on a socket, with TLS if there are certificates for it.

    A connection is accepted with the certificates that are in the files then; those that are
    open go on. `protocol` is told who is at the other side: "HOST:PORT", or "unix:PATH" of ours;
    and which channel the handshake is to bind (PLAIN, UNIX or a `tls_channel`).
    A protocol hears `connection_lost` also when TLS fails before it was connected.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[str, bytes], asyncio.Protocol],
        tls: Tls | None = None,
        *,
        look_every: float = LOOK_EVERY,
        shake_within: float = SHAKE_WITHIN,
    ) -> None:
        self._socket = listening
        self._protocol = protocol
        self._tls = tls
        self._look_every = look_every
        self._shake_within = shake_within
        self._context: ssl.SSLContext | None = None
        self._channel = UNIX if listening.family == AF_UNIX else PLAIN
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Accept connections from now on."""
        if self._tls is not None:
            seen = _stamps(self._tls)
            self._read(self._tls)
            self._run(self._watch(self._tls, seen))
        self._run(self._accept())

    def _run(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _read(self, tls: Tls) -> None:
        context = tls.context(ssl.Purpose.CLIENT_AUTH)
        self._channel = tls_channel(tls.certificate())
        self._context = context

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, remote = await loop.sock_accept(self._socket)
            except ConnectionError:  # it was gone before we took it
                continue
            except OSError as error:
                log.warning("accepting no connections for %g s: %s", PAUSE, error.strerror)
                await asyncio.sleep(PAUSE)
            else:
                self._greet(connection, self._named(remote))
                await asyncio.sleep(0)  # one a loop turn: those that are open go first

    def _named(self, remote: tuple[str, int] | str) -> str:
        """Return who is at the other side of a connection, as the system tells it."""
        if isinstance(remote, tuple):
            return str(Address(*remote[:2]))
        return f"unix:{self._socket.getsockname()}"

    def _greet(self, connection: socket.socket, remote: str) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled():  # perhaps before it began, and nobody else has the socket
                connection.close()

        self._run(self._connect(connection, remote)).add_done_callback(ended)

    async def _connect(self, connection: socket.socket, remote: str) -> None:
        protocol = self._protocol(remote, self._channel)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._shake_within if self._context else None,
            )
        except OSError as error:
            protocol.connection_lost(error)

    async def _watch(self, tls: Tls, seen: list[tuple[int, int]]) -> None:
        while True:
            await asyncio.sleep(self._look_every)
            if (now := _stamps(tls)) == seen:
                continue
            try:
                self._read(tls)
            except (OSError, ValueError) as error:  # half written: look again
                log.warning("certificates in %s are not usable yet: %s", tls.cert, error)
                continue
            seen = now
            log.info("certificates read again from %s", tls.cert)

    async def close(self) -> None:
        """Accept no more connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()


def _stamps(tls: Tls) -> list[tuple[int, int]]:
    """Return what changes when a file is written or a link to it is turned; zeros for a missing."""
    stamps: list[tuple[int, int]] = []
    for file in (tls.cert, tls.key, tls.ca):
        try:
            status = Path(file).stat()
        except OSError:
            stamps.append((0, 0))
        else:
            stamps.append((status.st_mtime_ns, status.st_ino))
    return stamps
