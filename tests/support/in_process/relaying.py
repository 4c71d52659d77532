"""Somebody in between, who knows no secret: passes bytes on, keeps them, and adds his own."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Self

from sidegate.link.address import Address
from sidegate.protocol.codec import HEADER_BYTES
from sidegate.protocol.seal import TAG_BYTES
from sidegate.trust.tls import Tls
from tests.support.in_process.cluster import eventually

_HANDSHAKE = 2  # frames of each side, which aren't sealed


class Way:
    """What goes in one direction of one relayed connection."""

    def __init__(self, writer: asyncio.StreamWriter, *, is_kept: bool) -> None:
        self._writer = writer
        self._is_kept = is_kept
        self.seen = b""
        self.is_held = False

    def say(self, data: bytes) -> None:
        """Send something of our own."""
        self._writer.write(data)

    async def carry(self, reader: asyncio.StreamReader) -> None:
        """Pass on what comes, unless it is held."""
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                self.seen += data if self._is_kept else b""
                if not self.is_held:
                    self._writer.write(data)
        self._writer.close()

    def abort(self) -> None:
        """Break it."""
        self._writer.transport.abort()

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

    is_kept = True  # what is passed on

    def __init__(self, target: Address, tls: Tls | None = None) -> None:
        self.target = target
        self.address = Address()
        self.pairs: list[tuple[Way, Way]] = []
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        context = self._tls.context(ssl.Purpose.CLIENT_AUTH) if self._tls else None
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", port, ssl=context)
        self.address = Address("127.0.0.1", self._server.sockets[0].getsockname()[1])

    def choose(self) -> Address:
        """Choose where a connection goes."""
        return self.target

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = self._tls.context() if self._tls else None
        target = self.choose()
        try:
            theirs = await asyncio.open_connection(target.host, target.port, ssl=context)
        except OSError:
            writer.close()
            return
        pair = Way(theirs[1], is_kept=self.is_kept), Way(writer, is_kept=self.is_kept)
        self.pairs.append(pair)
        await asyncio.gather(pair[0].carry(reader), pair[1].carry(theirs[0]))

    async def up(self) -> tuple[Way, Way]:
        """Wait for a connection whose handshake is done and where something was said."""

        def done() -> list[tuple[Way, Way]]:
            return [pair for pair in self.pairs if pair[0].frames[1:] and pair[1].sealed]

        return (await eventually(done))[-1]

    async def stop(self) -> None:
        """Stop listening, and break all connections."""
        assert self._server is not None
        self._server.close()
        for pair in self.pairs:
            for way in pair:
                way.abort()

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncGenerator[Self]:
        """Listen for as long as the block."""
        await self.start(port)
        try:
            yield self
        finally:
            await self.stop()


def relay(
    target: Address, tls: Tls | None = None, port: int = 0
) -> AbstractAsyncContextManager[Relay]:
    """Run a relay; over TLS it shows a certificate of its own."""
    return Relay(target, tls).running(port)
