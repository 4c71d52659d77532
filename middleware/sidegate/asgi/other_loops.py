"""Checks of the ASGI middleware in whatever loop its server runs: asyncio's, trio's, or another.

trio is only imported by those who run it: here it is found, never imported.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from sidegate.buckets.decision import OnUnreachable
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.errors import NoEventLoop, NoSlot, Unreachable
from sidegate.reports.event_counts import recorded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Generator, Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.keys.key_lists import KeyList, KeysForgotten
    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.middleware_options import Options
    from sidegate.ruleset.ruleset import RuleSet

log = logging.getLogger("sidegate")

_MAX_THREADS = 40  # that wait for the sidecar: as many as trio gives an app for itself
_OPTIONS = ("sidecar", "secret", "tls", "budget", "on_unreachable", "otel", "lease")


class AnyLoop:
    """Asks from asyncio by a Client, from trio by a BlockingClient in threads.

    In another loop `on_unreachable` decides. What happens outside of asyncio is logged once.
    """

    def __init__(self, options: Options[Any]) -> None:
        self._options: dict[str, Any] = {
            name: value for name in _OPTIONS if (value := options.get(name)) is not None
        }
        self.client = Client(**self._options)  # asyncio's
        self._check = self.client.check
        self._blocking: BlockingClient | None = None
        self._copy: object = None
        self._follows = False
        self._limiters: Any = None  # one over the threads of each trio run

    def check(self, key: str, limits: Limits, cost: int) -> Awaitable[Decision]:
        """Return the decision, within a budget."""
        try:
            return self._check(key, limits, cost)
        except NoEventLoop:
            return self._check_elsewhere(key, limits, cost)

    async def _check_elsewhere(self, key: str, limits: Limits, cost: int) -> Decision:
        trio = _running_trio()
        if trio is None:
            why = "its event loop is neither asyncio's nor trio's"
            return self.client.decide_alone(key, limits, cost, why)
        asked = (self._in_threads(trio).check, key, limits, cost)
        decided: Decision = await trio.to_thread.run_sync(*asked, limiter=self._limiter(trio))
        return decided

    def slot(self, key: str, at_most: int) -> AbstractAsyncContextManager[object]:
        """Return one of at most so many slots of a key; see `Client.slot`."""
        if _runs_asyncio():
            return self.client.slot(key, at_most)
        return self._slot_elsewhere(key, at_most)

    @asynccontextmanager
    async def _slot_elsewhere(self, key: str, at_most: int) -> AsyncGenerator[object]:
        trio = _running_trio()
        if trio is None:
            if self.client.fallback.policy is OnUnreachable.CLOSED:
                raise NoSlot(key, at_most, 0, OnUnreachable.CLOSED)
            yield None
            return
        slot = self._in_threads(trio).slot(key, at_most)
        # A thread that is begun is waited for, so none is left with a slot.
        got = await trio.to_thread.run_sync(slot.__enter__, limiter=self._limiter(trio))
        try:
            yield got
        finally:
            slot.__exit__(None, None, None)

    def check_all(
        self, checks: Sequence[tuple[str, Limits, int]]
    ) -> Awaitable[list[Decision | None]]:
        """Return the decisions of several checks, which are charged all or none."""
        if _runs_asyncio():
            return self.client.check_all(checks)
        return self._check_all_elsewhere(checks)

    async def _check_all_elsewhere(
        self, checks: Sequence[tuple[str, Limits, int]]
    ) -> list[Decision | None]:
        trio = _running_trio()
        if trio is None:
            return [await self._check_elsewhere(*check) for check in checks]
        asked = (self._in_threads(trio).check_all, checks)
        decided: list[Decision | None] = await trio.to_thread.run_sync(
            *asked, limiter=self._limiter(trio)
        )
        return decided

    def refund(self, key: str, decision: Decision, limits: Limits | None = None) -> None:
        """Give back what a decision charged; see `Client.refund`."""
        if _runs_asyncio():
            self.client.refund(key, decision, limits)
        elif self._blocking is not None:
            self._blocking.refund(key, decision, limits)

    def record(self, event: str, key: str = "", value: float = 1) -> None:
        """Count an event of the app's own; see `Client.record`. In other loops nothing is kept."""
        if _runs_asyncio():
            self.client.record(event, key, value)
        elif (trio := _running_trio()) is not None:
            self._in_threads(trio).record(event, key, value)
        else:
            recorded(event, key, value)

    async def peek(self, key: str) -> dict[str, int]:
        """Return what a key has spent; see `Client.peek`."""
        spent: dict[str, int] = await self._inspect("peek", key)
        return spent

    async def reset(self, key: str) -> dict[str, int]:
        """Forget what a key has spent; see `Client.reset`."""
        forgotten: dict[str, int] = await self._inspect("reset", key)
        return forgotten

    async def keys(
        self,
        prefix: str = "",
        *,
        identity: str | None = None,
        order: str = "debt",
        most: int = 50,
    ) -> KeyList:
        """Return the first keys in debt; see `Client.keys`."""
        options = {"identity": identity, "order": order, "most": most}
        found: KeyList = await self._inspect("keys", prefix, **options)
        return found

    async def reset_prefix(self, prefix: str, *, everything: bool = False) -> KeysForgotten:
        """Forget what all keys that begin so have spent; see `Client.reset_prefix`."""
        done: KeysForgotten = await self._inspect("reset_prefix", prefix, everything=everything)
        return done

    async def _inspect(self, method: str, key: str, **options: object) -> Any:  # noqa: ANN401 - as the method
        if _runs_asyncio():
            return await getattr(self.client, method)(key, **options)
        trio = _running_trio()
        if trio is None:
            raise Unreachable(key, "its event loop is neither asyncio's nor trio's")
        ask = partial(getattr(self._in_threads(trio), method), key, **options)
        return await trio.to_thread.run_sync(ask, limiter=self._limiter(trio))

    @property
    def fallback(self) -> Fallback:
        """What decides in asyncio when the sidecar doesn't."""
        return self.client.fallback

    def watch_rules(self, copy: object = None, *, follows: bool = False) -> None:
        """Want the rules of the sidecar; see `Client.watch_rules`."""
        self.client.watch_rules(copy, follows=follows)
        self._follows = follows
        self._copy = copy

    def rules(self) -> RuleSet | None:
        """Return the rules of the sidecar; see `Client.rules`. In other loops there are none."""
        if _runs_asyncio():
            return self.client.rules()
        trio = _running_trio()
        if trio is None:
            self.client.watch_rules().unheard("its event loop is neither asyncio's nor trio's")
            return None
        rules = self._in_threads(trio).rules()
        self._limiter(trio)  # with this run what hears of them ends too
        return rules

    def _in_threads(self, trio: Any) -> BlockingClient:  # noqa: ANN401 - as below
        if self._blocking is None:
            log.warning("sidegate: under trio, checks are asked in threads; asyncio is faster")
            self._blocking = BlockingClient(**self._options)
            self._blocking.watch_rules(self._copy, follows=self._follows)
            self._limiters = trio.lowlevel.RunVar("sidegate")
        return self._blocking

    def _limiter(self, trio: Any) -> Any:  # noqa: ANN401 - as below
        """Return what limits the threads of this run, at whose end all connections close."""
        try:
            return self._limiters.get()
        except LookupError:
            limiter = trio.CapacityLimiter(_MAX_THREADS)
            self._limiters.set(limiter)
            trio.lowlevel.spawn_system_task(self._close_at_end, trio)
            return limiter

    async def _close_at_end(self, trio: Any) -> None:  # noqa: ANN401 - as below
        try:
            await trio.sleep_forever()
        finally:
            await self.close_here()

    def count(self, outcome: str) -> None:
        """Count an outcome that the sidecar is to show in its metrics."""
        self.client.count(outcome)

    async def close_here(self) -> None:
        """Close what belongs to the running loop."""
        if _runs_asyncio():
            await self.client.close_here()
        elif self._blocking is not None:
            self._blocking.close()


def within(seconds: float) -> AbstractAsyncContextManager[object]:
    """Return what raises TimeoutError when its body takes longer, in asyncio or in trio.

    It gives what `paused` takes.
    """
    return asyncio.timeout(seconds) if _runs_asyncio() else _within_elsewhere(seconds)


@asynccontextmanager
async def _within_elsewhere(seconds: float) -> AsyncGenerator[object]:
    trio = _running_trio()
    if trio is None:  # what can't be bounded runs: the app's own key, mostly at once
        yield None
        return
    with trio.move_on_after(seconds) as scope:
        yield scope
    if scope.cancelled_caught:
        raise TimeoutError


@contextmanager
def paused(timed: Any) -> Generator[None]:  # noqa: ANN401 - of asyncio or of trio
    """Have the time of a `within` stand still in this block."""
    if isinstance(timed, asyncio.Timeout):
        loop, end = asyncio.get_running_loop(), timed.when()
        left = inf if end is None else end - loop.time()
        timed.reschedule(None)
        try:
            yield
        finally:
            if left < inf and not timed.expired():
                timed.reschedule(loop.time() + left)
    elif timed is not None:  # trio's
        trio = _running_trio()
        left = timed.deadline - trio.current_time()
        timed.deadline = inf
        try:
            yield
        finally:
            timed.deadline = trio.current_time() + left
    else:
        yield


def runs_in_loop() -> bool:
    """Tell whether this is called in a loop that is known: asyncio's, or trio's."""
    return _runs_asyncio() or _running_trio() is not None


def _runs_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _running_trio() -> Any:  # noqa: ANN401 - a module that need not be installed
    """Return the module trio, None unless it runs the present task."""
    trio: Any = sys.modules.get("trio")
    try:
        if trio is not None:
            trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio
