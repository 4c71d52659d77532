"""Part (a) and (b): decisions per second and latency, by checks in flight."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from bench.contenders.echo import echo
from bench.contenders.redis_benchmark import redis_benchmark
from bench.contenders.redis_client import redis_client
from bench.contenders.redis_server import redis_server
from bench.contenders.sidegate_client import sidegate_clients
from bench.plan import IN_FLIGHT
from bench.results import UnavailableError
from bench.rounds import measure_rounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.contenders.contender import Contender
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "decisions"


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure all contenders, one after the other at each point, so that drift hits them alike."""
    async with AsyncExitStack() as stack:
        contenders = await _open(stack, results, folder)
        await measure_rounds(PART, contenders, IN_FLIGHT, plan, results, tell)


async def _open(stack: AsyncExitStack, results: Results, folder: Path) -> list[Contender]:
    contenders = [*await stack.enter_async_context(sidegate_clients(folder))]
    try:
        redis = await stack.enter_async_context(redis_server(folder))
        contenders += [redis_benchmark(redis, pipelined=flag) for flag in (False, True)]
        contenders.append(await stack.enter_async_context(redis_client(redis)))
    except UnavailableError as reason:
        results.skipped["Redis"] = str(reason)
    floor, _ = await stack.enter_async_context(echo(folder))
    return [*contenders, floor]
