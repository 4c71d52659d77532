"""What a sidecar logs of those that it refuses, and of those that refuse it: who, where and why."""

import re
import time
from math import ceil
from pathlib import Path

import pytest

from sidegate.protocol.codec import WireError, encode
from sidegate.protocol.messages import Error
from sidegate_sidecar.log_limiter import LogLimiter
from sidegate_sidecar.process import Process
from tests.support.certificates import Authority
from tests.support.in_process.cluster import client, cluster, config, eventually
from tests.support.in_process.puppets import APP, bare, frame, node_named

WHY = "the two sides don't have the same secret (secret)"


def refusals(log: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of refusals, with ports replaced."""
    lines = [line for line in log.messages if re.search(r"\brefused? |refuses", line)]
    return [re.sub(r"127\.0\.0\.1:\d+", "HERE", line) for line in lines]


async def turn_away_a_stranger(node: Process) -> None:
    async with bare(node) as stranger:
        await stranger.send(frame(b"\xc1"))
        await stranger.error()


async def test_an_app_without_the_secret(log: pytest.LogCaptureFixture) -> None:
    """Its role, name and address are said, and what it lacks."""
    async with cluster("n1", secret=b"sesame") as (node,):
        async with client(node, secret="another", name="web-1") as asking:
            assert (await asking.check("k", "5/day")).source == "open"
        await eventually(lambda: refusals(log))
        assert refusals(log)[0] == f"refused app 'web-1' at HERE: {WHY}"
        (said,) = {line for line in log.messages if line.startswith("refused app")}
        assert re.search(r" at 127\.0\.0\.1:[1-9]\d+: ", said)


async def test_a_node_of_another_cluster(log: pytest.LogCaptureFixture) -> None:
    """Who has said its name is named, also when it is refused for what it said."""
    async with cluster("n1") as (node,), bare(node) as other:
        await other.send(node_named("n9", cluster="red").hello(b"n" * 32))
        assert (await other.error()).code == "cluster"
    why = "this is cluster 'sidegate', not 'red' (cluster)"
    assert refusals(log) == [f"refused node 'n9' at HERE: {why}"]


async def test_a_stranger(log: pytest.LogCaptureFixture) -> None:
    """Who hasn't said its name is someone."""
    async with cluster("n1") as (node,):
        await turn_away_a_stranger(node)
    (line,) = refusals(log)
    assert line.startswith("refused someone at HERE: not a message of version 1: ")


async def test_on_the_unix_socket(log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """There the address is our own, since the other side has none."""
    path = str(tmp_path / "s")
    node = Process(config("n1", socket=path))
    async with node, client(f"unix:{path}") as asking:
        assert (await asking.check("k", "5/day")).source == "owner"
        (session,) = node.sessions.open
        session.fail(WireError("timeout", "too slow"))
        await eventually(lambda: refusals(log))
    assert refusals(log) == [f"refused app 'app' at unix:{path}: too slow (timeout)"]


async def test_one_too_many(log: pytest.LogCaptureFixture) -> None:
    """Who doesn't fit any more is said as well."""
    async with cluster("n1", max_connections=1) as (node,), bare(node, APP), bare(node) as more:
        await more.send(APP.hello(b"n" * 32))
        await more.rest()
    assert refusals(log) == [
        "refused app 'bare' at HERE: 1 connections are open, no more fit (busy)"
    ]


async def test_without_a_certificate(log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Where TLS fails there is no name, but there is an address."""
    tls = Authority().issue(tmp_path, "n1")
    async with cluster("n1", tls=tls) as (node,), bare(node) as stranger:
        await stranger.send(encode(APP.hello(b"n" * 32)))
        await stranger.raw()
        await eventually(lambda: refusals(log))
    (line,) = refusals(log)
    assert re.fullmatch(r"refused someone at HERE: .*SSL.* \(tls\)", line)


async def test_who_refuses_us(log: pytest.LogCaptureFixture) -> None:
    """An app that closes with an error is named with it, cut short; a stranger may say nothing."""
    async with cluster("n1") as (node,):
        for identity in (None, APP):
            async with bare(node, identity) as peer:
                await peer.send(Error("odd", "because\n" * 50))
                assert await peer.rest() == []
        await eventually(lambda: refusals(log))
    (line,) = refusals(log)
    assert line.startswith("app 'bare' at HERE refuses this node: because\\nbecause\\n")
    assert len(line) < 400


async def test_strangers_do_not_write_the_log(log: pytest.LogCaptureFixture) -> None:
    """Of a hundred, five are said, and the others are counted when there is room for a line."""
    async with cluster("n1") as (node,):
        for _ in range(100):
            await turn_away_a_stranger(node)
        await eventually(lambda: node.node.counts.turned_away["bad-message"] == 100)
        assert len(refusals(log)) == 5


async def test_those_kept_back_are_counted_in_the_end(log: pytest.LogCaptureFixture) -> None:
    """Also when nobody comes any more."""
    async with cluster("n1") as (node,):
        node.sessions.refusals.make_limiter = lambda: LogLimiter(burst=1, every=0.5)
        began = time.monotonic()
        for _ in range(3):
            await turn_away_a_stranger(node)
        await eventually(lambda: "others in" in log.text or "1 other in" in log.text)
        took = ceil(time.monotonic() - began)
    first, *_, last = refusals(log)
    assert first.startswith("refused someone at HERE: not a message")
    found = re.search(r"(1 other|2 others) in ([0-9]+) s\)?( \(bad-message\))?$", last)
    assert found
    assert 1 <= int(found[2]) <= took
