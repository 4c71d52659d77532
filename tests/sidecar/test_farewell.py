"""How a sidecar that ends sees its apps off: they are told, and answered until they have gone."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidegate.buckets.decision import Decision
from sidegate.link.address import Address
from sidegate.protocol.codec import decode
from sidegate.protocol.messages import Answers, Roster
from sidegate_sidecar.process import Process
from sidegate_sidecar.sidecar import FAREWELL
from tests.support.in_process.cluster import GENEROUS, client, config, eventually, sources
from tests.support.in_process.puppets import APP, Bare, bare, checks, node_named


@asynccontextmanager
async def sidecar(**options: object) -> AsyncGenerator[Process]:
    async with Process(config("n1", **options)) as node:
        yield node


async def roster(peer: Bare) -> Roster:
    """Return the next message, which is a roster."""
    body = await peer.body()
    assert body is not None
    message = decode(body)
    assert isinstance(message, Roster)
    return message


async def test_apps_are_told_and_answered_until_they_have_gone() -> None:
    """An app hears that its sidecar is going, still gets answers, and is waited for."""
    async with sidecar() as node, bare(node, APP) as peer:
        assert (await roster(peer)).leaving == 0
        seeing_off = asyncio.create_task(node.see_apps_off(GENEROUS))
        assert (await roster(peer)).leaving == 1
        await peer.send(checks(1, ("k", "5/day", 1)))
        assert isinstance(await peer.next(), Answers)
        assert not seeing_off.done()
        peer.writer.close()
        await seeing_off


async def test_an_app_that_comes_meanwhile_is_told_at_once() -> None:
    """Who still connects is let in, and knows from the first roster that it should go."""
    async with sidecar() as node:
        node.sessions.say_goodbye()
        async with bare(node, APP) as peer:
            assert (await roster(peer)).leaving == 1
            await peer.ping()


@pytest.mark.parametrize("within", [-1.0, 0.05, 2 * GENEROUS])
async def test_an_app_that_stays_is_not_waited_for_longer(within: float) -> None:
    """Where nobody else can be reached an app stays, and the sidecar ends all the same."""
    async with sidecar() as node, bare(node, APP):
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(GENEROUS):
            await node.see_apps_off(within)
        assert asyncio.get_running_loop().time() - began >= min(within, FAREWELL)
        assert node.sessions.has_apps


async def test_nobody_is_waited_for_who_could_not_find_another(tmp_path: Path) -> None:
    """Apps on the Unix socket, other nodes and apps before their handshake keep nobody waiting."""
    path = f"{tmp_path}/s"
    async with (
        sidecar(socket=path) as node,
        bare(Address(path=path), APP),
        bare(node, node_named("n2")),
        bare(node),
    ):
        await eventually(lambda: len(node.sessions.open) == 2 and len(node.sessions.admission) == 1)
        assert not node.sessions.has_apps
        async with bare(node, APP):
            assert node.sessions.has_apps


async def test_what_is_asked_too_late_is_not_charged() -> None:
    """Before it closes a sidecar reads nothing more from apps, which may ask elsewhere."""
    async with sidecar() as node, bare(node, APP) as peer:
        await peer.send(checks(1, ("k", "5/day", 1)))
        await peer.next()
        node.sessions.stop_reading()
        await peer.send(checks(2, ("k", "5/day", 1)))
        async with client(node) as later:
            assert (await later.check("k", "5/day", 0)).remaining == 4


async def test_a_client_alone_with_its_sidecar_is_answered_to_the_end() -> None:
    """With nobody else at the address a client asks the one that is going until it has gone."""
    decisions: list[Decision] = []
    async with sidecar() as node, client(node) as asking:
        seeing_off = asyncio.create_task(node.see_apps_off(0.3))
        while not seeing_off.done():
            decisions.append(await asking.check("k", "1000000000/hour"))
        await node.depart()
    assert sources(decisions).keys() == {"owner"}
