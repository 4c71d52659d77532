"""One FastAPI app under uvicorn, limited by a peer: `python -m bench.peers.web VARIANT FD ADDRESS`.

The same app as in bench.contenders.web, with a small ASGI middleware around the usual client of
each peer: one check a request, by the client's address, and 429 when it is denied.
"""

from __future__ import annotations

import socket
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from bench.contenders.web import VARIANTS
from bench.peers.asking.messages import GUBERNATOR, RATELIMIT, GubernatorCheck, Rate, RatelimitCheck
from bench.peers.asking.usual import by_rateguard_client, by_redis_py, over_grpc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from bench.peers.asking.usual import AskPeer

RATE: Final = Rate(10_000_000, 3_600)  # out of reach
BARE: Final = "bare"
OURS: Final = "sidegate allowed"


class Asks:
    """Asks a peer about each request. The client is opened when the server starts, in its loop."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 -- an ASGI app
        open_client: Callable[[], AbstractAsyncContextManager[AskPeer]],
    ) -> None:
        self._app = app
        self._open_client = open_client
        self._stack = AsyncExitStack()  # open until the process ends
        self._ask: AskPeer | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's
        """Let the request through, or refuse it."""
        if scope["type"] == "lifespan":
            self._ask = await self._stack.enter_async_context(self._open_client())
        elif self._ask is None or not await self._ask(scope["client"][0]):
            await _refuse(send)
            return
        await self._app(scope, receive, send)


async def _refuse(send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    await send(
        {"type": "http.response.start", "status": 429, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})


def _at(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


PEER_VARIANTS: Final[dict[str, Callable[[str], AbstractAsyncContextManager[AskPeer]]]] = {
    "throttlecrab allowed": lambda address: by_redis_py(RATE, *_at(address)),
    "rateguard allowed": lambda address: by_rateguard_client(*_at(address)),
    "gubernator allowed": lambda address: over_grpc(GubernatorCheck(RATE), GUBERNATOR, address),
    "envoyproxy-ratelimit allowed": lambda address: over_grpc(RatelimitCheck(), RATELIMIT, address),
}


def main() -> None:
    """Serve one variant on a listening socket that the parent process opened."""
    variant, descriptor, store = sys.argv[1:]
    if variant in PEER_VARIANTS:
        app: Any = Asks(VARIANTS[BARE](store), lambda: PEER_VARIANTS[variant](store))
    else:
        app = VARIANTS[variant](store)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main()
