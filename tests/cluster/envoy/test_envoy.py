"""Envoy before an app, with a sidecar beside it: three of each share one limit."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.apps.clients import async_client
from tests.support.envoy.proxy import Envoy, file_on_page, require_envoy
from tests.support.processes.fleet import Fleet
from tests.support.processes.services import Port, Sidecar
from tests.support.proxies.hello import hello_app

SECRET = "a secret of sixteen characters"


@pytest.fixture
def ports() -> Generator[list[Port]]:
    """Return a port of gRPC for each of three sidecars."""
    with ExitStack() as stack:
        made = [Port() for _ in range(3)]
        for port in made:
            stack.callback(port.close)
        yield made


class EnvoyFleet(Fleet):
    """Sidecars that serve gRPC, each at a port of its own."""

    def __init__(self, ports: list[Port], **options: object) -> None:
        super().__init__(**options)
        self._ports = iter(ports)

    def make(self, name: str) -> Sidecar:
        return Sidecar(name, **self._options, grpc=next(self._ports))


@asynccontextmanager
async def envoys(
    folder: Path, ports: list[Port], *changes: tuple[str, str], **options: object
) -> AsyncGenerator[tuple[Fleet, list[Envoy]]]:
    """Run as many Envoys as there are ports, with a sidecar each: n0, n1, and so on.

    They decide by the limits on the page, unless the options name rules.
    """
    require_envoy()
    if "rules" not in options:
        limits = folder / "limits.yaml"
        limits.write_text(file_on_page("limits.yaml"))
        options["ratelimit_yaml"] = limits
    names = [f"n{at}" for at in range(len(ports))]
    with ExitStack() as stack:
        running = EnvoyFleet(ports, **options).running(*names)
        async with hello_app() as app, running as fleet:
            made = [Envoy(folder, app.port, at, *changes) for at in ports]
            for envoy in made:
                stack.callback(envoy.close)
                envoy.launch()
            await asyncio.gather(*(asyncio.to_thread(envoy.wait) for envoy in made))
            yield fleet, made


def key(name: str) -> dict[str, str]:
    return {"x-api-key": name}


async def test_three_envoys_share_one_limit_to_the_request(
    tmp_path: Path, ports: list[Port]
) -> None:
    """By the configuration on the page: 50 an hour pass in all, and each is told what is left."""
    async with envoys(tmp_path, ports) as (fleet, all_three), async_client() as http:
        answers: list[httpx2.Response] = await asyncio.gather(
            *(http.get(f"{all_three[at % 3].url}/x", headers=key("k")) for at in range(90))
        )
        assert Counter(it.status_code for it in answers) == {200: 50, 429: 40}
        passed = [it for it in answers if it.status_code == 200]
        assert {it.text for it in passed} == {"hello"}
        left = sorted(int(it.headers["ratelimit"].split(";")[1][2:]) for it in passed)
        assert left == list(range(50))
        refused = next(it for it in answers if it.status_code == 429)
        assert 0 < int(refused.headers["retry-after"]) <= 72
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["violated-policies"] == ["api_key"]
        assert refused.headers["ratelimit-policy"] == (
            '"api_key";q=50;w=3600, "remote_address";q=1000;w=60'
        )
        assert refused.headers["x-envoy-ratelimited"] == "true"
        assert (await http.get(all_three[0].url, headers=key("another"))).status_code == 200
        await fleet.stop("n2")  # with an Envoy that is connected: it ends with 0
        for envoy in all_three[:2]:
            assert (await http.get(envoy.url, headers=key("k"))).status_code == 429


RULES = """
version: 1
rules:
- {name: login, match: {path: /login, methods: [POST], host: app.example}, limits: 3/hour}
- {name: api, match: {path: /api/*}, limits: 50/hour, key: "header:x-api-key"}
"""


async def test_envoys_share_the_limits_of_a_rules_file(tmp_path: Path, ports: list[Port]) -> None:
    """With what the page has Envoy tell; a client without a key counts by its address."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    page = file_on_page("envoy.yaml")
    start = page.index("                      rate_limits:")
    old = page[start : page.index("                http_filters:")]
    new = file_on_page("rate-limits.yaml")
    async with (
        envoys(tmp_path, ports[:2], (old, new), rules=rules) as (_, (one, two)),
        async_client() as http,
    ):

        async def asked(path: str, times: int, **more: Any) -> Counter[int]:
            answers: list[httpx2.Response] = await asyncio.gather(
                *(
                    http.request(url=f"{(one, two)[at % 2].url}{path}", **more)
                    for at in range(times)
                )
            )
            return Counter(it.status_code for it in answers)

        for_app: dict[str, Any] = {"method": "POST", "headers": {"host": "app.example"}}
        assert await asked("/login?next=/", 5, **for_app) == {200: 3, 429: 2}
        assert await asked("//login", 2, **for_app) == {429: 2}
        assert await asked("/login", 5, method="POST") == {200: 5}  # of another host
        assert await asked("/api/x", 60, method="GET", headers=key("k")) == {200: 50, 429: 10}
        assert await asked("/api/x", 60, method="GET") == {200: 50, 429: 10}
        assert await asked("/" + "x" * 9_000, 2, method="GET") == {429: 2}


async def test_the_longest_header_is_no_way_around(tmp_path: Path, ports: list[Port]) -> None:
    """Nor are bytes that are no text."""
    async with envoys(tmp_path, ports[:1]) as (_, (envoy,)), async_client() as http:
        for value in (b"k" * 50_000, b"\xff\xfe\x80"):
            headers = {b"x-api-key": value}
            statuses = [(await http.get(envoy.url, headers=headers)).status_code for _ in range(51)]
            assert Counter(statuses) == {200: 50, 429: 1}


async def test_envoy_shows_the_secret_as_the_page_says(tmp_path: Path, ports: list[Port]) -> None:
    """Without it the service refuses, and Envoy lets through, as it was told."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    shown = ("# initial_metadata", "initial_metadata"), ("Bearer SECRET", f"Bearer {SECRET}")
    async with (
        envoys(tmp_path, ports[:1], *shown, secret_file=file) as (_, (envoy,)),
        async_client() as http,
    ):
        assert "ratelimit" in (await http.get(envoy.url, headers=key("k"))).headers
    async with (
        envoys(tmp_path, ports[1:2], secret_file=file) as (_, (envoy,)),
        async_client() as http,
    ):
        answer = await http.get(envoy.url, headers=key("k"))
        assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)
