"""All keys: those of this node, and of all others, which are asked at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sidegate.protocol.key_messages import (
    MAX_LISTED,
    KeyOrder,
    KeysBy,
    KeysListed,
    KeysReset,
    ListKeys,
    ResetKeys,
)
from sidegate.protocol.messages import require_key
from sidegate.reports.key_ranking import KeyRanking, joined
from sidegate_sidecar.links.reporting.slices import SlicedWork, in_slices

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sidegate.protocol.messages import InquiryAnswer
    from sidegate_sidecar.links.peers import Peers
    from sidegate_sidecar.links.reporting.gathering import Shown
    from sidegate_sidecar.node.node import Node

LIST_WITHIN = 0.25  # seconds: who hasn't answered by then is missing
RESET_WITHIN = 10.0  # seconds: a walk through a million buckets, beside checks
WALK_SHARE = 0.8  # of the time for an answer: the rest is for it to come
LOOK_EVERY = 0.005  # seconds between two looks whether a walk is over
PIECE = 256  # keys between two looks at the clock: 0.02 ms, 0.1 where all are meant
MAX_WALKS = 16  # asked for at a time, one of which is under way; beyond it this node is missing
NO_PREFIX = "prefix '': expected at least one character, or to be told that every key is meant"


class AllKeys:
    """Lists and resets the keys of all nodes on the ring, each by the node that owns it.

    Keys are given out as `shown` shows them.
    """

    def __init__(self, node: Node, peers: Peers, shown: Shown) -> None:
        self._node = node
        self._peers = peers
        self._shown = shown
        self._gate = asyncio.Lock()  # one walk at a time
        self._walks = 0
        self.answers = SlicedWork()
        """What answers are put together by."""

    # --- listing

    async def first(self, asked: ListKeys) -> KeysListed:
        """Return the first keys of all nodes; KeyTooLong for a text that no key begins with."""
        require_key(asked.text)
        if asked.hops:
            return await self._list_here(asked, _within(asked) * WALK_SHARE)
        shows_whole = self._shown(asked.text) == asked.text
        if shows_whole or asked.by is KeysBy.IDENTITY:
            return await self._list(asked)
        return await self._list_by_shown(asked)

    async def _list_by_shown(self, asked: ListKeys) -> KeysListed:
        """Return those of the first keys of a rule that look as if they began so.

        Nobody is asked more than what rule is meant: or who tries one letter after the other, or
        looks where a key of its own comes in the order, reads what isn't shown.
        """
        rule, colon, _ = asked.text.partition(":")
        text = rule + colon if colon else ""
        answer = await self._list(replace(asked, text=text, order=KeyOrder.DEBT, most=MAX_LISTED))
        rows = [row for row in answer.rows if row[0].startswith(asked.text)]
        if asked.order is KeyOrder.KEY:
            rows.sort()
        more = answer.more or int(len(rows) > asked.most)
        return replace(answer, rows=rows[: asked.most], more=more)

    async def _list(self, asked: ListKeys) -> KeysListed:
        """Return the first keys of all nodes as they are shown."""
        within = _within(asked)

        def question(number: int) -> ListKeys:
            budget = int(within * 1e6)
            return ListKeys(number, 1, budget, asked.by, asked.text, asked.order, asked.most)

        here = self._list_here(asked, within * WALK_SHARE)
        own, others = await asyncio.gather(here, self._ask_all(question, within))
        answers = [own] if self._node.name in self._node.cluster.ring else []
        answers += [it for it in others.values() if isinstance(it, KeysListed)]
        missing = [name for name, it in others.items() if not isinstance(it, KeysListed)]
        answer = await self.answers.done(joined(asked, answers, missing))
        rows = [(self._shown(key), place, held) for key, place, held in answer.rows]
        return replace(answer, rows=rows)

    async def _list_here(self, asked: ListKeys, within: float) -> KeysListed:
        node, until = self._node, asyncio.get_running_loop().time() + within
        if self._walks >= MAX_WALKS:
            return KeysListed(asked.id, [], [node.name], [], [], 0)
        ranking = KeyRanking(asked, node.buckets, self._owns)
        self._walks += 1
        try:
            async with self._gate:
                left = until - asyncio.get_running_loop().time()
                is_whole = left > 0 and await in_slices(_steps(node, ranking), left) is not None
        finally:
            self._walks -= 1
        rows = ranking.rows(node.clock())
        unfinished = [] if is_whole else [node.name]
        return KeysListed(asked.id, [node.name], [], unfinished, rows, int(ranking.more))

    def _owns(self, key: str) -> bool:
        ring = self._node.cluster.ring
        return ring.pair_at(ring.place(key))[0] == self._node.name

    # --- resetting

    async def reset(self, asked: ResetKeys) -> KeysReset:
        """Reset all keys that begin so; ValueError for a prefix that may not be meant."""
        require_key(asked.prefix)
        if not (asked.prefix or asked.everything):
            raise ValueError(NO_PREFIX)
        node = self._node
        serial = asked.number or node.forwarding.next_serial()
        node.cluster.reset_all(asked.prefix, serial, node.clock())
        here = self._reset_here(asked.id, serial, RESET_WITHIN * WALK_SHARE)
        if asked.hops:
            return await here

        def question(number: int) -> ResetKeys:
            return ResetKeys(number, 1, asked.prefix, asked.everything, serial)

        own, others = await asyncio.gather(here, self._ask_all(question, RESET_WITHIN))
        answers = [own] if node.name in node.cluster.ring else []
        answers += [it for it in others.values() if isinstance(it, KeysReset)]
        missing = [name for name, it in others.items() if not isinstance(it, KeysReset)]
        missing += [name for it in answers for name in it.missing]
        forgotten = [row for it in answers for row in it.forgotten]
        return KeysReset(asked.id, sorted(forgotten), sorted(missing))

    async def _reset_here(self, number: int, serial: int, within: float) -> KeysReset:
        """Wait until this node's own walk is over."""
        sync, loop = self._node.cluster.sync, asyncio.get_running_loop()
        until = loop.time() + within
        while sync.resets.is_walked(serial):
            if loop.time() > until:
                break
            await asyncio.sleep(LOOK_EVERY)
        name, forgotten = self._node.name, sync.forgotten(serial)
        if forgotten is None:
            return KeysReset(number, [], [name])
        return KeysReset(number, [(name, forgotten)], [])

    # --- asking

    async def _ask_all(
        self, question: Callable[[int], ListKeys | ResetKeys], within: float
    ) -> dict[str, InquiryAnswer | None]:
        """Ask all others of the ring at the same time; return their answers, None for none."""
        names = [name for name in self._node.cluster.ring.nodes if name != self._node.name]
        asking = (self._ask(name, question, within) for name in names)
        return dict(zip(names, await asyncio.gather(*asking), strict=True))

    async def _ask(
        self, name: str, question: Callable[[int], ListKeys | ResetKeys], within: float
    ) -> InquiryAnswer | None:
        link = self._peers.link_to(name)
        return None if link is None else await link.inquire(question, within)


def _within(asked: ListKeys) -> float:
    """Return within how many seconds an answer is waited for."""
    return min(asked.budget * 1e-6, LIST_WITHIN)


def _steps(node: Node, ranking: KeyRanking) -> Generator[None, None, bool]:
    """Have all keys of a node ranked, some in each step."""
    for text, keys in node.buckets.keys(PIECE):
        ranking.add(text, keys, node.clock())
        yield
    return True
