"""Three nodes of a system, which can be asked, replaced, and killed, whatever it is."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from bench.lab.sidecars import require
from bench.peers.asking.messages import PeerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from bench.peers.asking.batching import Calls, Lines
    from bench.peers.servers import Served

    Start: TypeAlias = Callable[[str, int, Sequence[str]], AbstractAsyncContextManager[Served]]
    Connect: TypeAlias = Callable[[Served], AbstractAsyncContextManager[Lines | Calls]]
    Sort: TypeAlias = Callable[[Sequence[Served], list[str]], Awaitable[list[str]]]

NODES: Final = 3
LAST: Final = NODES - 1
ANSWERS_WITHIN: Final = 5.0  # seconds: ten times as long as any of them waits for another node
FORMS_WITHIN: Final = 60.0  # seconds for nodes to see each other, or that one has gone


class System(Protocol):
    """Three nodes. `front` is one of 0, 1, 2: the node that a check is sent to."""

    async def ask(self, front: int, key: str) -> bool:
        """Return whether a check is allowed; PeerError if nobody decided it."""
        ...

    async def keys_of_last(self, names: list[str]) -> list[str]:
        """Return those keys that the last node decides."""
        ...

    async def replace(self) -> None:
        """Replace each node by another, one by one, as a deploy does."""
        ...

    async def kill_last(self) -> None:
        """Kill the last node; start it again at once where no other can take over."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What the nodes of a peer are. `start` is told a name, a port, 0 for any, and seeds."""

    start: Start
    connect: Connect
    meets: bool  # its nodes see each other, and one that is new joins; else it has the old port
    by_key: bool = False  # a client asks the node that a key belongs to, whichever it is told
    of_last: Sort | None = None  # which keys are the last node's; without it those of no node


class Trio:
    """Three nodes of one kind, with one connection by hand to each."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._nodes: list[Served] = []
        self._connections: list[Lines | Calls] = []
        self._blocks: list[AsyncExitStack] = []

    async def open(self) -> None:
        """Start all three; they see each other then."""
        for at in range(NODES):
            await self._put(at, f"n{at + 1}")
        await self._whole(NODES)

    async def close(self) -> None:
        """End all."""
        for block in self._blocks:
            await block.aclose()

    async def _put(self, at: int, name: str, port: int = 0) -> AsyncExitStack | None:
        """Start a node in a place; return what is to be closed of the one that was there."""
        block = AsyncExitStack()
        seeds = [node.gossip for node in self._nodes if node.gossip and node.is_alive]
        node = await block.enter_async_context(self._kind.start(name, port, seeds))
        connection = await block.enter_async_context(self._kind.connect(node))
        if at == len(self._nodes):
            self._nodes.append(node)
            self._connections.append(connection)
            self._blocks.append(block)
            return None
        before = self._blocks[at]
        self._nodes[at], self._connections[at], self._blocks[at] = node, connection, block
        return before

    async def _whole(self, count: int) -> None:
        if self._kind.meets:
            for node in self._nodes:
                complaint = f"{node.name} does not see {count} nodes"
                await require(partial(node.sees, count), complaint, within=FORMS_WITHIN)

    async def ask(self, front: int, key: str) -> bool:
        """Return whether a check is allowed; PeerError if nobody decided it."""
        connection = self._connections[self._home(key) if self._kind.by_key else front]
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                return await connection.ask(key)
        except TimeoutError:
            raise PeerError(f"no answer within {ANSWERS_WITHIN} s") from None

    def _home(self, key: str) -> int:
        return zlib.crc32(key.encode()) % NODES

    async def keys_of_last(self, names: list[str]) -> list[str]:
        """Return those keys that the last node decides, all if none does more than others."""
        if self._kind.by_key:
            return [key for key in names if self._home(key) == LAST]
        if self._kind.of_last is None:
            return names
        return await self._kind.of_last(self._nodes, names)

    async def replace(self) -> None:
        """Replace each node, one by one: by a new one that joins first, or else at its port."""
        for at in range(NODES):
            name = f"{self._nodes[at].name}-new"
            if self._kind.meets:
                old = await self._put(at, name)
                await self._whole(NODES + 1)
                assert old is not None
                await old.aclose()
                await self._whole(NODES)
            else:
                await self._blocks[at].aclose()
                await self._put(at, name, self._nodes[at].port)

    async def kill_last(self) -> None:
        """Kill the last node; at its port another one is started at once, unless others go on."""
        node = self._nodes[LAST]
        node.process.kill()
        if not self._kind.meets:
            await self._blocks[LAST].aclose()
            await self._put(LAST, f"{node.name}-again", node.port)
