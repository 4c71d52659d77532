"""`sidegate top`: which keys are denied most, as a table, as JSON, and live in a terminal."""

import asyncio
import json
import os
import pty
import signal
import struct
import sys
from fcntl import ioctl
from termios import TIOCSWINSZ
from typing import Any

from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import clients, cluster, eventually, key_of


async def decided(*nodes: Process) -> tuple[str, str]:
    """Have one key denied and another asked about once; return both."""
    ring = nodes[0].cluster.ring
    hammered, once = key_of("n1", ring, "api:h"), key_of(nodes[-1].config.name, ring, "login:o")
    async with clients(nodes[0]) as (asking,):
        await asyncio.gather(*(asking.check(hammered, "5/hour") for _ in range(1_200)))
        await asking.check(once, "5/hour")
    return hammered, once


async def test_it_names_who_was_denied_most(ask: Any) -> None:
    """A line about all, a table without columns that are empty; nothing is cut in a pipe."""
    async with cluster("n1", "n2") as nodes:
        hammered, once = await decided(*nodes)
        ending = await ask(nodes[1], "top")
        only = await ask(nodes[0], "top", "--denied", "--rows", "5")
        of_one = await ask(nodes[0], "top", "--rule", "login", "--last", "5m")
    line, heads, first, second = ending.out.splitlines()
    assert line.startswith("2 of 2 nodes; in 60 s: 6 allowed, 1,195 denied; keys of ")
    assert heads.split() == ["KEY", "RULE", "NODE", "ASKED", "DENIED"]
    assert first.split() == [hammered, "api", "n1", "1,200", "1,195"]
    assert second.split() == [once, "login", "n2", "1", "0"]
    assert [row.split()[0] for row in only.out.splitlines()[2:]] == [hammered]
    assert "in 5 min of rule login: 1 allowed, 0 denied" in of_one.out
    assert [row.split()[0] for row in of_one.out.splitlines()[2:]] == [once]


async def test_it_says_it_in_json(ask: Any) -> None:
    async with cluster("n1") as (node,):
        hammered, _ = await decided(node)
        ending = await ask(node, "top", "--json", "--denied")
    answer = json.loads(ending.out)
    assert answer["nodes"] == {"answered": 1, "of": 1, "missing": []}
    assert [row["key"] for row in answer["rows"]] == [hammered]


async def test_a_node_that_is_missing_is_named(ask: Any) -> None:
    async with cluster("n1", "n2") as (one, two):
        await two.stop()
        await eventually(lambda: not one.peers.is_up("n2"))
        ending = await ask(one, "top")
    assert ending.out.startswith("1 of 2 nodes, missing: n2; in 60 s: 0 allowed, 0 denied; no keys")


async def test_bad_input_is_complained_of(ask: Any) -> None:
    """By the sidecar or before; a rule that no node knows is bad input too."""
    async with cluster("n1") as (node,):
        await decided(node)
        for options, words in (
            (("--last", "5x"), "last='5x': expected whole seconds"),
            (("--last", "1h"), "last='1h': expected at most 10m"),
            (("--rows", "0"), "--rows '0': expected a whole number from 1 to 1,000"),
            (("--rule", "apy"), 'rule "apy": no node has decided a check of it; they have "api"'),
        ):
            ending = await ask(node, "top", *options)
            assert ending.code == 2, options
            assert words in ending.complaint


async def test_in_a_terminal_it_is_drawn_anew_until_ctrl_c() -> None:
    """Its screen is given back, and it ends with 0."""
    async with cluster("n1") as (node,):
        hammered, _ = await decided(node)
        terminal, its = pty.openpty()
        ioctl(its, TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        command = (sys.executable, "-m", "sidegate_sidecar", "top", f"--http={node.http}")
        process = await asyncio.create_subprocess_exec(
            *command, stdin=its, stdout=its, stderr=its, env={**os.environ, "TERM": "xterm"}
        )
        os.close(its)
        shown = bytearray()
        asyncio.get_running_loop().add_reader(
            terminal, lambda: shown.extend(os.read(terminal, 4_096))
        )
        await eventually(lambda: shown.count(hammered.encode()) >= 2)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        asyncio.get_running_loop().remove_reader(terminal)
        os.close(terminal)
    assert shown.startswith(b"\x1b[?1049h") or b"\x1b[?1049h" in shown
    assert b"1,195" in shown
