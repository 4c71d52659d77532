"""nginx, Caddy and Envoy before an app, by the configurations on the page."""

import asyncio
from collections import Counter
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import httpx2
import pytest

from tests.cluster.proxies.fleet_behind_proxies import KINDS, behind
from tests.support.apps.clients import async_client
from tests.support.proxies.hello import hello_app
from tests.support.proxies.proxies import AskingProxy, Caddy, ExtAuthzEnvoy, Haproxy, Nginx


async def test_proxies_of_all_kinds_share_one_limit_to_the_request(tmp_path: Path) -> None:
    """50 an hour pass in all, over four sidecars; each is told what is left, or when to retry."""
    async with behind(tmp_path, *KINDS) as (_, proxies, app), async_client() as http:
        key = {"x-api-key": "one", "x-envoy-expected-rq-timeout-ms": "0"}  # the latter in vain
        answers: list[httpx2.Response] = await asyncio.gather(
            *(
                http.get(f"{proxies[at % len(proxies)].url}/key?x=1", headers=key)
                for at in range(90)
            )
        )
        assert Counter(it.status_code for it in answers) == {200: 50, 429: 40}
        passed = [it for it in answers if it.status_code == 200]
        assert {it.text for it in passed} == {"hello"}
        assert Counter(it.partition(" HTTP")[0] for it in app.asked)["GET /key?x=1"] == 50
        left = sorted(int(it.headers["ratelimit"].split(";")[1][2:]) for it in passed)
        assert left == list(range(50))
        for proxy in proxies:
            refused = await http.get(f"{proxy.url}/key", headers=key)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 72
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers["cache-control"] == "no-store"
            assert refused.headers["ratelimit-policy"] == '"key";q=50;w=3600'
            assert refused.headers["ratelimit"].startswith('"key";r=0;t=')
            assert refused.json()["title"] == "Quota Exceeded"
            other = await http.get(f"{proxy.url}/key", headers={"x-api-key": proxy.title})
            assert other.status_code == 200


async def test_what_no_rule_limits_goes_through_as_it_is(tmp_path: Path) -> None:
    """Without fields of limits; what the app itself refuses stays its own; connections are kept."""
    async with behind(tmp_path, *KINDS) as (fleet, proxies, app), async_client() as http:
        for proxy in proxies:
            answer = await http.get(f"{proxy.url}/ready")
            assert answer.status_code == 200
            assert not {"ratelimit", "ratelimit-policy", "sidegate-source"} & answer.headers.keys()
        app.status = b"403 Forbidden"
        for proxy in proxies:
            answer = await http.get(f"{proxy.url}/key", headers={"x-api-key": "other"})
            assert (answer.status_code, answer.text) == (403, "hello")
        for node in fleet.nodes.values():
            assert node.metric("sidegate_auth_connections") == 1, node.name


async def test_a_handshake_of_a_websocket_counts_like_a_request(tmp_path: Path) -> None:
    """Caddy asks with Upgrade in it, of which nobody here knows anything."""
    key = {"sec-websocket-version": "13", "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw=="}
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", **key}
    async with behind(tmp_path, Nginx, Haproxy, Caddy) as (_, proxies, _), async_client() as http:
        for proxy in proxies:
            headers = {**upgrade, "x-api-key": proxy.title}
            got = [await http.get(f"{proxy.url}/key", headers=headers) for _ in range(52)]
            assert Counter(it.status_code for it in got)[429] == 2, proxy.title


# --- when there is no sidecar


async def test_without_a_sidecar_requests_pass(tmp_path: Path) -> None:
    """As the page has it: open, and without fields; once it is back they are limited again."""
    async with behind(tmp_path, *KINDS) as (fleet, proxies, _), async_client() as http:
        names = list(fleet.nodes)
        for name in names:
            fleet.kill(name)
        for proxy in proxies:
            for method in ("GET", "POST"):
                answer = await http.request(method, f"{proxy.url}/hidden/x", content=b"body")
                assert (answer.status_code, answer.text) == (200, "hello"), proxy.title
                assert "ratelimit" not in answer.headers
        await fleet.start(*names)
        for proxy in proxies:
            assert (await http.get(f"{proxy.url}/hidden/x")).status_code == 429, proxy.title


CLOSED: dict[type[AskingProxy], list[tuple[str, str]]] = {
    Nginx: [("error_page 500", "# error_page 500")],
    Haproxy: [("passed gone", "passed")],
    Caddy: [("reverse_proxy @gone", "# reverse_proxy @gone")],
    ExtAuthzEnvoy: [("failure_mode_allow: true", "failure_mode_allow: false")],
}


async def test_without_a_sidecar_requests_may_be_refused(tmp_path: Path) -> None:
    """By the lines that the page names."""
    async with (
        behind(tmp_path, *KINDS, changes=CLOSED) as (fleet, proxies, app),
        async_client() as http,
    ):
        for name in list(fleet.nodes):
            fleet.kill(name)
        app.asked.clear()
        answers = [await http.get(f"{proxy.url}/page") for proxy in proxies]
        assert [it.status_code for it in answers] == [500, 503, 502, 403]
        assert not app.asked


IMPATIENT: dict[type[AskingProxy], list[tuple[str, str]]] = {
    Nginx: [("_timeout 20s", "_timeout 100ms")],
    Haproxy: [("timeout server 20s", "timeout server 100ms")],
    ExtAuthzEnvoy: [("timeout: 20s", "timeout: 0.1s")],
}


async def test_a_sidecar_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """Longer than the proxy was told to."""
    async with (
        behind(tmp_path, *IMPATIENT, changes=IMPATIENT) as (fleet, proxies, _),
        async_client() as http,
    ):
        for node in fleet.nodes.values():
            node.send(SIGSTOP)
        for proxy in proxies:
            answer = await http.get(f"{proxy.url}/hidden/x")
            assert (answer.status_code, answer.text) == (200, "hello"), proxy.title
        for node in fleet.nodes.values():
            node.send(SIGCONT)


@pytest.mark.parametrize("kind", IMPATIENT)
async def test_what_does_not_answer_is_asked_once(tmp_path: Path, kind: type[AskingProxy]) -> None:
    """A client would wait as long for each further time."""
    asked: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read()
        writer.close()

    async with (
        hello_app() as app,
        await asyncio.start_server(hear, "127.0.0.1", 0) as silent,
        async_client() as http,
    ):
        proxy = kind(tmp_path, app.port, silent.sockets[0].getsockname()[1], *IMPATIENT[kind])
        try:
            await asyncio.to_thread(proxy.launch().wait)
            asked.clear()
            assert (await http.get(f"{proxy.url}/page")).text == "hello"
            assert len(asked) == 1
        finally:
            proxy.close()
