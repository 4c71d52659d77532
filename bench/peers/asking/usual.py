"""Clients of peers as their documentation has it: a call a check, by the library that it names."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc.aio

from bench.peers.asking.messages import PeerError
from bench.results import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from bench.peers.asking.batching import CallChecks
    from bench.peers.asking.messages import Rate

    AskPeer: TypeAlias = Callable[[str], Awaitable[bool]]

_THREADS: Final = 256  # as many as checks are ever in flight
_PATIENCE: Final = 5.0  # seconds for an answer: a stall is to show as latency


@asynccontextmanager
async def over_grpc(checks: CallChecks, method: str, address: str) -> AsyncGenerator[AskPeer]:
    """Ask by grpcio, one check a call: gubernator and envoyproxy/ratelimit."""
    async with grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)

        async def ask(key: str) -> bool:
            try:
                data = await call(checks.request([key]), timeout=_PATIENCE)
            except grpc.RpcError as error:
                raise PeerError(str(error)) from error
            (answer,) = checks.answers(data)
            if isinstance(answer, PeerError):
                raise answer
            return answer

        yield ask


@asynccontextmanager
async def by_redis_py(rate: Rate, host: str, port: int) -> AsyncGenerator[AskPeer]:
    """Ask throttlecrab by redis-py, which must be told to speak RESP 2."""
    try:
        from redis.asyncio import Redis  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415
    except ImportError as missing:
        raise UnavailableError("redis-py is not installed") from missing
    options: dict[str, Any] = {"protocol": 2, "max_connections": _THREADS}
    async with Redis(host=host, port=port, **options) as client:
        redis: Any = client  # its commands have no types that hold
        numbers = (rate.tokens, rate.tokens, rate.seconds)

        async def ask(key: str) -> bool:
            try:
                answer = await redis.execute_command("THROTTLE", key, *numbers)
            except RedisError as error:
                raise PeerError(str(error)) from error
            return bool(answer[0] == 1)

        yield ask


@asynccontextmanager
async def by_rateguard_client(host: str, port: int) -> AsyncGenerator[AskPeer]:
    """Ask rateguard by its client for Python, which blocks: in a thread for each check."""
    try:
        client: Any = import_module("rateguard_client")  # not a dependency of ours
    except ImportError as missing:
        raise UnavailableError("rateguard-client is not installed") from missing
    loop = asyncio.get_running_loop()
    # It lets all through where it has no answer in time, and a table of that would be no figures.
    asking = client.Client(f"http://{host}:{port}", timeout=_PATIENCE, on_error="deny")
    with ThreadPoolExecutor(_THREADS) as threads:

        async def ask(key: str) -> bool:
            return bool((await loop.run_in_executor(threads, asking.check, key)).allowed)

        yield ask
        asking.close()
