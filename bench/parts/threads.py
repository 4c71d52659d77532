"""Part threads: decisions per second of a blocking client, by threads that ask at the same time."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import AsyncExitStack
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from bench.contenders.contender import Contender
from bench.contenders.redis_server import redis_server
from bench.lab.load import Point, quantile
from bench.lab.sidecars import BUDGET, sidecar
from bench.plan import KEYS, LIMIT, key_names
from bench.results import UnavailableError, VoidError
from bench.rounds import measure_rounds
from sidegate import BlockingClient, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.contenders.redis_server import RedisServer
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "threads"
THREADS: Final = (1, 8, 64)
OURS: Final = "sidegate, BlockingClient"
REDIS: Final = "redis-py, blocking"


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure both clients, one after the other at each number of threads."""
    async with AsyncExitStack() as stack:
        near = await stack.enter_async_context(sidecar(folder, "threads"))
        client = stack.enter_context(BlockingClient(near.address, budget=BUDGET, lease=False))
        contenders = [_ours(client)]
        try:
            contenders.append(_redis(await stack.enter_async_context(redis_server(folder))))
        except UnavailableError as reason:
            results.skipped["Redis"] = str(reason)
        await measure_rounds(PART, contenders, THREADS, plan, results, tell)


def _ours(client: BlockingClient) -> Contender:
    def ask(key: str) -> bool:
        decision = client.check(key, LIMIT)
        return decision.allowed and decision.source is Source.OWNER

    note = "sidegate.BlockingClient, unix socket to a sidecar, one client for all threads"
    return _contender(OURS, note, ask)


def _redis(server: RedisServer) -> Contender:
    try:
        from redis import Redis  # noqa: PLC0415
    except ImportError as missing:
        raise UnavailableError("redis-py is not installed") from missing
    redis: Any = Redis(unix_socket_path=str(server.socket), max_connections=max(THREADS))
    _, script, _, _, *arguments = server.evalsha("")

    def ask(key: str) -> bool:
        return bool(redis.evalsha(script, 1, key, *arguments)[0] == 1)

    note = f"redis.Redis, unix socket, EVALSHA of bench/gcra.lua, pool of {max(THREADS)}"
    return _contender(REDIS, note, ask)


def _contender(name: str, note: str, ask: Callable[[str], bool]) -> Contender:
    keys = list(key_names(KEYS))
    for key in keys:
        ask(key)

    async def run(threads: int, seconds: float) -> Point:
        return await asyncio.to_thread(_drive, ask, keys, threads, seconds)

    return Contender(name, note, run)


def _drive(ask: Callable[[str], bool], keys: Sequence[str], threads: int, seconds: float) -> Point:
    """Have threads ask one check after the other for some seconds."""
    latencies: list[list[int]] = [[] for _ in range(threads)]
    refused = [0] * threads
    ready = threading.Barrier(threads)

    def work(at: int) -> None:
        order, mine = random.Random(at).choices(keys, k=1_000), latencies[at]
        ready.wait()
        end = monotonic() + seconds
        while monotonic() < end:
            key = order[len(mine) % len(order)]
            began = perf_counter_ns()
            refused[at] += not ask(key)
            mine.append(perf_counter_ns() - began)

    asking = [threading.Thread(target=work, args=(at,)) for at in range(threads)]
    began = perf_counter_ns()
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    elapsed = perf_counter_ns() - began
    if any(refused):
        raise VoidError(f"{sum(refused)} checks of threads were refused, or not the owner's")
    ascending = sorted(each for mine in latencies for each in mine)
    rate = len(ascending) / elapsed * 1e9
    return Point(rate, quantile(ascending, 0.50), quantile(ascending, 0.99))
