"""A listening socket whose certificates may be replaced while it listens."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from headgate.options import Tls

log = logging.getLogger("headgate")

LOOK_EVERY = 2.0  # seconds between two looks at the certificate files
SHAKE_WITHIN = 5.0  # seconds for the handshake of TLS: an honest side takes milliseconds


class Listener:
    """Accepts connections on a socket, with TLS if there are certificates for it.

    When the files change, a new server with the new certificates takes over a copy of the same
    socket: no connection is refused meanwhile, and those that are open go on.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        tls: Tls | None = None,
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._socket = listening
        self._protocol = protocol
        self._tls = tls
        self._look_every = look_every
        self._server: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections from now on."""
        await self._serve()
        if self._tls is not None:
            self._watching = asyncio.get_running_loop().create_task(self._watch(self._tls))

    async def _serve(self) -> None:
        context = self._tls.context(ssl.Purpose.CLIENT_AUTH) if self._tls else None
        before = self._server
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=self._socket.dup(),
            ssl=context,
            ssl_handshake_timeout=SHAKE_WITHIN if context else None,
            backlog=4_096,
        )
        if before is not None:
            before.close()

    async def _watch(self, tls: Tls) -> None:
        files = (tls.cert, tls.key, tls.ca)
        seen = _stamps(files)
        while True:
            await asyncio.sleep(self._look_every)
            if (now := _stamps(files)) == seen:
                continue
            try:
                await self._serve()
            except (OSError, ValueError) as error:  # half written: look again
                log.warning("certificates in %s are not usable yet: %s", tls.cert, error)
                continue
            seen = now
            log.info("certificates read again from %s", tls.cert)

    async def close(self) -> None:
        """Accept no more connections."""
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            self._server.close()
        self._socket.close()


def _stamps(files: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return what changes when a file is written or a link to it is turned; zeros for a missing."""
    stamps: list[tuple[int, int]] = []
    for file in files:
        try:
            status = Path(file).stat()
        except OSError:
            stamps.append((0, 0))
        else:
            stamps.append((status.st_mtime_ns, status.st_ino))
    return stamps
