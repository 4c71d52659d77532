"""Requests of httpx and httpx2 wait for their turn: by a transport, or by a hook."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

from sidegate import BlockingClient, Client, WaitTooLong
from sidegate.integrations.httpx import (
    AsyncRateLimitedTransport,
    AsyncRequestHook,
    RateLimitedTransport,
    RequestHook,
)
from sidegate.testing import Memory
from tests.support.in_process.cluster import eventually
from tests.support.waiting import PATIENCE

SPACED = "20/second burst 1"
MUST = 19 / 20  # seconds that 20 requests take by it
LIMIT = "2/minute"


class Answering(BaseHTTPRequestHandler):
    """Redirects /old to /new, and answers everything else."""

    def do_GET(self) -> None:  # the name that is called
        moved = self.path == "/old"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", "/new")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as it is called
        """Say nothing."""


@contextmanager
def listening() -> Generator[str]:
    """Run a server on loopback, and give its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(PATIENCE)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listening() as at:
        yield at


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    module: ModuleType = request.param
    return module


@pytest.mark.usefixtures("sidegate")
async def test_requests_at_once_leave_at_the_rate_of_the_limit(library: Any, url: str) -> None:
    async with library.AsyncClient(transport=AsyncRateLimitedTransport(SPACED)) as client:
        start = time.monotonic()
        found = await asyncio.gather(*(client.get(url) for _ in range(20)))
        assert time.monotonic() - start >= 0.95 * MUST
    assert [it.status_code for it in found] == [200] * 20


@pytest.mark.usefixtures("sidegate")
def test_requests_one_after_the_other_leave_at_the_rate_of_the_limit(
    library: Any, url: str
) -> None:
    with library.Client(transport=RateLimitedTransport(SPACED)) as client:
        start = time.monotonic()
        assert [client.get(url).status_code for _ in range(20)] == [200] * 20
        assert time.monotonic() - start >= 0.95 * MUST


def test_the_key_is_the_host_and_a_redirect_is_a_request(
    library: Any, url: str, sidegate: Memory
) -> None:
    with library.Client(transport=RateLimitedTransport(LIMIT)) as client:
        assert client.get(f"{url}/old", follow_redirects=True).url.path == "/new"
    assert sidegate.keys() == ["127.0.0.1"]
    assert sidegate.spent("127.0.0.1") == {LIMIT: 2}


def test_key_cost_timeout_and_client_are_options(library: Any, url: str, sidegate: Memory) -> None:
    with BlockingClient() as shared:
        waits = RateLimitedTransport(
            LIMIT, key=lambda request: request.url.path, cost=2, timeout=5, client=shared
        )
        with library.Client(transport=waits) as client:
            assert client.get(f"{url}/a").status_code == 200
            with pytest.raises(WaitTooLong, match=r'"/a" .* for "2/minute"'):
                client.get(f"{url}/a")
        assert sidegate.spent("/a") == {LIMIT: 2}


async def test_a_request_that_waits_leaves_when_it_may(
    library: Any, url: str, sidegate: Memory
) -> None:
    shared = Client()
    waits = AsyncRateLimitedTransport(LIMIT, client=shared)
    async with library.AsyncClient(transport=waits) as client:
        assert [(await client.get(url)).status_code for _ in range(2)] == [200, 200]
        third = asyncio.create_task(client.get(url))
        await eventually(lambda: shared._here().waiting.timer.heap)
        sidegate.advance(30)
        assert (await third).status_code == 200


def test_a_hook_waits_too(library: Any, url: str, sidegate: Memory) -> None:
    hook = RequestHook(LIMIT, timeout=0)
    with library.Client(event_hooks={"request": [hook]}) as client:
        assert [client.get(url).status_code for _ in range(2)] == [200, 200]
        with pytest.raises(WaitTooLong):
            client.get(url)
    hook.close()
    assert sidegate.spent("127.0.0.1") == {LIMIT: 2}


async def test_a_hook_waits_too_in_a_loop(library: Any, url: str, sidegate: Memory) -> None:
    hook = AsyncRequestHook(LIMIT, timeout=0)
    async with library.AsyncClient(event_hooks={"request": [hook]}) as client:
        assert [(await client.get(url)).status_code for _ in range(2)] == [200, 200]
        with pytest.raises(WaitTooLong):
            await client.get(url)
    await hook.aclose()
    assert sidegate.spent("127.0.0.1") == {LIMIT: 2}


class Below:
    """A transport of nobody's that notes what is called."""

    def __init__(self, library: Any) -> None:
        self.called: list[str] = []
        self._library = library

    def handle_request(self, _request: Any) -> Any:
        self.called.append("request")
        return self._library.Response(204)

    async def handle_async_request(self, request: Any) -> Any:
        return self.handle_request(request)

    def close(self) -> None:
        self.called.append("close")

    async def aclose(self) -> None:
        self.close()

    def __enter__(self) -> None:
        self.called.append("enter")

    def __exit__(self, *_: object) -> None:
        self.called.append("exit")

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


@pytest.mark.usefixtures("sidegate")
def test_any_transport_below_is_entered_and_closed(library: Any) -> None:
    below = Below(library)
    with library.Client(transport=RateLimitedTransport(LIMIT, below)) as client:
        assert client.get("http://a").status_code == 204
    assert below.called == ["enter", "request", "exit"]
    library.Client(transport=RateLimitedTransport(LIMIT, below)).close()
    assert below.called[3:] == ["close"]


@pytest.mark.usefixtures("sidegate")
async def test_any_transport_below_is_entered_and_closed_in_a_loop(library: Any) -> None:
    below = Below(library)
    async with library.AsyncClient(transport=AsyncRateLimitedTransport(LIMIT, below)) as client:
        assert (await client.get("http://a")).status_code == 204
    assert below.called == ["enter", "request", "exit"]
    await library.AsyncClient(transport=AsyncRateLimitedTransport(LIMIT, below)).aclose()
    assert below.called[3:] == ["close"]


def test_type_checkers_take_it_where_either_library_wants_one() -> None:
    httpx.Client(transport=RateLimitedTransport(LIMIT)).close()
    httpx2.Client(transport=RateLimitedTransport(LIMIT)).close()


def test_neither_library_is_imported_with_it() -> None:
    code = (
        "import sys, sidegate.integrations.httpx\n"
        "print({'httpx', 'httpx2', 'httpcore'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
