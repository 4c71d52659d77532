"""Somebody in between, who knows no secret: passes bytes on, keeps them, and adds his own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from sidegate.link.address import Address
from sidegate.protocol.codec import HEADER_BYTES
from sidegate.protocol.seal import TAG_BYTES
from tests.support.in_process.cluster import eventually

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator

    from sidegate.trust.tls import Tls

_HANDSHAKE = 2  # frames of each side, which aren't sealed


class Way:
    """What goes in one direction of one relayed connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.seen = b""
        self.is_held = False

    def say(self, data: bytes) -> None:
        """Send something of our own."""
        self._writer.write(data)

    async def carry(self, reader: asyncio.StreamReader) -> None:
        """Pass on what comes, unless it is held."""
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                self.seen += data
                if not self.is_held:
                    self._writer.write(data)
        self._writer.close()

    @property
    def frames(self) -> list[bytes]:
        """What came so far: the frames of the handshake, then sealed ones, with their tags."""
        frames: list[bytes] = []
        rest = self.seen
        while len(rest) >= HEADER_BYTES:
            tag = TAG_BYTES if len(frames) >= _HANDSHAKE else 0
            end = HEADER_BYTES + int.from_bytes(rest[:HEADER_BYTES], "big") + tag
            if len(rest) < end:
                break
            frames.append(rest[:end])
            rest = rest[end:]
        return frames

    @property
    def sealed(self) -> list[bytes]:
        """The frames behind the handshake."""
        return self.frames[_HANDSHAKE:]


class Relay:
    """Listens in the place of somebody else, and passes connections on to `target`.

    `pairs` are its connections: what the dialling side says, and what is said to it.
    """

    def __init__(self, target: Address, tls: Tls | None = None) -> None:
        self.target = target
        self.address = Address()
        self.pairs: list[tuple[Way, Way]] = []
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        context = None if self._tls is None else _listening(self._tls)
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", port, ssl=context)
        self.address = Address("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = None if self._tls is None else self._tls.context()
        try:
            theirs = await asyncio.open_connection(self.target.host, self.target.port, ssl=context)
        except OSError:
            writer.close()
            return
        pair = Way(theirs[1]), Way(writer)
        self.pairs.append(pair)
        await asyncio.gather(pair[0].carry(reader), pair[1].carry(theirs[0]))

    async def up(self) -> tuple[Way, Way]:
        """Wait for a connection whose handshake is done and where something was said."""

        def done() -> list[tuple[Way, Way]]:
            return [pair for pair in self.pairs if pair[0].frames[1:] and pair[1].sealed]

        return (await eventually(done))[-1]

    async def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()


def _listening(tls: Tls) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415  # only where there is TLS

    return tls.context(ssl.Purpose.CLIENT_AUTH)


@asynccontextmanager
async def relay(target: Address, tls: Tls | None = None, port: int = 0) -> AsyncGenerator[Relay]:
    """Run a relay; over TLS it shows a certificate of its own."""
    relaying = Relay(target, tls)
    await relaying.start(port)
    try:
        yield relaying
    finally:
        await relaying.stop()
