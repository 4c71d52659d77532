"""Part (c): what a limiter leaves of a FastAPI app's requests per second."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from bench.contenders.peers import program
from bench.contenders.redis_server import redis_server
from bench.contenders.wrk import CONNECTIONS, Requests, wrk
from bench.lab.serving import App, serving
from bench.lab.sidecars import sidecar
from bench.plan import rotated
from bench.results import UnavailableError, VoidError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "fastapi"
SETTING: Final = f"wrk -t2 -c{CONNECTIONS}"
BARE: Final = "bare"
_NOTES: Final = {
    BARE: "FastAPI on uvicorn (uvloop, httptools, 1 worker), no limiter; the same app in all rows",
    "sidegate allowed": "RateLimitMiddleware per client address, a sidecar on a unix socket",
    "sidegate denied": "the same at 1/hour: refused by the answer remembered in the process",
    "slowapi allowed": "@limiter.limit as in its quick start, fixed window, Redis on a unix socket",
    "slowapi denied": "the same at 1/hour",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Run wrk against all variants in turn, round by round."""
    program("wrk")
    async with AsyncExitStack() as stack:
        apps = await _open(stack, results, folder)
        for app in apps:
            results.notes[app.variant] = _NOTES[app.variant]
            await wrk(app.url, 1)  # warm
        for round_ in range(plan.rounds):
            for app in rotated(apps, round_):
                tell(f"round {round_ + 1}: {app.variant}")
                found = await wrk(app.url, plan.wrk_seconds)
                verify(app, found)
                results.add(PART, app.variant, SETTING, round_, **_values(found))


def _values(found: Requests) -> dict[str, float]:
    return {
        "rate": found.rate,
        "p50": found.p50,
        "p99": found.p99,
        "refused": found.refused / found.requests,
    }


def verify(app: App, found: Requests) -> None:
    """Void the figures if requests were refused that should pass, or the other way round."""
    least, most, status = (0.999, 1, 429) if app.denies else (0, 0, 200)
    refused = found.refused / found.requests
    if not least <= refused <= most or app.status() != status:
        counted = f"{found.refused:,} of {found.requests:,} refused, then {app.status()}"
        raise VoidError(f"{app.variant} is not what it says: {counted}")


async def _open(stack: AsyncExitStack, results: Results, folder: Path) -> list[App]:
    apps = [await stack.enter_async_context(serving(folder, BARE, "-"))]
    for limiter, store_of in (("sidegate", _sidecar), ("slowapi", _redis)):
        try:
            store = await store_of(stack, folder)
            for outcome in ("allowed", "denied"):
                app = serving(folder, f"{limiter} {outcome}", store)
                apps.append(await stack.enter_async_context(app))
        except UnavailableError as reason:
            results.skipped[f"{limiter} ({PART})"] = str(reason)
    return apps


async def _sidecar(stack: AsyncExitStack, folder: Path) -> str:
    return (await stack.enter_async_context(sidecar(folder, "beside"))).address


async def _redis(stack: AsyncExitStack, folder: Path) -> str:
    server = await stack.enter_async_context(redis_server(folder, "slowapi"))
    return f"redis+unix://{server.socket}"
