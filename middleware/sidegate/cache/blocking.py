"""The cache for threads and greenlets: the same as Cache, without an event loop."""

from __future__ import annotations

import os
import threading
import time
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sidegate.cache.core import CacheCore, log
from sidegate.cache.flights import Flights, Interrupted, aboard, waiting
from sidegate.cache.items.keys import (
    KeyTemplate,
    asked_keys,
    key_text,
    require_function,
    require_template,
    takes_key,
)
from sidegate.cache.items.near import NearCopies
from sidegate.cache.lines import CacheLines
from sidegate.protocol.cache_messages import MAX_CACHE_KEYS, CacheState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from sidegate.cache.core import Kind
    from sidegate.cache.flights import KeyFlight
    from sidegate.cache.items.found import Found
    from sidegate.protocol.cache_messages import CacheForget

P = ParamSpec("P")
T = TypeVar("T")


class BlockingCache(CacheCore):
    """Values that all processes of a service share, for its threads.

        users = BlockingCache("users", ttl="5m")
        user = users.get_or_set(user_id, load_user)

    As `Cache`, but that a stale value is made anew by the caller who finds it, while all others get
    the stale one. The options are those of `CacheCore`, whose `__init__` stands below.
    """

    def _set_up(self) -> None:
        self._pid = os.getpid()
        self._copies = NearCopies(self.name, self._near)
        self._copies_lock = threading.Lock()
        self._lines = CacheLines(self._options, self.name, self._near, self._forget)

    # --- asking

    def get(self, key: str | int, default: Any = None) -> Any:
        """Return the value of a key, which may be stale; `default` if there is none to be had."""
        return self.get_many([key]).get(key, default)

    def get_many(self, keys: Iterable[str | int]) -> dict[str | int, Any]:
        """Return the values that can be had of some keys, each under its key."""
        asked = asked_keys(keys)
        values, missing = self._near_values(asked)
        for at in range(0, len(missing), MAX_CACHE_KEYS):
            some = missing[at : at + MAX_CACHE_KEYS]
            values.update(self._values_in(asked, some, self._look(some)))
        return values

    def get_or_set(self, key: str | int, function: Callable[..., T]) -> T:
        """Return the value of a key; where there is none, what the function returns, and keep it.

        As `Cache.get_or_set`: one thread in the cluster calls it, the others wait.
        """
        require_function(function, may_await=False)
        call = (lambda: function(key)) if takes_key(function) else function
        value: T = self._fill_once(key_text(key), self._kind, call)
        return value

    # --- changing

    def set(
        self,
        key: str | int,
        value: Any,
        ttl: str | float | None = None,
        stale: str | float | None = None,
    ) -> bool:
        """Keep a value, by default as long as the cache says; is it kept? As `Cache.set`."""
        text, kind = key_text(key), self._kind_with(ttl, stale)
        data = self._given_bytes(value, kind)
        try:
            return self._keep(text, kind, data, 0)
        finally:
            self._flights.forget([text])

    def delete(self, *keys: str | int) -> bool:
        """Forget the values of these keys; are they gone? As `Cache.delete`."""
        texts = self._texts(keys)
        try:
            return self._drop(texts)
        finally:
            self._flights.forget(texts)

    def _drop(self, texts: list[str]) -> bool:
        if local := self._local():
            local.drop(texts)
            return True
        lines = self._here()
        self._forget_keys(texts)
        parts = [texts[at : at + MAX_CACHE_KEYS] for at in range(0, len(texts), MAX_CACHE_KEYS)]
        done = [lines.delete(part) for part in parts]
        return all(done)

    def clear(self) -> bool:
        """Forget all values of this namespace, on all nodes; are they gone? As `Cache.clear`."""
        try:
            return self._drop_all()
        finally:
            self._flights.forget()

    def _drop_all(self) -> bool:
        if local := self._local():
            local.drop()
            return True
        lines = self._here()
        self._forget_keys([])
        return lines.clear()

    # --- decorating

    def __call__(
        self,
        key: str,
        *,
        ttl: str | float | None = None,
        stale: str | float | None = None,
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Return a decorator that keeps what a function returns, by a key of its arguments.

        As that of `Cache`.
        """
        text_of_key = require_template(key)

        def decorate(function: Callable[P, T]) -> Callable[P, T]:
            require_function(function, may_await=False)
            template = KeyTemplate(text_of_key, function)
            kind = self._kind_for(function, ttl, stale)

            @wraps(function)
            def keeping(*args: P.args, **kwargs: P.kwargs) -> T:
                text = template.key(args, kwargs)
                value: T = self._fill_once(text, kind, lambda: function(*args, **kwargs))
                return value

            return keeping

        return decorate

    # --- filling

    def _fill_once(self, key: str, kind: Kind, call: Callable[[], Any]) -> Any:
        value, is_there = self._near_value(key, kind)
        if is_there:
            return value
        while True:
            flights = self._flights
            flight, is_mine = flights.join(key)
            if is_mine:
                return self._fly(key, kind, call, flights, flight)
            with waiting(flight) as for_itself:
                if for_itself:
                    return call()
                try:
                    return flight.result()
                except Interrupted:
                    continue

    def _fly(
        self, key: str, kind: Kind, call: Callable[[], Any], flights: Flights, flight: KeyFlight
    ) -> Any:
        try:
            (found,) = self._look([key], self._lease)
            value, is_there = self._value_in(found, kind)
            if found.state is CacheState.HIT and not is_there:  # nobody fills what is fresh
                self._drop([key])
                (found,) = self._look([key], self._lease)
                value, is_there = self._value_in(found, kind)
            if is_there:
                flights.land(key, flight, value)
            if not is_there:
                with waiting(flight), aboard(flight):
                    value = self._make(key, kind, call, found)
                flights.land(key, flight, value)
            elif found.state is CacheState.STALE_FILL:
                value = self._made_anew(key, kind, call, found, value)
        except BaseException as error:
            flights.crash(key, flight, error)
            raise
        return value

    def _made_anew(
        self, key: str, kind: Kind, call: Callable[[], Any], found: Found, stale: Any
    ) -> Any:
        try:
            return self._make(key, kind, call, found)
        except Exception as error:  # noqa: BLE001 - whatever the function raises
            log.warning("cache %s: a stale value isn't made anew: %r", self.name, error)
            return stale

    def _make(self, key: str, kind: Kind, call: Callable[[], Any], found: Found) -> Any:
        """Call the function, and have its value kept if we are to; else give the lease back."""
        data = None
        try:
            value = call()
            if found.token:
                data = self._keep_bytes(value, kind)
            return value
        finally:
            if data is not None:
                self._keep(key, kind, data, found.token)
            elif local := self._local():
                local.release(key, found.token)
            else:
                self._here().release(key, found.token)

    # --- what there is

    def _look(self, keys: list[str], lease: int = 0) -> list[Found]:
        if local := self._local():
            return [local.look(key, fills=lease > 0) for key in keys]
        asked_at = time.monotonic_ns()
        all_found = self._here().get(keys, lease)
        with self._copies_lock:
            for key, found in zip(keys, all_found, strict=True):
                self._copies.keep(key, found, asked_at)
        return all_found

    def _keep(self, key: str, kind: Kind, data: bytes, token: int) -> bool:
        if local := self._local():
            return local.keep(key, token, kind.ttl, kind.stale, data)
        lines = self._here()
        self._forget_keys([key])
        return lines.set(key, token, kind.ttl, kind.stale, data)

    def _copy_of(self, key: str) -> bytes | None:
        self._here().listen()
        with self._copies_lock:
            return self._copies.get(key, time.monotonic_ns())

    def _forget(self, message: CacheForget) -> None:
        self._forget_keys(message.keys)

    def _forget_keys(self, keys: list[str]) -> None:
        with self._copies_lock:
            self._copies.forget(keys)

    # --- its life

    def _here(self) -> CacheLines:
        """Return the lines of this process; new ones in a process that was forked since."""
        if self._pid != os.getpid():
            self._lines.close()
            self._set_up()
        return self._lines

    def close(self) -> None:
        """Close the connections to the sidecar; a later call connects again."""
        self._here().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
