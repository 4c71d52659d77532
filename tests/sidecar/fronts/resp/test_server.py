"""The RESP port, asked by plain sockets: those who mean it, and those who don't."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from socket import create_server
from typing import cast

import pytest

from sidegate_sidecar.config import OptionError
from sidegate_sidecar.fronts import port_server
from sidegate_sidecar.fronts.port_connection import MAX_UNREAD
from sidegate_sidecar.fronts.resp.clients import MAX_UNPROVEN
from sidegate_sidecar.fronts.resp.connection import READ_AT_ONCE, RespConnection
from sidegate_sidecar.fronts.resp.reading import MAX_COMMAND
from sidegate_sidecar.links.sessions import LATE
from sidegate_sidecar.links.sockets import ListenError
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.resp.speaking import (
    PING,
    PONG,
    SECRET,
    command,
    exchange,
    five,
    hearing,
    impatient,
    server_of,
    speaker,
)
from tests.support.in_process.cluster import LOOPBACK, client, config, eventually

CHECK = command("CL.THROTTLE", "k", 99_999, 1, 60)


async def test_commands_are_answered_in_their_order() -> None:
    """Those that are decided, those that aren't, and those that are wrong; then the end."""
    sent = [
        command("cl.throttle", "k", 1, 1, 60),
        PING,
        command("CL.THROTTLE", "k", 1, 1, 60),
        command("CL.THROTTLE", "k", 1, 0, 60),
        command("Throttle", "other", 5, 1, 60),
        command("DEL", "k", "nothing"),
        command("CL.THROTTLE", "k", 1, 1, 60),
        command("QUIT"),
        PING,
    ]
    async with hearing() as node:
        got = await exchange(node, b"".join(sent), ends=False)
    wrong = b'-ERR count "0": expected a whole number from 1\r\n'
    replies = [five(0, 2, 1, -1, 60), PONG, five(0, 2, 0, -1, 120), wrong]
    after = [five(1, 5, 4, 60, 0), b":1\r\n", five(0, 2, 1, -1, 60), b"+OK\r\n"]
    assert got == b"".join([*replies, *after])


async def test_ten_thousand_at_once_are_decided_read_by_read() -> None:
    """Few frames, all counted, in order."""
    async with hearing() as node, speaker(node) as one:
        asked = node.node.asked
        one.write(CHECK * 10_000)
        got = await one.until(b"*5\r\n:0\r\n:100000\r\n:90000\r\n:-1\r\n")
        left = [int(it.split(b"\r\n")[2][1:]) for it in got.split(b"*5\r\n")[1:]]
        assert left == [*range(99_999, 89_999, -1)]
        frames = node.node.asked - asked
        assert len(CHECK) * 10_000 / READ_AT_ONCE <= frames <= 200
        assert server_of(node).counts.checks["owner", "allowed"] == 10_000


async def test_half_commands_are_waited_for() -> None:
    """Each byte may come by itself."""
    async with hearing() as node, speaker(node) as one:
        for byte in CHECK + PING:
            one.write(bytes([byte]))
            await one.writer.drain()
            await asyncio.sleep(0)
        await one.until(PONG)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"*1\r\n$1073741824\r\nabc", b"invalid bulk length '1073741824'"),
        (b"*4294967295\r\n", b"invalid multibulk length '4294967295'"),
        (b"*1\r\n" * 5_000, b"expected '$', got '*'"),
        (b"*1\r\n:1\r\n", b"expected '$', got ':'"),
        (b"a" * 65_536, b"expected at most 16,384 bytes in a command"),
        (b"\0" * 65_536, b"expected at most 16,384 bytes in a command"),
    ],
)
async def test_what_is_no_command_is_told_and_closed(sent: bytes, said: bytes) -> None:
    """What came before it is answered; other clients notice nothing; little is kept."""
    async with (
        impatient(linger=0.05) as node,
        speaker(node, PING) as other,
        speaker(node, PING + sent) as one,
    ):
        await other.until(PONG)
        assert await one.until(b"\r\n") == PONG
        for _ in range(20):
            one.write(sent)
        got = await one.rest()
        assert got.startswith(b"-ERR Protocol error: " + said) or not got
        other.write(PING)
        await other.until(PONG)
        await eventually(lambda: len(server_of(node).open) == 1)
        assert server_of(node).counts.refused["malformed"] == 1


async def test_who_never_reads_is_closed_and_little_is_kept_for_it() -> None:
    """Neither its replies nor its commands pile up."""
    async with impatient(unread=0.3) as node, speaker(node) as deaf:
        deaf.stop_reading()
        deaf.write(command("INFO") * 100_000)
        (connection,) = await eventually(lambda: server_of(node).open)
        await eventually(lambda: connection.transport.get_write_buffer_size() > MAX_UNREAD)
        assert connection.transport.get_write_buffer_size() < 4 * MAX_UNREAD
        assert len(connection._data) < 2 * READ_AT_ONCE + MAX_COMMAND
        async with speaker(node, PING) as other:
            await other.until(PONG)
        await eventually(lambda: not server_of(node).open)
        assert server_of(node).counts.refused["timeout"] == 1


async def test_a_command_has_to_end() -> None:
    async with impatient(command=0.05) as node:
        said = b"-ERR Protocol error: expected the whole command within 0.05 s\r\n"
        assert await exchange(node, PING, CHECK[:-1], ends=False) == PONG + said
        assert server_of(node).counts.refused["timeout"] == 1


async def test_a_sidecar_that_stood_still_blames_nobody_for_it() -> None:
    """What came meanwhile is read before its command is too slow."""
    async with impatient(command=1.0, look_every=0.5) as node, speaker(node, CHECK[:-1]) as one:
        await eventually(lambda: [it for it in server_of(node).open if it._since])
        one.write(CHECK[-1:] + PING)
        time.sleep(LATE + 0.6)  # noqa: ASYNC251  # this loop is the sidecar's too
        await one.until(PONG)


async def test_one_that_asks_as_fast_as_it_can_takes_no_more_than_its_turns() -> None:
    """Another one is answered after a few reads of it, not after all that it has to say."""
    async with hearing() as node, speaker(node) as greedy, speaker(node, PING) as other:
        await other.until(PONG)
        greedy.write(CHECK * 50_000)
        await eventually(lambda: node.node.asked)
        other.write(PING)
        await other.until(PONG)
        assert server_of(node).counts.checks["owner", "allowed"] < 25_000


async def test_a_turn_of_the_loop_ends_though_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is left is first in the next one."""
    now, done = 0.0, list[int]()

    class Waiting:
        def __init__(self, number: int) -> None:
            self.number = number

        def step(self) -> None:
            nonlocal now
            now += 0.6 * port_server.TURN
            done.append(self.number)

    async with hearing() as node:
        server = server_of(node)
        monkeypatch.setattr(port_server, "monotonic", lambda: now)
        for number in range(5):
            server.wait(cast("RespConnection", Waiting(number)))
        for turns in (2, 4, 5):
            server._turn()
            assert done == [*range(turns)]


# --- who may ask


async def test_who_shows_the_secret_may_ask() -> None:
    """All that comes before it is refused, and goes on after it."""
    async with hearing(secret=SECRET) as node:
        got = await exchange(node, CHECK + command("AUTH", SECRET) + CHECK)
        assert got.startswith(b"-NOAUTH Authentication required")
        assert got.endswith(b"+OK\r\n" + five(0, 100_000, 99_999, -1, 60))
        assert node.node.asked == 1


async def test_the_token_of_http_is_the_secret_here() -> None:
    """For it crosses the wire as it is; that of apps is none then."""
    async with hearing(secret=SECRET, http_token=b"another one") as node:
        assert (await exchange(node, command("AUTH", SECRET))).startswith(b"-WRONGPASS")
        assert await exchange(node, command("AUTH", "another one") + PING) == b"+OK\r\n" + PONG
        assert server_of(node).counts.refused["secret"] == 1


async def test_who_shows_nothing_is_closed() -> None:
    """Silent, or with half a word; and who takes his right back has as long again."""
    async with impatient(secret=SECRET, handshake=0.1) as node:
        assert await exchange(node, ends=False) == b""
        assert await exchange(node, b"*1\r\n$4\r\nPI", ends=False) == b""
        got = await exchange(node, command("AUTH", SECRET) + command("RESET"), ends=False)
        said = b"-ERR Protocol error: expected AUTH within 0.1 s\r\n"
        assert got == b"+OK\r\n+RESET\r\n" + said
        await eventually(lambda: not server_of(node).open)
        assert server_of(node).counts.refused["timeout"] == 3


async def test_who_has_shown_the_secret_stays() -> None:
    """However long it says nothing."""
    async with (
        impatient(secret=SECRET, handshake=0.1) as node,
        speaker(node, command("AUTH", SECRET)) as one,
        speaker(node) as silent,
    ):
        await one.until(b"+OK\r\n")
        assert await silent.rest() == b""
        one.write(PING)
        await one.until(PONG)


async def test_who_shows_nothing_says_little() -> None:
    """Stock clients say five words; who takes the right back begins anew with what is left."""
    async with hearing(secret=SECRET) as node:
        got = await exchange(node, PING * 1_000, ends=False)
        assert got.count(b"-NOAUTH Authentication required") == MAX_UNPROVEN
        assert got.endswith(b"-NOAUTH expected AUTH within 64 commands\r\n")
        assert server_of(node).counts.refused["secret"] == 1


async def test_strangers_push_out_each_other_and_nobody_else() -> None:
    """The oldest of them goes for the newest; who has shown the secret stays."""
    async with hearing(secret=SECRET) as node, AsyncExitStack() as strangers:
        server = server_of(node)
        server.admission.speaking.max_local = 4
        one = await strangers.enter_async_context(speaker(node, command("AUTH", SECRET)))
        await one.until(b"+OK\r\n")
        for _ in range(8):
            other = await strangers.enter_async_context(speaker(node, PING))
            await other.until(b"\r\n")
        assert server.counts.refused["busy"] == 4
        one.write(PING)
        await one.until(PONG)


async def test_no_more_are_let_in_than_may_be() -> None:
    """One too many is told so; one that goes makes room."""
    async with hearing(max_connections=1) as node:
        async with speaker(node, PING) as one:
            await one.until(PONG)
            got = await exchange(node, PING, ends=False)
            assert got.startswith(b"-ERR max number of clients reached")
        await eventually(lambda: not server_of(node).open)
        assert await exchange(node, PING) == PONG


async def test_a_page_of_a_stranger_gets_nowhere() -> None:
    """What a browser would post is ended before it comes to the commands in it."""
    body = b"POST / HTTP/1.1\r\nHost: localhost:7174\r\n\r\nDEL k\r\n"
    async with hearing() as node:
        got = await exchange(node, CHECK + body, ends=False)
        assert got.endswith(b"-ERR this is no HTTP: --http has a port for it\r\n")
        assert server_of(node).counts.refused["http"] == 1
        async with client(node) as app:
            assert await app.peek("k")


async def test_strangers_write_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    async with hearing() as node:
        for _ in range(20):
            await exchange(node, b"*x\r\n", ends=False)
        assert server_of(node).counts.refused["malformed"] == 20
    lines = [it for it in caplog.messages if it.startswith("ended a RESP connection")]
    assert len(lines) == 5
    assert lines[0].endswith(": malformed")


async def test_who_leaves_has_its_answers() -> None:
    """A sidecar that departs takes no more, and closes."""
    async with hearing() as node, speaker(node, CHECK) as one:
        await one.until(b":60\r\n")
        await server_of(node).depart()
        one.write(CHECK)
        assert await one.rest() == b""
        assert node.node.asked == 1


# --- where there is none


async def test_where_it_cannot_be_imported_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything listens."""
    monkeypatch.setitem(sys.modules, "sidegate_sidecar.fronts.resp.server", None)
    with pytest.raises(OptionError, match=r"^resp '127.0.0.1:0': .* sidegate\[sidecar-resp\]"):
        Process(config("n1", resp=LOOPBACK))


async def test_a_port_that_is_taken_is_named() -> None:
    """And the others are free again."""
    with create_server(("127.0.0.1", 0)) as taken, create_server(("127.0.0.1", 0)) as free:
        ports = [replace(LOOPBACK, port=it.getsockname()[1]) for it in (taken, free)]
        free.close()
        with pytest.raises(ListenError, match=f"^resp '{ports[0]}': can't listen there"):
            Process(config("n1", resp=ports[0], http=ports[1]))
        create_server(("127.0.0.1", ports[1].port)).close()
