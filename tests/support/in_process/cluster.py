"""Clusters of real sidecars in this process, and clients for them.

Everything listens on free ports of loopback. Budgets are generous, so that a busy machine never
turns an answer of the owner into one by the policy; a test about budgets sets its own.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeVar

from sidegate.buckets.decision import Decision
from sidegate.client.client import Client
from sidegate.link.address import Address, parse_address
from sidegate.link.link import Link
from sidegate_ring.hashring import Ring
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.config import Config
from sidegate_sidecar.lab.waiting import until
from sidegate_sidecar.process import Process

T = TypeVar("T")

LOOPBACK = parse_address("127.0.0.1:0")
GENEROUS = 20.0  # seconds


async def eventually(condition: Callable[[], T], within: float = GENEROUS) -> T:
    """Wait until the condition is true, and return its value; fail `within` seconds."""

    async def look() -> T:
        return condition()

    value = await until(look, within=within, look_every=0.002)
    assert value, f"not so within {within:g} s"
    return value


async def eventually_answered(
    ask: Callable[[], Awaitable[T]], right: Callable[[T], bool], within: float = GENEROUS
) -> T:
    """Ask until the answer is right, and return it; an OSError is no answer."""
    async with asyncio.timeout(within):
        while True:
            with suppress(OSError):
                if right(answer := await ask()):
                    return answer
            await asyncio.sleep(0.01)


# --- sidecars


def config(name: str, **options: Any) -> Config:
    """Return what a sidecar on free ports is told."""
    defaults: dict[str, Any] = {"link": LOOPBACK, "http": LOOPBACK, "budget": GENEROUS}
    return Config(name=name, **{**defaults, **options})


async def running(stack: AsyncExitStack, name: str, *seeds: Process, **options: Any) -> Process:
    """Run a sidecar that knows these seeds, until the stack is closed."""
    given = {"seeds": tuple(seed.link for seed in seeds), **options}
    return await stack.enter_async_context(Process(config(name, **given)))


@asynccontextmanager
async def cluster(*names: str, **options: Any) -> AsyncGenerator[list[Process]]:
    """Run a sidecar for each name. All know the first; when this is entered, all know all."""
    nodes: list[Process] = []
    try:
        for name in names:
            seeds = tuple(node.link for node in nodes[:1])
            nodes.append(Process(config(name, **{"seeds": seeds, **options})))
            await nodes[-1].start()
        await eventually(lambda: are_one_ring(nodes))
        yield nodes
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))


def are_one_ring(nodes: Iterable[Process]) -> bool:
    """Do all of these have links to all others, and know that all hold the same ring?"""
    nodes = list(nodes)
    names = tuple(sorted(node.config.name for node in nodes))
    return all(
        node.cluster.stage is Stage.MEMBER
        and node.cluster.ring.nodes == names
        and {name for name in names if node.peers.is_up(name)} == {*names} - {node.config.name}
        and all(
            member.digest == node.cluster.ring.digest for member in node.cluster.membership.living()
        )
        for node in nodes
    )


def key_of(owner: str, ring: Ring, start: str = "key") -> str:
    """Return a key that this node owns."""
    return next(key for at in range(10_000) if ring.owner(key := f"{start}{at}") == owner)


# --- clients


def client(sidecar: Process | Address | str, **options: Any) -> Client:
    """Return a client that takes nothing from the environment, and asks about every check."""
    address = sidecar.link if isinstance(sidecar, Process) else sidecar
    defaults: dict[str, Any] = {
        "budget": GENEROUS,
        "secret": "",
        "remember_denials": False,
        "lease": False,
    }
    return Client(str(address), **{**defaults, **options})


def link_of(asking: Client) -> Link:
    """Return the link that a client has in this loop; it begins to dial if it has none."""
    link = asking._here().link
    assert link is not None
    return link


@asynccontextmanager
async def clients(
    *sidecars: Process | Address | str, **options: Any
) -> AsyncGenerator[list[Client]]:
    """Make a client for each sidecar, and close them all."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client(at, **options)) for at in sidecars]


def sources(decisions: Iterable[Decision]) -> Counter[str]:
    """Count who decided."""
    return Counter(str(decision.source) for decision in decisions)


def admitted(decisions: Iterable[Decision]) -> int:
    """Count what was allowed."""
    return sum(decision.allowed for decision in decisions)


@asynccontextmanager
async def witness(
    sidecar: Process, key: str = "witness", **options: Any
) -> AsyncGenerator[list[Decision]]:
    """Keep checking meanwhile, one check after the other; in the end the owner decided them all."""
    decisions: list[Decision] = []
    async with client(sidecar, **options) as asking:

        async def check() -> None:
            while True:
                decisions.append(await asking.check(key, "1000000000/hour"))

        checking = asyncio.create_task(check())
        try:
            await eventually(lambda: decisions)
            yield decisions
            more = len(decisions) + 10
            await eventually(lambda: len(decisions) >= more)
        finally:
            checking.cancel()
            with suppress(asyncio.CancelledError):
                await checking
    assert sources(decisions).keys() == {"owner"}
