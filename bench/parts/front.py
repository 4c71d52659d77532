"""Part (h): what the front in code leaves of an app: Limiter in FastAPI and in Flask, beside peers.

All apps stay up, and wrk goes round them a second at a time, so that whatever else the machine does
hits them alike; a third of the rounds each with processes of their own, since two with the same
code differ by a tenth. A share is the median of what each round says. Where wrk and the sidecar
take cores that the app needs, the rate says more about the machine than the CPU time of the app
does: that is what a worker with a core of its own keeps.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import charge_all, python_contender
from bench.contenders.peers import program
from bench.contenders.redis_server import redis_server
from bench.contenders.wrk import CONNECTIONS, wrk
from bench.lab.serving import on_gunicorn, on_uvicorn, serving
from bench.lab.sidecars import BUDGET, sidecar
from bench.lab.usage import family_cpu_ns
from bench.parts.fastapi_app import BARE, verify
from bench.plan import KEYS, LIMIT, key_names, rotated
from bench.results import UnavailableError
from sidegate import Client, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.contenders.contender import Contender
    from bench.lab.serving import App
    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "front"
FASTAPI: Final = "FastAPI on uvicorn"
FLASK: Final = "Flask on gunicorn, 8 threads"
CHECKS: Final = "limits on one check"
MIDDLEWARE: Final = "sidegate allowed"
DECORATOR: Final = "decorator"
WSGI: Final = "Limiter.wsgi"
SETTING: Final = f"wrk -t2 -c{CONNECTIONS}"
ONE: Final = "one limit"
THREE: Final = "three limits"
_IN_FLIGHT: Final = 64
_SETS: Final = 3  # of processes
_OURS: Final = {
    FASTAPI: (MIDDLEWARE, "Limiter.asgi", DECORATOR, "three decorators", "two keys"),
    FLASK: (WSGI, DECORATOR, "three decorators"),
}
_PEERS: Final = {FASTAPI: "slowapi allowed", FLASK: "flask-limiter"}
_SERVERS: Final = {FASTAPI: on_uvicorn, FLASK: on_gunicorn}
_NOTES: Final = {
    "Limiter.asgi": "Limiter(limits), one limit of the whole app",
    WSGI: "Limiter(limits).wsgi, one limit of the whole app",
    DECORATOR: "@limiter.limit on the route, per client address",
    "three decorators": "three of them on the route: one key, one check",
    "two keys": "one of them, and one limit of the whole app: two keys in one frame",
    "flask-limiter": "@limiter.limit as in its quick start, fixed window, Redis on a unix socket",
    ONE: f"sidegate.Client on uvloop, {_IN_FLIGHT} in flight, unix socket to a sidecar",
    THREE: "the same with three limits on each check",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure both frameworks, each in turn with its peer, then limits at the client."""
    results.notes.update(_NOTES)
    program("wrk")
    async with AsyncExitStack() as stack:
        near = await stack.enter_async_context(sidecar(folder, "front"))
        for framework in (FASTAPI, FLASK):
            for first in range(_SETS):
                async with AsyncExitStack() as serving_them:
                    place = folder / f"{framework.split(maxsplit=1)[0]} {first}"
                    place.mkdir()
                    apps = await _open(serving_them, framework, near.address, results, place)
                    rounds = range(first, plan.slices, _SETS)
                    await _take_turns(framework, apps, rounds, results, tell)
        client = await stack.enter_async_context(Client(near.address, budget=BUDGET, lease=False))
        await _measure_checks(client, plan, results, tell)


async def _open(
    stack: AsyncExitStack, framework: str, address: str, results: Results, place: Path
) -> list[App]:
    """Serve the variants of a framework; one that can't run here is skipped."""
    server = _SERVERS[framework]
    stores = dict.fromkeys((BARE, *_OURS[framework]), address)
    try:
        redis = await stack.enter_async_context(redis_server(place))
        stores[_PEERS[framework]] = f"redis+unix://{redis.socket}"
    except UnavailableError as reason:
        results.skipped[f"{_PEERS[framework]} ({PART})"] = str(reason)
    apps: list[App] = []
    for variant, store in stores.items():
        try:
            app = serving(place, variant, store, server)
            apps.append(await stack.enter_async_context(app))
        except UnavailableError as reason:
            results.skipped[f"{variant} ({framework})"] = str(reason)
    return apps


async def _take_turns(
    framework: str,
    apps: Sequence[App],
    rounds: range,
    results: Results,
    tell: Callable[[str], None],
) -> None:
    for app in apps:
        await wrk(app.url, 1)  # warm
    for round_ in rounds:
        figures: dict[str, tuple[float, float]] = {}
        for app in rotated(apps, round_):
            tell(f"{framework}, round {round_ + 1}: {app.variant}")
            figures[app.variant] = await _slice(app)
        bare_rate, bare_cpu = figures[BARE]
        for app in apps:
            rate, cpu = figures[app.variant]
            values = {"rate": rate, "cpu": cpu, "kept": rate / bare_rate, "left": bare_cpu / cpu}
            results.add(framework, app.variant, SETTING, round_, **values)


async def _slice(app: App) -> tuple[float, float]:
    """Return requests per second, and µs of the app's CPU for each."""
    before = family_cpu_ns(app.pid)
    found = await wrk(app.url, 1)
    spent = family_cpu_ns(app.pid) - before
    verify(app, found)
    return found.rate, spent / 1e3 / found.requests


# --- limits on one check


async def _measure_checks(
    client: Client, plan: Plan, results: Results, tell: Callable[[str], None]
) -> None:
    contenders = [
        await _checks(client, ONE, LIMIT),
        await _checks(client, THREE, f"{LIMIT}; 5000/hour burst 10000; 1000000/week"),
    ]
    for round_ in range(plan.slices):
        cpu: dict[str, float] = {}
        rates: dict[str, float] = {}
        for contender in rotated(contenders, round_):
            tell(f"{CHECKS}, round {round_ + 1}: {contender.name}")
            before = time.process_time_ns()
            point = await contender.measure(_IN_FLIGHT, plan.seconds / 4)
            spent = time.process_time_ns() - before
            rates[contender.name] = point.rate
            cpu[contender.name] = spent / 1e3 / (point.rate * plan.seconds / 4)
        for name in (ONE, THREE):
            times = cpu[name] / cpu[ONE]
            results.add(
                CHECKS, name, str(_IN_FLIGHT), round_, rate=rates[name], cpu=cpu[name], times=times
            )


async def _checks(client: Client, name: str, limits: str) -> Contender:
    async def ask(key: str) -> Decision:
        return await client.check(f"{name} {key}", limits)

    keys = list(key_names(KEYS))
    await charge_all(ask, keys)
    return python_contender(name, _NOTES[name], ask, _is_allowed, keys)


def _is_allowed(decision: Decision) -> bool:
    return decision.allowed and decision.source is Source.OWNER
