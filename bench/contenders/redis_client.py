"""redis-py with the same script: what a Python service with Redis would run."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import Contender, charge_all, python_contender
from bench.plan import IN_FLIGHT, KEYS, key_names
from bench.results import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

    from bench.contenders.redis_server import RedisServer


REDIS_PY: Final = "redis-py"


def _parser() -> str:
    from redis.utils import HIREDIS_AVAILABLE  # noqa: PLC0415

    return "hiredis" if HIREDIS_AVAILABLE else "its Python parser (hiredis is not installed)"


@asynccontextmanager
async def redis_client(server: RedisServer) -> AsyncGenerator[Contender]:
    """Offer redis-py as a contender for as long as the block."""
    try:
        from redis.asyncio import Redis  # noqa: PLC0415
    except ImportError as missing:
        raise UnavailableError("redis-py is not installed") from missing
    most = max(IN_FLIGHT)
    async with Redis(unix_socket_path=str(server.socket), max_connections=most) as redis:
        _, script, _, _, *arguments = server.evalsha("")

        def ask(key: str) -> Awaitable[list[int]]:
            return redis.evalsha(script, 1, key, *arguments)

        keys = list(key_names(KEYS))
        await charge_all(ask, keys)
        yield python_contender(
            REDIS_PY,
            f"redis.asyncio on uvloop with {_parser()}, unix socket, EVALSHA of bench/gcra.lua, "
            f"a connection for each check in flight (pool of {most})",
            ask,
            lambda answer: answer[0] == 1,
            keys,
        )
