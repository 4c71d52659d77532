"""A change of the rules file under load: all apps of three sidecars have it, and none fails."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sidegate.asgi.middleware import ScopeRequest
from sidegate.asgi.types import Message, Receive, Scope, Send
from sidegate.http.request.proxies import NO_PROXIES
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS, cluster, eventually
from tests.support.in_process.rules import write_rules
from tests.support.middleware.asgi_app import App as AsgiApp
from tests.support.middleware.asgi_app import http, run
from tests.support.middleware.asgi_app import limit as limit_asgi
from tests.support.middleware.fronts import Asgi, Wsgi
from tests.support.middleware.wsgi_app import App as WsgiApp
from tests.support.middleware.wsgi_app import limit as limit_wsgi

WITHIN: Final = 3.0  # seconds
IN_LOOPS: Final = 8  # apps of each sidecar
IN_THREADS: Final = 2
OLD, NEW = "100000/minute", "200000/minute"


class Apps:
    """Thirty apps, each asked again and again, and what they answered last."""

    def __init__(self, nodes: list[Process]) -> None:
        self.fronts: list[Asgi | Wsgi] = []
        for node in nodes:
            told: dict[str, Any] = {"rules": "sidecar", "default": "allow"}
            told["sidecar"] = str(node.link)
            told |= {"secret": "", "budget": GENEROUS}
            for _ in range(IN_LOOPS):
                asgi = Asgi(limits="1/minute")
                asgi.app = AsgiApp()
                asgi.limited = limit_asgi(asgi.app, **told)
                self.fronts.append(asgi)
            for _ in range(IN_THREADS):
                wsgi = Wsgi(limits="1/minute")
                wsgi.app = WsgiApp()
                wsgi.limited = limit_wsgi(wsgi.app, **told)
                self.fronts.append(wsgi)
        self.latest: dict[int, str] = {}
        self.statuses = Counter[int]()

    async def ask(self, at: int) -> None:
        """Ask one app for ever."""
        front = self.fronts[at]
        while True:
            if isinstance(front, Asgi):
                answer = await front.ask("/login", peer=f"192.0.2.{at}")
                await asyncio.sleep(0.002)
            else:
                answer = await asyncio.to_thread(asyncio.run, front.ask("/login"))
            self.latest[at] = answer.fields.get("ratelimit-policy", "")
            self.statuses[answer.status] += 1

    def all_have(self, burst: str) -> bool:
        """Have all apps answered by this limit?"""
        policy = f'"login";q={burst.split("/", maxsplit=1)[0]};w=60'
        return [self.latest.get(at) for at in range(len(self.fronts))] == [policy] * 30

    async def close(self) -> None:
        """Close all clients."""
        for front in self.fronts:
            if isinstance(front, Asgi):
                await run(front.limited, {"type": "lifespan"})
            else:
                client: Any = front.limited._client
                await asyncio.to_thread(client.close)


@asynccontextmanager
async def under_load(nodes: list[Process]) -> AsyncGenerator[Apps]:
    apps = Apps(nodes)
    asking = [asyncio.create_task(apps.ask(at)) for at in range(len(apps.fronts))]
    try:
        yield apps
        assert not [it for it in asking if it.done()], "one has raised"
    finally:
        for task in asking:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*asking)
        await asyncio.gather(*asking, return_exceptions=True)
        await apps.close()


async def test_a_change_reaches_three_sidecars_and_thirty_apps_and_no_request_fails(
    tmp_path: Path,
) -> None:
    write_rules(file := tmp_path / "rules.yaml", OLD)
    async with cluster("n1", "n2", "n3", rules=str(file)) as nodes, under_load(nodes) as apps:
        await eventually(lambda: apps.all_have(OLD))
        clock = asyncio.get_running_loop().time
        write_rules(file, NEW)
        changed_at = clock()
        await eventually(lambda: apps.all_have(NEW))
        assert clock() - changed_at < WITHIN
        before = apps.statuses.total()
        await eventually(lambda: apps.statuses.total() > before + 300)
        assert set(apps.statuses) == {200}


class Served(AsgiApp):
    """Runs until its server ends it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
        await super().__call__(scope, receive, send)


async def test_an_app_hears_of_the_rules_before_its_first_request(tmp_path: Path) -> None:
    """From its server's start on: the lifespan of ASGI."""
    write_rules(file := tmp_path / "rules.yaml", OLD)
    async with cluster("n1", rules=str(file)) as (node,):
        told: dict[str, Any] = {"rules": "sidecar", "default": "allow", "secret": ""}
        app = limit_asgi(Served(), sidecar=str(node.link), **told)
        ends: asyncio.Queue[Message] = asyncio.Queue()
        sent: asyncio.Queue[Message] = asyncio.Queue()
        served = asyncio.create_task(app({"type": "lifespan"}, ends.get, sent.put))
        request = ScopeRequest(http("/login"), NO_PROXIES)
        rules = app._limiter.sidecar
        assert rules is not None
        await eventually(lambda: rules.questions(request, ""))
        start, _ = await run(app, http("/login"))
        assert dict(start["headers"])[b"ratelimit-policy"] == b'"login";q=100000;w=60'
        ends.put_nowait({"type": "lifespan.shutdown"})
        await served
