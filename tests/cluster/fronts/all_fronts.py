"""All that can ask a ring about one key: proxies, Envoy in both ways, redis-py, an app and curl."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2
from fastapi import FastAPI
from redis.asyncio import Redis

from sidegate import Limiter, header
from tests.support.apps.clients import async_client
from tests.support.envoy.proxy import Envoy, file_on_page
from tests.support.in_process.cluster import eventually_answered
from tests.support.optional import missing
from tests.support.processes.fleet import Fleet
from tests.support.processes.services import Port, Service, Sidecar
from tests.support.proxies.hello import hello_app
from tests.support.proxies.proxies import AskingProxy, Caddy, ExtAuthzEnvoy, Haproxy, Nginx

NAMES: Final = ("n0", "n1", "n2")
BUDGET: Final = 20.0  # seconds
RULES: Final = """
version: 1
exempt: [/ready]
rules:
- {name: key, match: {path: /key}, limits: LIMITS, key: "header:x-api-key"}
"""
_FRONTS: Final = ("auth", "grpc", "resp")


class Asker(NamedTuple):
    """One way to ask; `ask` tells of a key whether the request passes."""

    name: str
    ask: Callable[[str], Awaitable[bool]]


class Fronts(NamedTuple):
    """Three sidecars, the file that they all read, and all who ask them."""

    fleet: Fleet
    rules: Path
    askers: Sequence[Asker]
    policy: Callable[[], Awaitable[str]]
    """Returns what the app says of its limits, "" if it has none."""

    def write(self, limits: str) -> None:
        """Have the rule of the file have these limits, on all sidecars."""
        self.rules.write_text(RULES.replace("LIMITS", limits))


class _Fleet(Fleet):
    """Sidecars with every front, each at a port of its own."""

    def __init__(self, stack: AsyncExitStack, **options: Any) -> None:
        super().__init__(**options)
        self.ports = {name: {front: Port() for front in _FRONTS} for name in NAMES}
        for ports in self.ports.values():
            for port in ports.values():
                stack.callback(port.close)

    def make(self, name: str) -> Sidecar:
        options: dict[str, Any] = {**self._options, **self.ports[name]}
        return Sidecar(name, **options)


@asynccontextmanager
async def all_fronts(folder: Path, limits: str) -> AsyncGenerator[Fronts]:
    """Run three sidecars with a rule of these limits, and all that ask about its keys."""
    rules = folder / "rules.yaml"
    rules.write_text(RULES.replace("LIMITS", limits))
    async with AsyncExitStack() as stack:
        fleet = _Fleet(stack, rules=rules)
        app = await stack.enter_async_context(hello_app())
        await stack.enter_async_context(fleet.running(*NAMES))
        http = await stack.enter_async_context(async_client())
        proxies = _proxies(folder, app.port, fleet)
        for proxy in proxies:
            stack.callback(proxy.close)
            proxy.launch()
        await asyncio.gather(*(asyncio.to_thread(proxy.wait) for proxy in proxies))
        askers = [_of_proxy(http, proxy) for proxy in proxies]
        app_asker, policy = await _of_app(stack, fleet.nodes["n0"])
        askers.append(app_asker)
        askers.append(await _of_redis(stack, fleet.ports["n1"]["resp"]))
        askers.append(_of_curl(fleet.nodes["n2"]))
        await eventually_answered(policy, bool)
        yield Fronts(fleet, rules, askers, policy)


def _proxies(folder: Path, app: int, fleet: _Fleet) -> list[Service]:
    auth = [fleet.ports[name]["auth"] for name in NAMES]
    made = (
        Nginx(folder, app, auth[0]),
        Caddy(folder, app, auth[1]),
        ExtAuthzEnvoy(folder, app, auth[2]),
        Haproxy(folder, app, auth[0]),
    )
    page = file_on_page("envoy.yaml")
    start = page.index("                      rate_limits:")
    by_limits = page[start : page.index("                http_filters:")]
    by_rules = file_on_page("rate-limits.yaml")
    return [*made, Envoy(folder, app, fleet.ports["n0"]["grpc"], (by_limits, by_rules))]


def _passes(answer: httpx2.Response) -> bool:
    assert answer.status_code in {200, 429}, answer
    return answer.status_code == 200


def _of_proxy(http: httpx2.AsyncClient, proxy: Service) -> Asker:
    async def ask(key: str) -> bool:
        return _passes(await http.get(f"{proxy.url}/key", headers={"x-api-key": key}))

    kind = "rls" if not isinstance(proxy, AskingProxy) else proxy.title
    return Asker(kind, ask)


async def _of_app(
    stack: AsyncExitStack, sidecar: Sidecar
) -> tuple[Asker, Callable[[], Awaitable[str]]]:
    """Return FastAPI, with the rule by its name, and what says how it limits."""
    limiter = Limiter(key=header("x-api-key"), sidecar=str(sidecar.link), budget=BUDGET)
    app = FastAPI()
    app.add_middleware(limiter.asgi)

    @app.get("/named")
    @limiter.limit("@key")
    async def named() -> None: ...

    transport = httpx2.ASGITransport(app)
    client = httpx2.AsyncClient(transport=transport, base_url="http://app")
    http = await stack.enter_async_context(client)

    async def ask(key: str) -> bool:
        return _passes(await http.get("/named", headers={"x-api-key": key}))

    async def policy() -> str:
        answer = await http.get("/named", headers={"x-api-key": "nobody"})
        return str(answer.headers.get("ratelimit-policy", ""))

    return Asker("fastapi", ask), policy


async def _of_redis(stack: AsyncExitStack, port: Port) -> Asker:
    """redis-py, which says itself what the limit is: 50 an hour, whatever the file has."""
    made: Any = Redis(host="127.0.0.1", port=port.number)
    redis = await stack.enter_async_context(made)

    async def ask(key: str) -> bool:
        words = ("CL.THROTTLE", f"key:x-api-key={key}", 49, 50, 3_600)
        said: list[int] = await redis.execute_command(*words)
        return said[0] == 0

    return Asker("redis", ask)


def _of_curl(sidecar: Sidecar) -> Asker:
    """Return curl, with the rule by its name."""
    if shutil.which("curl") is None:
        missing("curl")

    async def ask(key: str) -> bool:
        body = json.dumps({"key": f"x-api-key={key}", "limits": "@key"})
        command = ("curl", "-sS", "-m", "60", "--noproxy", "*", "--json", body)
        curl = await asyncio.create_subprocess_exec(
            *command, f"{sidecar.url}/v1/check", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await curl.communicate()
        allowed: bool = json.loads(out)["allowed"]
        return allowed

    return Asker("curl", ask)
