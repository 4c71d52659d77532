"""Nonsense from many connections: no fault of ours, nothing kept, and nobody else notices."""

import asyncio
import random

import pytest

from sidegate_sidecar.process import Process
from tests.sidecar.fronts.resp.speaking import (
    PING,
    PONG,
    SECRET,
    command,
    impatient,
    server_of,
    speaker,
)
from tests.support.in_process.cluster import eventually

PIECES = [
    *(b"*", b"$", b"*1\r\n", b"*2\r\n", b"$4\r\nPING\r\n", b"$-1\r\n", b"*-1\r\n", b"\r\n", b"\n"),
    *(b"%1\r\n", b"~1\r\n", b">9\r\n", b"|1\r\n", b"(1\r\n", b"#t\r\n", b",inf\r\n", b"_\r\n"),
    *(b"+OK\r\n", b"-ERR\r\n", b":1\r\n", b"=4\r\ntxt:\r\n", b"*9999999999\r\n", b"\x00", b"\xff"),
    *(b"$1073741824\r\n", b"x" * 20_000, PING * 300, b"QUIT\r\n", b"RESET\r\n", b"INFO\r\n" * 50),
    command("HELLO", 3, "AUTH", "default", SECRET),
    command("HELLO", "\x00"),
    command("AUTH", SECRET),
    command("CL.THROTTLE", "k", 5, 10, 60) * 50,
    command("CL.THROTTLE", "k", -1, "x", 10**30),
    command("CL.THROTTLE", b"\xff", 1, 1, 1),
    command("THROTTLE", "k" * 600, 5, 10, 60, 7),
    command("DEL", "k", "l", b"\xff"),
    command("CLIENT", "SETNAME", b"\r\n"),
    command(*["DEL"] + ["k"] * 127),
    command(b""),
    command("*12", "~3"),
]


@pytest.mark.parametrize("seed", range(4))
async def test_nonsense_does_no_harm(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """With the secret first in half of the connections, whole or in pieces, read or not."""
    chance = random.Random(seed)
    patience = {"handshake": 0.5, "command": 0.2, "unread": 0.2, "linger": 0.05}
    async with (
        impatient(secret=SECRET, **patience) as node,
        speaker(node, command("AUTH", SECRET)) as witness,
    ):
        await witness.until(b"+OK\r\n")
        for _ in range(20):
            await asyncio.gather(*(_nonsense(node, chance) for _ in range(10)))
            witness.write(PING)
            assert await witness.until(b"\r\n") == PONG
        await eventually(lambda: len(server_of(node).open) == 1)
        server = server_of(node)
        assert (len(server.proven), len(server.admission), len(server._waiting)) == (1, 0, 0)
        assert not server._deleting
    assert "a fault in sidegate" not in caplog.text


async def _nonsense(node: Process, chance: random.Random) -> None:
    pieces = chance.choices(PIECES, k=chance.randrange(1, 8))
    if chance.random() < 0.5:
        pieces.insert(0, command("AUTH", SECRET))
    data = b"".join(pieces)
    cut = chance.randrange(len(data) + 1)
    async with speaker(node, data[:cut]) as one:
        await asyncio.sleep(0)
        one.write(data[cut:])
        if chance.random() < 0.7:
            one.writer.write_eof()
            await one.rest()  # else it is cut off
