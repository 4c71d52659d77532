"""The floor: frames of the size of a check, sent back untouched by another process.

Nothing with an awaitable call, a unix socket and uvloop at both ends can be faster, so a check's
latency is read as a multiple of this one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

from bench.contenders.contender import Contender, python_contender
from bench.lab.processes import python, running, until_listening
from bench.plan import KEYS, LIMIT, key_names
from sidegate.protocol.codec import encode
from sidegate.protocol.messages import Checks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

ECHO: Final = "echo"
_FRAME: Final = encode(Checks(1_000, 0, 50_000, [(next(key_names(1)), LIMIT, 1)]))


class _Pings(asyncio.Protocol):
    """The leanest client there is: a write and a future for each message, resolved in order."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._received = 0
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, _key: str) -> asyncio.Future[bool]:
        future = self._loop.create_future()
        self._waiting.append(future)
        self._transport.write(_FRAME)
        return future

    def data_received(self, data: bytes) -> None:
        whole, self._received = divmod(self._received + len(data), len(_FRAME))
        for _ in range(whole):
            self._waiting.popleft().set_result(True)

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def echo(folder: Path) -> AsyncGenerator[tuple[Contender, int]]:
    """Offer the echo as a contender for as long as the block; its process's id comes along."""
    path, log = folder / "echo.sock", folder / "echo.log"
    with running(python("bench.contenders.echo_server", str(path)), log) as process:
        await until_listening(process, path, log)
        loop = asyncio.get_running_loop()
        _, pings = await loop.create_unix_connection(_Pings, str(path))
        contender = python_contender(
            ECHO,
            f"no limiter: {len(_FRAME)} bytes there and back, uvloop at both ends, unix socket, "
            "a write and a future for each message",
            pings.ask,
            lambda answer: answer,
            list(key_names(KEYS)),
        )
        yield contender, process.pid
        pings.close()
