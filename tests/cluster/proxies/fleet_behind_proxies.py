"""Sidecars behind proxies, each with a port of its own that its proxy asks."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx2

from tests.support.processes.fleet import Fleet
from tests.support.processes.services import Port, Sidecar
from tests.support.proxies.hello import HelloApp, hello_app
from tests.support.proxies.proxies import AskingProxy, Caddy, ExtAuthzEnvoy, Haproxy, Nginx

KINDS: Final = (Nginx, Haproxy, Caddy, ExtAuthzEnvoy)
RULES: Final = """
version: 1
exempt: [/ready]
rules:
- {name: key, match: {path: /key}, limits: 50/hour, key: "header:x-api-key"}
- {name: hidden, match: {path: /hidden/*}, limits: 0/hour, key: global}
- {name: posts, match: {methods: [POST]}, limits: 1/hour}
- {name: host, match: {host: limited.example}, limits: 0/hour}
- {name: client, limits: 5/hour}
"""


class BehindProxies(NamedTuple):
    """Sidecars n0, n1, … in a fleet, a proxy before each, and the app behind all proxies."""

    fleet: Fleet
    proxies: Sequence[AskingProxy]
    app: HelloApp


class _AskedFleet(Fleet):
    def __init__(self, ports: Sequence[Port], **options: object) -> None:
        super().__init__(**options)
        self._ports = iter(ports)

    def make(self, name: str) -> Sidecar:
        return Sidecar(name, **self._options, auth=next(self._ports))


@asynccontextmanager
async def behind(
    folder: Path,
    *kinds: type[AskingProxy],
    changes: Mapping[type[AskingProxy], Sequence[tuple[str, str]]] = {},
    **options: object,
) -> AsyncGenerator[BehindProxies]:
    """Run a sidecar and a proxy of each kind, by the page but for some changes."""
    file = folder / "rules.yaml"
    file.write_text(RULES)
    with ExitStack() as stack:
        ports = [Port() for _ in kinds]
        for port in ports:
            stack.callback(port.close)
        names = [f"n{at}" for at in range(len(kinds))]
        fleet = _AskedFleet(ports, rules=file, **options)
        async with hello_app() as app, fleet.running(*names):
            proxies = [
                kind(folder, app.port, port, *changes.get(kind, ()))
                for kind, port in zip(kinds, ports, strict=True)
            ]
            for proxy in proxies:
                stack.callback(proxy.close)
                proxy.launch()
            await asyncio.gather(*(asyncio.to_thread(proxy.wait) for proxy in proxies))
            yield BehindProxies(fleet, proxies, app)


def client_at(address: str) -> httpx2.AsyncClient:
    """Return a client at an address of its own."""
    transport = httpx2.AsyncHTTPTransport(local_address=address, verify=False, trust_env=False)
    return httpx2.AsyncClient(transport=transport, timeout=60)
