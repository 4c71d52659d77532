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
from tests.support.in_process.cluster import (
    GENEROUS,
    client,
    cluster,
    eventually,
    eventually_answered,
)
from tests.support.in_process.rules import write_rules
from tests.support.middleware.asgi_app import App as AsgiApp
from tests.support.middleware.asgi_app import http, run
from tests.support.middleware.asgi_app import limit as limit_asgi
from tests.support.middleware.checker import items
from tests.support.middleware.fronts import Answer, Asgi, Wsgi
from tests.support.middleware.wsgi_app import App as WsgiApp
from tests.support.middleware.wsgi_app import limit as limit_wsgi

WITHIN: Final = 3.0  # seconds
IN_LOOPS: Final = 8  # apps of each sidecar
IN_THREADS: Final = 2
OLD, NEW = "100000/minute", "200000/minute"


async def answer_of(front: Asgi | Wsgi, peer: str = "192.0.2.1") -> Answer:
    """Ask an app, one of WSGI in a thread."""
    if isinstance(front, Asgi):
        return await front.ask("/login", peer=peer)
    return await asyncio.to_thread(lambda: asyncio.run(front.ask("/login", peer=peer)))


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
            answer = await answer_of(front, f"192.0.2.{at}")
            await asyncio.sleep(0.002)
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


async def test_what_was_spent_of_a_limit_stays_spent_when_the_file_changes_it(
    tmp_path: Path,
) -> None:
    """As a share: by requests of both kinds of app, and by the rule's name in code."""
    write_rules(file := tmp_path / "rules.yaml", "10/hour")
    async with cluster("n1", rules=str(file)) as nodes, client(nodes[0]) as code:
        apps = Apps(nodes)
        asgi, wsgi = apps.fronts[0], apps.fronts[-1]

        async def left(front: Asgi | Wsgi) -> int:
            answer = await answer_of(front)
            return items(answer.fields["ratelimit"])["login"]["r"] if answer.rules else -1

        await eventually_answered(lambda: left(asgi), lambda it: it == 9)
        await eventually_answered(lambda: left(wsgi), lambda it: it == 8)
        assert [await left(asgi), (await code.check("192.0.2.1", "@login")).remaining] == [7, 6]
        write_rules(file, "100/hour")
        changed = [front.limited._limiter.sidecar for front in (asgi, wsgi)]
        await eventually(lambda: all(it and limits_of(it) == "100/hour" for it in (*changed, code)))
        assert await left(asgi) == 59
        assert [await left(wsgi), (await code.check("192.0.2.1", "@login")).remaining] == [58, 57]
        await apps.close()


def limits_of(place: Any) -> str:
    """Return the limits of the one rule that a client or a middleware knows."""
    rules = (getattr(place, "now", None) or place.rules)()
    return str(rules.rules[0].rule.limits.text)


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
