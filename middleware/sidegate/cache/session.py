"""A session of a cache: its own connection in one event loop, and what is asked on it.

It is not that of the checks, which never wait behind values.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sidegate.cache.items.found import LOST, found_in
from sidegate.cache.items.near import NearCopies
from sidegate.client.loop_end import LoopEnd
from sidegate.link.health import LinkState
from sidegate.link.link import Link
from sidegate.link.parts import Joiner, cut
from sidegate.protocol.cache_messages import (
    CacheClear,
    CacheDelete,
    CacheDone,
    CacheForget,
    CacheGet,
    CachePart,
    CacheRelease,
    CacheSet,
    CacheState,
    CacheValues,
)
from sidegate.protocol.codec import refuse

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.cache.items.found import Found
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.messages import Hello, Roster, UnaskedMessage

    _Asks: TypeAlias = CacheGet | CacheSet | CacheDelete | CacheClear
    _Sent: TypeAlias = _Asks | CacheRelease

_MAX_LATE = 1_024  # questions whose answers may still come
_FILLS = (CacheState.FILL, CacheState.STALE_FILL)


class _Question:
    """What was asked and who waits; of a CacheGet, the rows that have come."""

    __slots__ = ("asked_at", "done", "found", "future", "message", "timer")

    def __init__(
        self,
        message: _Asks,
        future: asyncio.Future[None],
        timer: asyncio.TimerHandle,
    ) -> None:
        self.message = message
        self.future = future
        self.timer = timer
        self.asked_at = time.monotonic_ns()
        self.found: dict[int, Found] = {}
        self.done: CacheDone | None = None


class CacheSession:
    """One cache in one loop. `ended` is called when the loop ends, with this session."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: Endpoint,
        name: str,
        near: int,
        ended: Callable[[CacheSession], None],
    ) -> None:
        self.loop = loop
        self.near = NearCopies(name, near)
        self._options = options
        self._name = name
        self._ended = ended
        self._questions: dict[int, _Question] = {}
        self._late: dict[int, CacheGet] = {}
        self._waiting: list[_Sent] = []  # for the first connection
        self._is_hanging = False  # is that one awaited for longer than a budget?
        self._joiner = Joiner()
        self._last_id = 0
        self._link = None if options.fault else Link.of_app(options, self)
        self._loop_end = LoopEnd(self._end)

    # --- asking

    async def get(self, keys: list[str], lease: int = 0) -> list[Found]:
        """Return what there is of some keys; with a lease of one, which its asker may fill.

        The first answer comes within the budget, and one for who waits within the lease.
        """
        self._last_id += 1
        question = CacheGet(self._last_id, 0, self._name, keys, lease, self.near.near)
        asked = await self._ask(question)
        return [asked.found.get(place, LOST) if asked else LOST for place in range(len(keys))]

    def copy_of(self, key: str) -> bytes | None:
        """Return the bytes of a value that we have a copy of."""
        return self.near.get(key, time.monotonic_ns())

    async def set(self, key: str, token: int, ttl: int, stale: int, data: bytes) -> bool:
        """Have a value kept; is it?"""
        self.near.forget([key])
        self._last_id += 1
        asked = await self._ask(
            CacheSet(self._last_id, 0, self._name, key, token, ttl, stale, data)
        )
        return asked is not None and asked.done is not None and asked.done.count == 1

    def fill(self, key: str, token: int, ttl: int, stale: int, data: bytes) -> None:
        """Have a value kept, and don't wait to hear whether it is."""
        self._last_id += 1
        self._send(CacheSet(self._last_id, 0, self._name, key, token, ttl, stale, data))

    async def delete(self, keys: list[str]) -> bool:
        """Have values forgotten; are they, wherever they were?"""
        self.near.forget(keys)
        self._last_id += 1
        return _is_complete(await self._ask(CacheDelete(self._last_id, 0, self._name, keys)))

    async def clear(self) -> bool:
        """Have the namespace forgotten; is it, on all nodes?"""
        self.near.forget([])
        self._last_id += 1
        return _is_complete(await self._ask(CacheClear(self._last_id, 0, self._name)))

    def release(self, key: str, token: int) -> None:
        """Give a lease back."""
        if token:
            self._send(CacheRelease(0, self._name, key, token))

    async def _ask(self, message: _Asks) -> _Question | None:
        """Ask; return the question with what was answered, None if nobody can be asked."""
        number = message.id
        if not self._send(message):
            return None
        timer = self.loop.call_later(self._options.budget, self._overdue, number)
        question = _Question(message, self.loop.create_future(), timer)
        self._questions[number] = question
        try:
            await question.future
        finally:
            if self._settle(number):  # who waited is cancelled
                self._note_late(question)
        return question

    def _send(self, message: _Sent) -> bool:
        """Send, or keep for the first connection; False if neither does."""
        link = self._link
        if link is None:
            return False
        if link.state is LinkState.UP:
            return all(link.tell(part) for part in cut(message))
        if link.state is LinkState.CONNECTING and not self._is_hanging:
            self._waiting.append(message)
            return True
        return False

    def _settle(self, number: int) -> _Question | None:
        """End a question, and wake who waits for it; None if it was ended before.

        Its answer, the end of its time and of who waits may all come in one turn of the loop.
        """
        question = self._questions.pop(number, None)
        if question is not None:
            question.timer.cancel()
            if not question.future.done():
                question.future.set_result(None)
        return question

    def _overdue(self, number: int) -> None:
        if question := self._settle(number):
            if not question.found and self._link is not None:
                self._link.suspect()
            self._note_late(question)
            if self._link is not None and self._link.state is LinkState.CONNECTING:
                self._hang()

    def _hang(self) -> None:
        """Wait for no connection any more, until there is one: that costs one budget, not many."""
        self._is_hanging = True
        self._waiting.clear()
        self._lose(lambda _: True)

    def _note_late(self, question: _Question) -> None:
        """Remember that a lease may come which nobody uses."""
        if isinstance(question.message, CacheGet) and question.message.lease:
            if len(self._late) >= _MAX_LATE:
                del self._late[next(iter(self._late))]
            self._late[question.message.id] = question.message

    # --- what the link tells

    def on_message(self, _link: Link, message: UnaskedMessage) -> None:
        """Handle an answer, or a word that copies aren't to be kept."""
        if isinstance(message, CachePart):
            whole = self._joiner.add(message)
            if whole is None:
                return
            message = whole
        match message:
            case CacheValues():
                self._answered(message)
            case CacheDone():
                self._done(message)
            case CacheForget():
                if message.name == self._name:
                    self.near.forget(message.keys)
            case _:
                refuse(message)

    def _answered(self, message: CacheValues) -> None:
        question = self._questions.get(message.id)
        if question is None or not isinstance(question.message, CacheGet):
            self._give_back(message)
            return
        get = question.message
        for row in message.rows:
            found = found_in(row)
            if row[0] < len(get.keys):
                question.found[row[0]] = found
                self.near.keep(get.keys[row[0]], found, question.asked_at)
        if any(it.state is CacheState.WAIT for it in question.found.values()):
            question.timer.cancel()
            wait = get.lease * 1e-6 + self._options.budget
            question.timer = self.loop.call_later(wait, self._overdue, message.id)
        elif len(question.found) == len(get.keys):
            self._settle(message.id)

    def _give_back(self, message: CacheValues) -> None:
        """Give back a lease that comes too late."""
        get = self._late.get(message.id)
        if get is None:
            return
        for _, state, _, token, _ in message.rows:
            if state is not CacheState.WAIT:
                self._late.pop(message.id, None)
            if state in _FILLS:
                self.release(get.keys[0], token)

    def _done(self, message: CacheDone) -> None:
        if question := self._settle(message.id):
            question.done = message

    def link_up(self, link: Link, _peer: Hello) -> None:
        """Send what has waited; what was sent on another connection gets no answer any more."""
        self._is_hanging = False
        waiting, self._waiting = self._waiting, []
        if link.lacks(CacheGet):  # it is of an older release
            waiting = []
        still = {it.id for it in waiting if not isinstance(it, CacheRelease)}
        self._lose(lambda number: number not in still)
        for message in waiting:
            self._send(message)

    def link_down(self, _link: Link) -> None:
        """Settle all questions: they get no answer. Nor would we hear that a copy is too old."""
        self._is_hanging = False
        self._waiting.clear()
        self._lose(lambda _: True)

    def _lose(self, which: Callable[[int], bool]) -> None:
        """Have questions without an answer, and no copies: nobody tells that they are too old."""
        self._joiner = Joiner()
        self._late.clear()
        self.near.forget([])
        for number in [number for number in self._questions if which(number)]:
            self._questions[number].found.clear()
            self._settle(number)

    def link_trusted(self, _link: Link) -> None:
        """Do nothing: values flow again."""

    def link_refused(self, link: Link, _why: str) -> None:
        """Settle what waits for the first connection."""
        if link.state is not LinkState.UP:
            self.link_down(link)

    def link_ended(self, link: Link) -> None:
        """End with the loop."""
        self._loop_end.forget()
        self.link_down(link)
        self._ended(self)

    def roster(self, _link: Link, _roster: Roster) -> None:
        """Do nothing: whoever owns a value is found by the sidecar."""

    # --- the end

    async def _end(self) -> None:
        self._ended(self)
        await self.close()

    async def close(self) -> None:
        """Close the connection; whoever waits gets no answer."""
        self._loop_end.forget()
        if self._link is not None:
            self.link_down(self._link)
            await self._link.close()


def _is_complete(question: _Question | None) -> bool:
    """Is a change done, by all nodes that had a part in it?"""
    return question is not None and question.done is not None and not question.done.missing
