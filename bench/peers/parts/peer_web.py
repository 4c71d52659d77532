"""Part peers_web: what each peer leaves of a FastAPI app, by a small middleware around its client.

As in part front: all apps stay up, and wrk goes round them a second at a time.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from bench.contenders.peers import program
from bench.contenders.wrk import CONNECTIONS, wrk
from bench.lab.processes import python
from bench.lab.serving import serving
from bench.lab.sidecars import sidecar
from bench.lab.usage import family_cpu_ns
from bench.parts.fastapi_app import verify
from bench.peers.asking.messages import Rate
from bench.peers.servers import gubernator, rateguard, ratelimit_alone, throttlecrab
from bench.peers.web import BARE, OURS, RATE
from bench.plan import rotated
from bench.results import UnavailableError, VoidError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bench.lab.serving import App
    from bench.lab.sidecars import Sidecar
    from bench.peers.servers import Served
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "peers_web"
SETTING: Final = f"FastAPI under wrk -t2 -c{CONNECTIONS}"
_MOST: Final = Rate(4_000_000, 3_600)  # the largest burst that rateguard knows, about
_NOTE: Final = (
    "FastAPI on uvicorn (uvloop, httptools, 1 worker), one server of each on this machine, one "
    "limit for the client's address, out of reach. Ours by RateLimitMiddleware, the others by an "
    "ASGI middleware of ten lines around their usual client; rateguard's blocks, so it is called "
    "in threads. CPU is the app's for a request"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Let wrk go round all apps, a second at each."""
    program("wrk")
    results.notes[PART] = _NOTE
    async with AsyncExitStack() as stack:
        apps = await _open(stack, results, folder)
        for app in apps:
            await wrk(app.url, 1)  # warm
        for round_ in range(plan.slices):
            await _go_round(apps, round_, results, tell)
            apps = [app for app in apps if app.variant not in results.void]


async def _open(stack: AsyncExitStack, results: Results, folder: Path) -> list[App]:
    apps = [await stack.enter_async_context(serving(folder, BARE, "-", _on_uvicorn))]
    for variant, store_of in _STORES.items():
        block = AsyncExitStack()
        stack.push_async_exit(block)
        try:
            address = await block.enter_async_context(store_of(folder))
            app = serving(folder, variant, address, _on_uvicorn)
            apps.append(await block.enter_async_context(app))
        except UnavailableError as reason:
            results.skipped[f"{variant} ({PART})"] = str(reason)
    return apps


async def _go_round(
    apps: Sequence[App], round_: int, results: Results, tell: Callable[[str], None]
) -> None:
    figures: dict[str, dict[str, float]] = {}
    for app in rotated(apps, round_):
        tell(f"round {round_ + 1}: {app.variant}")
        before = family_cpu_ns(app.pid)
        found = await wrk(app.url, 1)
        spent = family_cpu_ns(app.pid) - before
        try:
            verify(app, found)
        except VoidError as reason:
            results.void[app.variant] = str(reason)
            continue
        figures[app.variant] = {
            "rate": found.rate,
            "p99": found.p99,
            "cpu": spent / 1e3 / found.requests,
        }
    if BARE not in figures:
        raise VoidError(results.void[BARE])
    bare = figures[BARE]
    for variant, its in figures.items():
        kept, left = its["rate"] / bare["rate"], bare["cpu"] / its["cpu"]
        results.add(PART, variant, SETTING, round_, **its, kept=kept, left=left)


def _on_uvicorn(variant: str, descriptor: int, store: str) -> list[str]:
    return python("bench.peers.web", variant, str(descriptor), store)


@asynccontextmanager
async def _address(runs: AbstractAsyncContextManager[Sidecar | Served]) -> AsyncGenerator[str]:
    async with runs as server:
        yield server.address


@asynccontextmanager
async def _ratelimit(folder: Path) -> AsyncGenerator[str]:
    async with ratelimit_alone(folder, RATE) as (server, _redis):
        yield server.address


_STORES: Final[dict[str, Callable[[Path], AbstractAsyncContextManager[str]]]] = {
    OURS: lambda folder: _address(sidecar(folder, "beside-web")),
    "throttlecrab allowed": lambda folder: _address(throttlecrab(folder, "web")),
    "rateguard allowed": lambda folder: _address(rateguard(folder, "web", _MOST)),
    "gubernator allowed": lambda folder: _address(gubernator(folder, "web")),
    "envoyproxy-ratelimit allowed": _ratelimit,
}
