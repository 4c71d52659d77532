"""Which proxies are answered: by their addresses, by the secret, or by certificates."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.sidecar.fronts.forward_auth.asking_proxies import (
    SECRET,
    answering,
    by_nginx,
    exchange,
    impatient,
    proxy,
    request,
    server_of,
    statuses,
)
from tests.support.certificates import Authority
from tests.support.in_process.cluster import GENEROUS, eventually

SHOWN = f"Sidegate-Secret: {SECRET.decode()}"
STRANGER = "127.0.0.9"


async def test_who_is_named_may_ask() -> None:
    """Loopback itself, if nothing is said; others are told no, in nginx' way too, and cut off."""
    async with answering() as node:
        assert await statuses(node, request() * 2) == [200, 200]
        assert await statuses(node, request() * 2, at=STRANGER) == [400]
        assert await statuses(node, by_nginx("/"), at=STRANGER) == [403]
        assert server_of(node).counts.refused["secret"] == 2
    async with answering(auth_proxies=("127.0.0.8/31",)) as node:
        assert await statuses(node, request() * 2, at=STRANGER) == [200, 200]
        assert await statuses(node, request()) == [400]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((SHOWN,), 200),
        ((), 400),
        (("Sidegate-Secret: wrong",), 400),
        (("Sidegate-Secret:",), 400),
        ((SHOWN, SHOWN), 400),
        ((f"Authorization: Bearer {SECRET.decode()}",), 400),
    ],
)
async def test_others_show_the_secret(lines: tuple[str, ...], expected: int) -> None:
    """In a field of its own: Authorization is the client's."""
    async with answering(secret=SECRET) as node:
        assert await statuses(node, request("/free", *lines), at=STRANGER) == [expected]
        assert await statuses(node, request()) == [200]  # who is named needs none


async def test_the_token_of_http_is_the_secret_here() -> None:
    """It crosses the wire as it is; that of apps is none then."""
    token = "Sidegate-Secret: another secret for tests"
    async with answering(secret=SECRET, http_token=b"another secret for tests") as node:
        assert await statuses(node, request("/free", SHOWN), at=STRANGER) == [400]
        assert await statuses(node, request("/free", token), at=STRANGER) == [200]


async def test_where_there_is_no_secret_none_is_right() -> None:
    async with answering() as node:
        for line in ("Sidegate-Secret:", "Sidegate-Secret: x"):
            assert await statuses(node, request("/free", line), at=STRANGER) == [400]


async def test_who_has_shown_it_is_believed_on_its_connection() -> None:
    """Also about its clients: the last address that is not its own is whose request it is."""
    async with answering(secret=SECRET) as node, proxy(node, at=STRANGER) as one:
        for said, left in (
            ("192.0.2.1", 1),
            (f"192.0.2.1, {STRANGER}", 0),
            ("192.0.2.1, 192.0.2.2", 1),
            ("127.0.0.1, 192.0.2.2", 0),
        ):
            lines = [SHOWN] if left else []  # no more than once
            one.write(request("/login", *lines, client=said))
            assert b'"login";r=%d;t=' % left in await one.until(b"\r\n\r\n"), said


async def test_who_shows_nothing_is_closed() -> None:
    """However slow it is about it."""
    async with impatient(patience={"handshake": 0.1}, secret=SECRET) as node:
        assert await exchange(node, ends=False, at=STRANGER) == b""
        assert await exchange(node, b"GET", ends=False, at=STRANGER) == b""
        await eventually(lambda: not server_of(node).open)
        assert server_of(node).counts.refused["timeout"] == 2


async def test_strangers_push_out_each_other_and_nobody_else() -> None:
    async with answering(secret=SECRET) as node, AsyncExitStack() as strangers:
        server = server_of(node)
        server.admission.speaking.max_local = 4
        one = await strangers.enter_async_context(proxy(node, request()))
        await one.until(b"\r\n\r\n")
        for _ in range(8):
            await strangers.enter_async_context(proxy(node, b"GET ", at=STRANGER))
            await eventually(lambda: len(server.admission.silent) == 0)
        await eventually(lambda: server.counts.refused["busy"] == 4)
        one.write(request())
        await one.until(b"\r\n\r\n")


async def test_no_more_are_let_in_than_may_be() -> None:
    """One too many is told so; one that goes makes room."""
    async with answering(max_connections=1) as node:
        async with proxy(node, request()) as one:
            await one.until(b"\r\n\r\n")
            assert await statuses(node, request()) == [503]
        await eventually(lambda: not server_of(node).open)
        assert await statuses(node, request()) == [200]


@pytest.mark.parametrize(("has_own", "secret"), [(True, b""), (False, b""), (True, SECRET)])
async def test_with_tls_a_certificate_is_enough_where_there_is_no_secret(
    has_own: bool, secret: bytes, tmp_path: Path
) -> None:
    """Of our authority; without one nothing is heard."""
    tls = Authority().issue(tmp_path / "tls", "n1")
    context = ssl.create_default_context(cafile=tls.ca)
    context.check_hostname = False
    if has_own:
        context.load_cert_chain(tls.cert, tls.key)
    options: dict[str, Any] = {"tls": tls, "secret": secret, "auth_proxies": ("192.0.2.1",)}
    async with answering(**options) as node:
        assert node.auth is not None
        port = node.auth.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(request("/free", "Connection: close"))
        async with asyncio.timeout(GENEROUS):
            try:
                got = await reader.read()
            except (ConnectionError, ssl.SSLError):
                got = b""
        assert got[9:12] == ((b"400" if secret else b"200") if has_own else b"")
        writer.transport.abort()
        if not has_own:
            await eventually(lambda: server_of(node).counts.refused["tls"] == 1)
