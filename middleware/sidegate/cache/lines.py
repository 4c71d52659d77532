"""Lines of a blocking cache: connections of one process, each for one thread at a time.

So nobody waits behind the values of another, and the checks' connection has none of them. A line
on which an answer is late is closed; with it goes what it holds at the sidecar.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from sidegate.cache.items.found import LOST, found_in
from sidegate.client.unreachable.breaker import Breaker, Entry
from sidegate.link.blocking.line import FAULTS, Line
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
from sidegate.protocol.codec import decode, refuse
from sidegate.protocol.messages import Forget, Ping, Pong, Roster

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.cache.items.found import Found
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.cache_messages import CacheMessage
    from sidegate.protocol.codec import Bytes

    Ask: TypeAlias = CacheGet | CacheSet | CacheDelete | CacheClear
    Heard: TypeAlias = Callable[[CacheForget], None]

MAX_LINES = 64  # of a process: threads that wait at the same time; others go without
_LONGEST_STEP = 0.005  # seconds between two looks at the clock


class _CacheLine:
    """One connection, with what it says put together."""

    def __init__(self, options: Endpoint) -> None:
        step = min(_LONGEST_STEP, options.budget / 8)
        self._line = Line(options, step)
        self._joiner = Joiner()
        self.is_left = False
        self.was_idle = False  # then it may have broken without anybody seeing it

    def send(self, message: CacheMessage, deadline: float) -> None:
        """Send a message, once the line is up. TimeoutError, or one of FAULTS."""
        while not self._line.is_up:
            _require_time(deadline, heard=self._line.advance())
        for part in cut(message):
            self._line.tell(part)
            while self._line.is_clogged:
                _require_time(deadline, heard=False)
                self._line.send(b"")

    def hear(self, heard: Heard) -> list[CacheValues | CacheDone]:
        """Return the answers that come within a step."""
        answers: list[CacheValues | CacheDone] = []
        for body in self._line.receive():
            answer = self._answer(body, heard)
            if answer is not None:
                answers.append(answer)
        return answers

    def hear_all(self, heard: Heard) -> None:
        """Hear what has come while nothing was asked. One of FAULTS at the end of the line."""
        while self._line.is_readable():
            self.hear(heard)

    def _answer(self, body: Bytes, heard: Heard) -> CacheValues | CacheDone | None:
        message = decode(body)
        if isinstance(message, CachePart):
            whole = self._joiner.add(message)
            if whole is None:
                return None
            message = whole
        match message:
            case CacheValues() | CacheDone():
                return message
            case CacheForget():
                heard(message)
            case Roster():
                self.is_left = self.is_left or message.leaving == 1
            case Ping():
                self._line.tell(Pong(message.id))
            case Forget():
                pass
            case _:
                refuse(message)
        return None

    def close(self, error: BaseException | None = None) -> None:
        """Close; the sidecar is told if it did something wrong."""
        if error is None:
            self._line.close()
        else:
            self._line.fail(error)


class CacheLines:
    """The lines of one process for one cache. `heard` is told what isn't to be copied any more."""

    def __init__(self, options: Endpoint, name: str, near: int, heard: Heard) -> None:
        self._options = options
        self._name = name
        self._near = near
        self._heard = heard
        self._lock = threading.Lock()
        self._idle: list[_CacheLine] = []
        self._count = 0
        self._last_id = 0
        self._breaker = Breaker(random.uniform)

    # --- asking

    def get(self, keys: list[str], lease: int = 0) -> list[Found]:
        """Return what there is of some keys; as CacheSession.get."""
        question = CacheGet(self._next_id(), 0, self._name, keys, lease, self._near)
        found: dict[int, Found] = {}

        def take(answer: CacheValues | CacheDone) -> tuple[bool, bool]:
            if isinstance(answer, CacheValues):
                found.update((row[0], found_in(row)) for row in answer.rows)
            waits = any(it.state is CacheState.WAIT for it in found.values())
            return len(found) >= len(keys) and not waits, waits

        if not self._ask(question, take, lease * 1e-6):
            found.clear()
        return [found.get(place, LOST) for place in range(len(keys))]

    def change(self, message: Ask) -> CacheDone | None:
        """Have a change made; None if nobody answers."""
        done: list[CacheDone] = []

        def take(answer: CacheValues | CacheDone) -> tuple[bool, bool]:
            if isinstance(answer, CacheDone):
                done.append(answer)
            return bool(done), False

        return done[0] if self._ask(message, take, 0.0) else None

    def set(self, key: str, token: int, ttl: int, stale: int, data: bytes) -> bool:
        """Have a value kept; is it?"""
        done = self.change(CacheSet(self._next_id(), 0, self._name, key, token, ttl, stale, data))
        return done is not None and done.count == 1

    def delete(self, keys: list[str]) -> bool:
        """Have values forgotten; are they?"""
        return _is_complete(self.change(CacheDelete(self._next_id(), 0, self._name, keys)))

    def clear(self) -> bool:
        """Have the namespace forgotten; is it?"""
        return _is_complete(self.change(CacheClear(self._next_id(), 0, self._name)))

    def release(self, key: str, token: int) -> None:
        """Give a lease back."""
        message = CacheRelease(0, self._name, key, token)
        if token and (line := self._take()):
            try:
                line.send(message, time.monotonic() + self._options.budget)
            except FAULTS as error:
                self._drop(line, error)
            else:
                self._give_back(line)

    def _next_id(self) -> int:
        with self._lock:
            self._last_id += 1
            return self._last_id

    def _ask(
        self,
        message: Ask,
        take: Callable[[CacheValues | CacheDone], tuple[bool, bool]],
        wait: float,
    ) -> bool:
        """Ask, and give `take` the answers until it has all; is that so within the budget?

        `wait` seconds more from when it says that another answer comes.
        """
        entry = self._breaker.enter(time.monotonic())
        line = None if entry is Entry.REFUSED or self._options.fault else self._take()
        if line is None:
            self._breaker.abandoned(entry)
            return False
        try:
            self._converse(line, message, take, wait)
        except FAULTS as error:
            self._drop(line, error)
            if line.was_idle and not isinstance(error, TimeoutError | ValueError):
                self._breaker.abandoned(entry)
                return self._ask(message, take, wait)  # at most as often as there were idle lines
            self._breaker.failed(entry, time.monotonic())
            return False
        except BaseException as error:  # the thread is interrupted, or the greenlet killed
            self._drop(line, error)
            self._breaker.abandoned(entry)
            raise
        self._breaker.succeeded()
        self._give_back(line)
        return True

    def _converse(
        self,
        line: _CacheLine,
        message: Ask,
        take: Callable[[CacheValues | CacheDone], tuple[bool, bool]],
        wait: float,
    ) -> None:
        deadline = time.monotonic() + self._options.budget
        line.send(message, deadline)
        may_wait = True
        while True:
            answers = line.hear(self._heard)
            for answer in answers:
                if answer.id != message.id:
                    continue
                has_all, waits = take(answer)
                if has_all:
                    return
                if waits and may_wait:
                    may_wait, deadline = False, deadline + wait
            _require_time(deadline, heard=bool(answers))

    # --- the lines

    def _take(self) -> _CacheLine | None:
        """Return a line for the caller alone; None if there are too many."""
        with self._lock:
            line = self._idle.pop() if self._idle else None
            if line is None and self._count >= MAX_LINES:
                return None
            self._count += line is None
        if line is None:
            return _CacheLine(self._options)
        if self._is_good(line):
            return line
        return self._take()

    def _is_good(self, line: _CacheLine) -> bool:
        """Hear what came while a line was idle; was it nothing that ends it?"""
        try:
            line.hear_all(self._heard)
        except FAULTS as error:
            self._drop(line, error)
            return False
        if line.is_left:
            self._drop(line)
            return False
        return True

    def listen(self) -> None:
        """Hear what idle lines have to say about copies."""
        with self._lock:
            idle, self._idle = self._idle, []
        for line in idle:
            if self._is_good(line):
                self._give_back(line)

    def _give_back(self, line: _CacheLine) -> None:
        line.was_idle = True
        with self._lock:
            self._idle.append(line)

    def _drop(self, line: _CacheLine, error: BaseException | None = None) -> None:
        with self._lock:
            self._count -= 1
        line.close(error)

    def close(self) -> None:
        """Close the lines that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._count -= len(idle)
        for line in idle:
            line.close()


def _require_time(deadline: float, *, heard: bool) -> None:
    """Raise TimeoutError if time is up, and nothing has come that may be read already."""
    if not heard and time.monotonic() >= deadline:
        raise TimeoutError("no answer within the budget")


def _is_complete(done: CacheDone | None) -> bool:
    return done is not None and not done.missing
