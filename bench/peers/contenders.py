"""All peers as contenders, each by its usual client and by one written by hand, and ours."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from bench.contenders.contender import Contender, charge_all, python_contender
from bench.contenders.owned import keys_of, owned_by
from bench.lab.fleet import fleet
from bench.lab.sidecars import BUDGET, require
from bench.peers.asking.batching import calls, lines
from bench.peers.asking.messages import (
    GUBERNATOR,
    RATELIMIT,
    GubernatorCheck,
    PeerError,
    Rate,
    RateguardCheck,
    RatelimitCheck,
    ThrottlecrabCheck,
)
from bench.peers.asking.owners import gubernator_owners
from bench.peers.asking.usual import by_rateguard_client, by_redis_py, over_grpc
from bench.peers.servers import (
    HOST,
    gubernator,
    rateguard,
    ratelimit_alone,
    throttlecrab,
)
from bench.plan import KEYS, LIMIT, LIMIT_TOKENS, LIMIT_WINDOW, key_names
from bench.results import UnavailableError, VoidError
from sidegate import Client, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bench.lab.load import Ask
    from bench.peers.asking.usual import AskPeer
    from bench.peers.servers import Served
    from bench.results import Results
    from sidegate import Decision

OURS: Final = "sidegate, owner"
OURS_FORWARDED: Final = "sidegate, forwarded"
OURS_LEASED: Final = "sidegate, forwarded, may lease"
BY_HAND: Final = "by hand"
RATE: Final = Rate(LIMIT_TOKENS, LIMIT_WINDOW)
AN_HOUR: Final = Rate(LIMIT_TOKENS, 3_600)  # rateguard knows no longer unit
_NODES: Final = ("near", "far")


@dataclass(frozen=True, slots=True)
class Beside:
    """A contender, and the processes that serve it."""

    contender: Contender
    pids: Sequence[int]


Offer: TypeAlias = "Callable[[Path], AbstractAsyncContextManager[list[Beside]]]"


async def open_peers(
    stack: AsyncExitStack, folder: Path, results: Results, offers: Mapping[str, Offer]
) -> list[Beside]:
    """Start all that can run here; the others are skipped, with the reason."""
    opened: list[Beside] = []
    for name, offer in offers.items():
        block = AsyncExitStack()
        try:
            opened += await block.enter_async_context(offer(folder))
        except UnavailableError as reason:
            results.skipped[name] = str(reason)
        except (VoidError, PeerError, OSError) as reason:
            results.void[name] = str(reason)
        stack.push_async_exit(block)
    return opened


@asynccontextmanager
async def _ours(folder: Path) -> AsyncGenerator[list[Beside]]:
    near, far = _NODES
    async with (
        fleet(folder, *_NODES) as nodes,
        Client(nodes.nodes[near].address, budget=BUDGET, lease=False) as client,
        Client(nodes.nodes[near].address, budget=BUDGET) as leasing,
    ):
        pids = [nodes.nodes[name].pid for name in _NODES]
        note = "sidegate.Client, unix socket, one of two sidecars that back each other up, "
        named = {near: (OURS, f"{note}its own keys"), far: (OURS_FORWARDED, f"{note}the other's")}
        asked = [
            await owned_by(owner, client, keys_of(owner, _NODES), *words)
            for owner, words in named.items()
        ]
        asked.append(_leased(leasing, keys_of(far, _NODES)))
        yield [Beside(contender, pids) for contender in asked]


def _leased(client: Client, keys: Sequence[str]) -> Contender:
    def ask(key: str) -> Awaitable[Decision]:
        return client.check(key, LIMIT)

    def allowed(decision: Decision) -> bool:
        return decision.allowed and decision.source in {Source.OWNER, Source.LEASE}

    note = "the same by a client as it is unless it is told otherwise, which spends leases"
    return python_contender(OURS_LEASED, note, ask, allowed, keys)


async def _charged(name: str, note: str, ask: Ask, keys: Sequence[str]) -> Contender:
    await charge_all(ask, keys)
    return python_contender(name, note, ask, bool, keys)


async def _both(
    title: str, by_hand: tuple[Ask, str], usual: tuple[AskPeer, str], pids: Sequence[int]
) -> list[Beside]:
    """Return the two contenders that ask one server about the same keys."""
    keys = list(key_names(KEYS))
    named = {f"{title}, {BY_HAND}": by_hand, f"{title}, {usual[1].partition(':')[0]}": usual}
    return [
        Beside(await _charged(name, note, ask, keys), pids) for name, (ask, note) in named.items()
    ]


@asynccontextmanager
async def _throttlecrab(folder: Path) -> AsyncGenerator[list[Beside]]:
    async with (
        throttlecrab(folder, "alone") as server,
        lines(ThrottlecrabCheck(RATE), HOST, server.port) as hand,
        by_redis_py(RATE, HOST, server.port) as usual,
    ):
        yield await _both(
            "throttlecrab",
            (hand.ask, "RESP over TCP, one connection, the THROTTLEs of a turn in one write"),
            (usual, "redis-py: redis.asyncio as in its README, RESP 2, a connection a check"),
            [server.pid],
        )


@asynccontextmanager
async def _rateguard(folder: Path) -> AsyncGenerator[list[Beside]]:
    async with (
        rateguard(folder, "alone", AN_HOUR) as server,
        lines(RateguardCheck(server.address), HOST, server.port) as hand,
        by_rateguard_client(HOST, server.port) as usual,
    ):
        yield await _both(
            "rateguard",
            (hand.ask, "HTTP/1.1 over TCP, one connection, the requests of a turn in one write"),
            (usual, "rateguard-client: its client for Python, which blocks, in a thread a check"),
            [server.pid],
        )


@asynccontextmanager
async def _ratelimit(folder: Path) -> AsyncGenerator[list[Beside]]:
    checks = RatelimitCheck()
    async with (
        ratelimit_alone(folder, RATE) as (server, redis),
        calls(checks, RATELIMIT, HOST, server.port) as hand,
        over_grpc(checks, RATELIMIT, server.address) as usual,
    ):
        yield await _both(
            "ratelimit",
            (hand.ask, "HTTP/2 by hand, all checks of a turn as descriptors of one call; Redis"),
            (usual, "grpcio: one descriptor a call, Redis over TCP"),
            [server.pid, redis],
        )


@asynccontextmanager
async def _gubernator(folder: Path) -> AsyncGenerator[list[Beside]]:
    checks = GubernatorCheck(RATE)
    async with (
        gubernator(folder, "near") as near,
        gubernator(folder, "far", near.gossip) as far,
        calls(checks, GUBERNATOR, near.host, near.port) as hand,
        over_grpc(checks, GUBERNATOR, near.address) as usual,
    ):
        await require(partial(near.sees, 2), "gubernator's nodes don't meet")
        own, others = await _by_owner(near, far)
        pids = [near.pid, far.pid]
        asking: dict[str, tuple[Ask, str, Sequence[str]]] = {
            f"gubernator, {BY_HAND}": (hand.ask, _G_HAND + ", keys of the node that is asked", own),
            "gubernator, grpcio": (usual, _G_USUAL + ", keys of the node that is asked", own),
            f"gubernator, forwarded, {BY_HAND}": (
                hand.ask,
                _G_HAND + ", keys of the other",
                others,
            ),
            "gubernator, forwarded, grpcio": (usual, _G_USUAL + ", keys of the other", others),
        }
        yield [
            Beside(await _charged(name, note, ask, keys), pids)
            for name, (ask, note, keys) in asking.items()
        ]


_G_HAND: Final = "one of two nodes, HTTP/2 by hand, all checks of a turn in one GetRateLimits"
_G_USUAL: Final = "one of two nodes, one check a GetRateLimits by grpcio"


async def _by_owner(near: Served, far: Served) -> tuple[list[str], list[str]]:
    """Return the keys that a node owns, and those of the other."""
    names = list(key_names(4 * KEYS))
    owners = await gubernator_owners(near, RATE, names)
    own, others = (
        [key for key, owner in zip(names, owners, strict=True) if owner == node.address][:KEYS]
        for node in (near, far)
    )
    return own, others


OFFERS: Final[dict[str, Offer]] = {
    "sidegate": _ours,
    "throttlecrab": _throttlecrab,
    "rateguard": _rateguard,
    "gubernator": _gubernator,
    "envoyproxy/ratelimit": _ratelimit,
}
