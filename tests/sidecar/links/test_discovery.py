"""Names of seeds: all their addresses, again and again, and none that stops the search."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from socket import AF_INET, IPPROTO_TCP, gaierror
from typing import Any, TypeAlias

import pytest

from sidegate.link.address import Address
from sidegate_sidecar.links.discovery import Discovery
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import are_one_ring, config, eventually, running
from tests.support.in_process.puppets import puppet

# Names that can't be resolved, for which nobody asks a name server.
NO_NAMES = ["two..dots", f"{'long' * 16}.example", "fe80::1%no-such-interface"]


def discovery_of(node: Process, seeds: list[Address], **options: Any) -> Discovery:
    """Return one more discovery of a node."""
    return Discovery(seeds, node.peers, node.cluster, node._join, node._shut_out, **options)


async def addresses_of(seed: Address) -> set[Address]:
    node = Process(config("n1"))
    async with node:
        return await discovery_of(node, [seed])._resolve_all()


async def test_an_address_is_its_own_address() -> None:
    assert await addresses_of(Address("127.0.0.1", 7171)) == {Address("127.0.0.1", 7171)}
    assert await addresses_of(Address("::1", 7171)) == {Address("::1", 7171)}


async def test_a_name_is_all_its_addresses() -> None:
    found = await addresses_of(Address("localhost", 7171))
    assert Address("127.0.0.1", 7171) in found
    assert found <= {Address("127.0.0.1", 7171), Address("::1", 7171)}


async def test_a_name_leads_to_the_nodes_behind_it(stack: AsyncExitStack) -> None:
    """A node whose seed is a name meets whoever listens at one of its addresses."""
    one = await running(stack, "n1")
    seed = Address("localhost", one.link.port)
    other = await running(stack, "n2", seeds=(seed,))
    await eventually(lambda: are_one_ring([one, other]))


SILENT = "silent.test"  # a name whose server says nothing

Names: TypeAlias = dict[str, list[str]]
"""The addresses of each name that there is."""


class KnowsNames(asyncio.SelectorEventLoop):
    """A loop that knows some names by itself, and asks nobody for any other."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002  # as asyncio names it
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        assert (family, proto, flags) == (0, 0, 0)
        if host == SILENT:
            await asyncio.Event().wait()
        found = self._names.get(str(host))
        if found is None:
            raise gaierror(-2, "Name or service not known")
        return [(AF_INET, type, IPPROTO_TCP, "", (address, port)) for address in found]


def run_knowing(names: Names, test: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=partial(KnowsNames, names)) as runner:
        runner.run(test())


async def three_on_one_port(stack: AsyncExitStack) -> list[Process]:
    """Run three nodes at three addresses of loopback, as pods listen on the same port each."""
    first = await running(stack, "n1")
    links = [replace(first.link, host=f"127.0.0.{at}") for at in (2, 3)]
    others = [Process(config(f"n{at}", link=link)) for at, link in enumerate(links, 2)]
    return [first, *[await stack.enter_async_context(node) for node in others]]


def test_nodes_behind_one_name_are_all_met() -> None:
    """The name of a service leads to all its replicas, none of which knows another."""
    names = {"sidegate.test": ["127.0.0.1", "127.0.0.2", "127.0.0.3"]}

    async def test() -> None:
        async with AsyncExitStack() as stack:
            nodes = await three_on_one_port(stack)
            seed = Address("sidegate.test", nodes[0].link.port)
            seeker = Process(config("seeker", seeds=(seed,)))
            await stack.enter_async_context(seeker)
            await eventually(lambda: seeker.ready)
            assert seeker.cluster.ring.nodes == ("n1", "n2", "n3", "seeker")

    run_knowing(names, test)


def test_a_name_is_resolved_again_and_again() -> None:
    """A name that leads nowhere at first, and elsewhere later, is followed."""
    names: Names = {}

    async def test() -> None:
        async with AsyncExitStack() as stack:
            one, other, _ = await three_on_one_port(stack)
            seed = Address("sidegate.test", one.link.port)
            seeker = await running(stack, "seeker", seeds=(seed,))
            await eventually(lambda: seeker.ready)
            assert seeker.cluster.ring.nodes == ("seeker",)
            names["sidegate.test"] = ["127.0.0.9", "127.0.0.2"]
            await eventually(lambda: "n2" in seeker.peers.by_name)
            assert seeker.peers.by_name["n2"].link.address == other.link
            assert "n1" not in seeker.peers.by_name

    run_knowing(names, test)


def test_a_silent_name_server_holds_nobody_up(log: pytest.LogCaptureFixture) -> None:
    """What the other names lead to is found, once the time for all of them is over."""

    async def test() -> None:
        async with Process(config("n1")) as node:
            seeds = [Address(SILENT, 1), Address("sidegate.test", 1), Address("more.test", 1)]
            discovery = discovery_of(node, seeds, resolve_within=0.05)
            found = [await discovery._resolve_all() for _ in range(2)]
            assert found == [{Address("127.0.0.7", 1), Address("127.0.0.8", 1)}] * 2
            assert len(discovery._asked) == 1  # asked once, however long that takes
            discovery._asked[seeds[0]].cancel()

    run_knowing({"sidegate.test": ["127.0.0.7"], "more.test": ["127.0.0.8"]}, test)
    said = [it.getMessage() for it in log.records if SILENT in it.getMessage()]
    assert said == [f"seed {SILENT}:1: no answer from the name server; trying again"]


@pytest.mark.parametrize("host", NO_NAMES)
async def test_a_name_that_is_none_is_logged_once_and_stops_nothing(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """Among several seeds, one that doesn't resolve is named in the log; the others are met."""
    one = await running(stack, "n1")
    wrong = Address(host, 7171)
    with caplog.at_level(logging.WARNING, "sidegate"):
        seeds = (wrong, one.link)
        other = await running(stack, "n2", seeds=seeds)
        await eventually(lambda: are_one_ring([one, other]))
        for _ in range(3):
            await other.discovery._resolve_all()
    await eventually(lambda: other.ready)
    assert [record.getMessage() for record in caplog.records if "seed" in record.msg] == [
        next(record.getMessage() for record in caplog.records if str(wrong) in record.getMessage())
    ]


async def test_a_name_that_fails_again_is_logged_again(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """After a name was resolved, its next failure is news."""
    node = await running(stack, "n1")
    seed = Address(NO_NAMES[0], 7171)
    discovery = discovery_of(node, [seed])
    await discovery._resolve_all()
    discovery._failed.clear()  # what a success does
    await discovery._resolve_all()
    assert caplog.text.count(str(seed)) == 2


async def test_a_node_is_ready_once_all_seeds_have_answered_or_failed(
    stack: AsyncExitStack,
) -> None:
    """A node isn't ready while a seed may still answer, and is when it has; failures count too."""
    slow = await stack.enter_async_context(puppet("slow"))
    node = Process(config("n1", seeds=(slow.address, Address(NO_NAMES[0], 1), Address("::1", 1))))
    assert not node.ready
    await stack.enter_async_context(node)
    await eventually(lambda: node.ready)
    assert node.cluster.ring.nodes == ("n1", "slow")


async def test_an_address_that_no_seed_names_any_more_is_given_up(stack: AsyncExitStack) -> None:
    """A stranger that nobody answers from is dialled only as long as some seed leads to it."""
    node = await running(stack, "n1")
    gone, named = Address("127.0.0.2", 1), Address("127.0.0.2", 2)
    node.peers.meet([gone, named])
    await eventually(lambda: node.peers.settled)
    node.peers.forget_strangers({named})
    assert [link.address for link in node.peers.strangers] == [named]
