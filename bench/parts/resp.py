"""Part resp: what redis-py has of a sidecar, and of Redis with the GCRA script, both over TCP."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from bench.contenders.contender import Contender, charge_all, python_contender
from bench.contenders.redis_server import redis_server
from bench.lab.load import Point
from bench.lab.sidecars import sidecar
from bench.plan import KEYS, LIMIT_TOKENS, LIMIT_WINDOW, key_names
from bench.results import UnavailableError
from bench.rounds import measure_rounds
from sidegate_sidecar.lab.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "resp"
PIPELINES: Final = "resp pipelines"
OURS: Final = "CL.THROTTLE, sidegate"
REDIS: Final = "EVALSHA, Redis"
IN_FLIGHT: Final = (1, 16, 64)
PIPELINES_IN_FLIGHT: Final = (1, 4)
MOST: Final = 256  # connections: keys are charged so many at a time
AT_ONCE: Final = 1_000  # checks of a pipeline
_NOTE: Final = "redis.asyncio on uvloop with hiredis, TCP, a connection for each in flight, "


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure single commands, then pipelines of both servers, in turn."""
    async with AsyncExitStack() as stack:
        commands = await _open(stack, folder)
        keys = list(key_names(KEYS))
        singles = [await _single(*it, keys) for it in commands]
        await measure_rounds(PART, singles, IN_FLIGHT, plan, results, tell)
        pipelines = [_pipelined(*it, keys) for it in commands]
        await measure_rounds(PIPELINES, pipelines, PIPELINES_IN_FLIGHT, plan, results, tell)


async def _open(
    stack: AsyncExitStack, folder: Path
) -> list[tuple[str, Any, Callable[[str], Sequence[object]], int]]:
    """Start both; return for each its name, a client, its command for a key, and what is right."""
    try:
        from redis.asyncio import Redis  # noqa: PLC0415
    except ImportError as missing:
        raise UnavailableError("redis-py is not installed") from missing
    ours, theirs = free_ports(2)
    await stack.enter_async_context(sidecar(folder, "resp", resp=f"127.0.0.1:{ours}"))
    server = await stack.enter_async_context(redis_server(folder, "resp-redis", theirs))
    pools = [Redis(port=port, max_connections=MOST) for port in (ours, theirs)]
    clients = [await stack.enter_async_context(it) for it in pools]
    numbers = LIMIT_TOKENS - 1, LIMIT_TOKENS, LIMIT_WINDOW
    return [
        (OURS, clients[0], lambda key: ("CL.THROTTLE", key, *numbers), 0),
        (REDIS, clients[1], server.evalsha, 1),
    ]


async def _single(
    name: str,
    client: Any,  # noqa: ANN401  # redis-py's own types say little
    command: Callable[[str], Sequence[object]],
    right: int,
    keys: Sequence[str],
) -> Contender:
    def ask(key: str) -> Awaitable[list[int]]:
        answer: Awaitable[list[int]] = client.execute_command(*command(key))
        return answer

    await charge_all(ask, keys)
    return python_contender(name, f"{_NOTE}one command each", ask, lambda it: it[0] == right, keys)


def _pipelined(
    name: str,
    client: Any,  # noqa: ANN401  # as above
    command: Callable[[str], Sequence[object]],
    right: int,
    keys: Sequence[str],
) -> Contender:
    order = cycle(keys)

    async def ask(_: str) -> list[list[int]]:
        pipeline = client.pipeline(transaction=False)
        for key in islice(order, AT_ONCE):
            pipeline.execute_command(*command(key))
        answers: list[list[int]] = await pipeline.execute()
        return answers

    def allowed(answers: list[list[int]]) -> bool:
        return all(it[0] == right for it in answers)

    of_one = python_contender(name, f"{_NOTE}pipelines of {AT_ONCE:,}", ask, allowed, keys)

    async def measure_all(in_flight: int, seconds: float) -> Point:
        point = await of_one.measure(in_flight, seconds)
        return Point(point.rate * AT_ONCE, point.p50, point.p99)

    return Contender(of_one.name, of_one.note, measure_all)
