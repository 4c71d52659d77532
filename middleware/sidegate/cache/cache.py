"""The cache for asyncio: values are asked for, filled once in the whole cluster, and kept."""

from __future__ import annotations

from asyncio import CancelledError, Future, current_task, get_running_loop, shield, wrap_future
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from sidegate.cache.core import CacheCore, log
from sidegate.cache.flights import Interrupted, aboard, waiting
from sidegate.cache.items.keys import (
    KeyTemplate,
    asked_keys,
    key_text,
    require_function,
    require_template,
    takes_key,
)
from sidegate.cache.local import LocalSession
from sidegate.cache.loops import CacheLoops
from sidegate.protocol.cache_messages import MAX_CACHE_KEYS, CacheState

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from typing import Self

    from sidegate.cache.core import Kind
    from sidegate.cache.flights import KeyFlight
    from sidegate.cache.items.found import Found
    from sidegate.cache.session import CacheSession

P = ParamSpec("P")
T = TypeVar("T")


class Decorator(Protocol):
    """What a cache makes of a function: a coroutine function with the same arguments."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> Callable[P, Coroutine[Any, Any, T]]: ...


class Cache(CacheCore):
    """Values that all processes of a service share, kept by the sidecars.

        users = Cache("users", ttl="5m")
        user = await users.get_or_set(user_id, load_user)

    It never raises for the sidecar's sake: where no value can be had, functions are called, each
    once in a process at a time. The options are those of `CacheCore`, whose `__init__` stands
    below.
    """

    def _set_up(self) -> None:
        self._loops = CacheLoops(self._options, self.name, self._near)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- asking

    async def get(self, key: str | int, default: Any = None) -> Any:
        """Return the value of a key, which may be stale; `default` if there is none to be had."""
        found = await self.get_many([key])
        return found.get(key, default)

    async def get_many(self, keys: Iterable[str | int]) -> dict[str | int, Any]:
        """Return the values that can be had of some keys, each under its key."""
        asked = asked_keys(keys)
        values, missing = self._near_values(asked)
        for at in range(0, len(missing), MAX_CACHE_KEYS):
            some = missing[at : at + MAX_CACHE_KEYS]
            values.update(self._values_in(asked, some, await self._session().get(some)))
        return values

    @overload
    async def get_or_set(self, key: str | int, function: Callable[..., Awaitable[T]]) -> T: ...
    @overload
    async def get_or_set(self, key: str | int, function: Callable[..., T]) -> T: ...
    async def get_or_set(self, key: str | int, function: Callable[..., Any]) -> Any:
        """Return the value of a key; where there is none, what the function returns, and keep it.

        One process in the cluster calls it, the others wait for that value, for `lease` at most.
        It is called with the key if it has an argument that must be given, and awaited if it
        returns an awaitable; what isn't async runs in the event loop. What it raises is raised here
        and wherever else in this process its value was waited for. Where the caller is cancelled,
        it goes on.
        """
        require_function(function, may_await=True)
        call = (lambda: function(key)) if takes_key(function) else function
        return await self._fill_once(key_text(key), self._kind, call)

    # --- changing

    async def set(
        self,
        key: str | int,
        value: Any,
        ttl: str | float | None = None,
        stale: str | float | None = None,
    ) -> bool:
        """Keep a value, by default as long as the cache says; is it kept?

        ValueError for a value of more than 1 MiB, TypeError for one that has no bytes.
        """
        text, kind = key_text(key), self._kind_with(ttl, stale)
        data = self._given_bytes(value, kind)
        try:
            return await self._session().set(text, 0, kind.ttl, kind.stale, data)
        finally:
            self._flights.forget([text])

    async def delete(self, *keys: str | int) -> bool:
        """Forget the values of these keys, also those that are being made; are they gone?

        False if an owner couldn't be asked: then they may last until their time is over.
        """
        texts = self._texts(keys)
        parts = [texts[at : at + MAX_CACHE_KEYS] for at in range(0, len(texts), MAX_CACHE_KEYS)]
        try:
            done = [await self._session().delete(part) for part in parts]
            return all(done)
        finally:
            self._flights.forget(texts)

    async def clear(self) -> bool:
        """Forget all values of this namespace, on all nodes; are they gone? As with `delete`."""
        try:
            return await self._session().clear()
        finally:
            self._flights.forget()

    # --- decorating

    def __call__(
        self,
        key: str,
        *,
        ttl: str | float | None = None,
        stale: str | float | None = None,
    ) -> Decorator:
        """Return a decorator that keeps what a function returns, by a key of its arguments.

        `key` is a text such as "{user_id}:{page}" with names of arguments, which is looked at when
        the function is decorated. Values come back as what the function says that it returns. A
        function that isn't async becomes one, and runs in the event loop.
        """
        text_of_key = require_template(key)

        def decorate(function: Callable[..., Any]) -> Any:
            require_function(function, may_await=True)
            template = KeyTemplate(text_of_key, function)
            kind = self._kind_for(function, ttl, stale)

            @wraps(function)
            async def keeping(*args: Any, **kwargs: Any) -> Any:
                text = template.key(args, kwargs)
                return await self._fill_once(text, kind, lambda: function(*args, **kwargs))

            return keeping

        return decorate

    # --- filling

    async def _fill_once(self, key: str, kind: Kind, call: Callable[[], Any]) -> Any:
        value, is_there = self._near_value(key, kind)
        if is_there:
            return value
        loop = get_running_loop()
        while True:
            flight, is_mine = self._flights.join(key, loop)
            if is_mine:
                self._begin(key, kind, call, flight, loop)
            with waiting(flight) as for_itself:
                if for_itself:
                    return await _called(call)
                landed: Future[Any] = wrap_future(flight)
                landed.add_done_callback(_look_at)
                try:
                    return await shield(landed)  # who is cancelled doesn't end it for others
                except Interrupted:
                    continue

    def _begin(
        self,
        key: str,
        kind: Kind,
        call: Callable[[], Any],
        flight: KeyFlight,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        task = loop.create_task(self._fly(key, kind, call, flight))
        self._tasks.add(task)  # a loop forgets tasks that nobody holds

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._flights.crash(key, flight, Interrupted())  # unless it has landed

        task.add_done_callback(ended)

    async def _fly(self, key: str, kind: Kind, call: Callable[[], Any], flight: KeyFlight) -> None:
        session = self._session()
        try:
            (found,) = await session.get([key], self._lease)
            value, is_there = self._value_in(found, kind)
            if found.state is CacheState.HIT and not is_there:  # nobody fills what is fresh
                await session.delete([key])
                (found,) = await session.get([key], self._lease)
                value, is_there = self._value_in(found, kind)
            if is_there:
                self._flights.land(key, flight, value)
            if is_there and found.state is not CacheState.STALE_FILL:
                return
            with aboard(flight):
                value = await self._make(session, key, kind, call, found)
            self._flights.land(key, flight, value)
        except CancelledError:
            task = current_task()
            if task is None or task.cancelling():
                raise
            self._flights.cancel(key, flight)  # not we are: something that the function waited for
        except Exception as error:  # noqa: BLE001 - whatever the function raises
            if flight.done():
                log.warning("cache %s: a stale value isn't made anew: %r", self.name, error)
            self._flights.crash(key, flight, error)

    async def _make(
        self,
        session: CacheSession | LocalSession,
        key: str,
        kind: Kind,
        call: Callable[[], Any],
        found: Found,
    ) -> Any:
        """Call the function, and have its value kept if we are to; else give the lease back."""
        data = None
        try:
            value = await _called(call)
            if found.token:
                data = self._keep_bytes(value, kind)
            return value
        finally:
            if data is not None:
                session.fill(key, found.token, kind.ttl, kind.stale, data)
            else:
                session.release(key, found.token)

    # --- what there is

    def _session(self) -> CacheSession | LocalSession:
        local = self._local()
        return self._loops.here() if local is None else LocalSession(local)

    def _copy_of(self, key: str) -> bytes | None:
        return self._loops.here().copy_of(key)

    # --- the end

    async def close(self) -> None:
        """Close the connections to the sidecar; a later call connects again."""
        await self._loops.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _called(call: Callable[[], Any]) -> Any:
    """Return what a function returns, awaited if it has to be."""
    value = call()
    return await value if isawaitable(value) else value


def _look_at(landed: Future[Any]) -> None:
    """Take note of an error, which may be for nobody: all who waited were cancelled."""
    if not landed.cancelled():
        landed.exception()
