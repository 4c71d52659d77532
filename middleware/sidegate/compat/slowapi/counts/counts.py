"""Where limits are counted: in this process, or by the sidecar. Each has a `Storage` of its own."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from sidegate.asgi.other_loops import AnyLoop
from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, OnUnreachable, Source
from sidegate.client.answers import spent
from sidegate.client.blocking import BlockingClient
from sidegate.client.config import log_once
from sidegate.client.unreachable.fallback import MAX_MEMORY, SWEPT
from sidegate.errors import CheckError, require_known, shown
from sidegate.forks import begins_in_children

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from typing import TypeAlias

    from sidegate.buckets.limits import Limits

    Wanted: TypeAlias = tuple[str, Limits, int]

SIDECAR = "sidegate://"
SOCKET = "sidegate+unix://"
MEMORY = frozenset({"memory://", "async+memory://", "sidegate+memory://"})
_OPTIONS = ("sidecar", "budget", "on_unreachable", "secret", "tls", "otel", "lease")
_EXPECTED = (
    f'{SIDECAR}HOST:PORT or {SOCKET}/PATH of a sidecar, or "memory://" for limits of this process'
    " alone; sidegate needs no Redis, Memcached or MongoDB"
)


class HitCounts(Protocol):
    """Keeps what keys have spent. Several checks at a time are charged all, or none of them."""

    def check_all(self, checks: Sequence[Wanted]) -> Sequence[Decision | None]:
        """Decide checks from a thread; None for one that wasn't asked since another is denied."""
        ...

    def check_all_in_loop(self, checks: Sequence[Wanted]) -> Awaitable[Sequence[Decision | None]]:
        """Decide checks from an event loop, as `check_all` does."""
        ...

    def peek(self, key: str) -> Mapping[str, int]:
        """Return what a key has spent, by the text of the limit."""
        ...

    def reset(self, prefix: str, /) -> None:
        """Forget what all keys have spent that begin so."""
        ...


class ProcessCounts:
    """HitCounts of this process alone, by `time.time`: so tests may freeze it, and set it."""

    def __init__(self) -> None:
        self._buckets = BucketTable(MAX_MEMORY)
        self._lock = threading.Lock()
        begins_in_children(self)

    def check_all(self, checks: Sequence[Wanted]) -> Sequence[Decision | None]:
        """Decide checks; when one is denied, what those before it were charged is given back."""
        made: list[Decision | None] = []
        with self._lock:
            now = _now()
            self._buckets.sweep(now, SWEPT * len(checks))
            for at, (key, limits, cost) in enumerate(checks):
                allowed, debts = self._buckets.take(key, limits, cost, now)
                made.append(Decision(allowed, limits, cost, debts, Source.MEMORY))
                if not allowed:
                    for before in checks[:at]:
                        self._buckets.refund(*before, now)
                    break
        return [*made, *[None] * (len(checks) - len(made))]

    async def check_all_in_loop(self, checks: Sequence[Wanted]) -> Sequence[Decision | None]:
        """Decide checks at once."""
        return self.check_all(checks)

    def peek(self, key: str) -> Mapping[str, int]:
        """Return what a key has spent, by the text of the limit."""
        with self._lock:
            return spent(self._buckets.held(key, _now()))

    def reset(self, _prefix: str) -> None:
        """Forget everything."""
        with self._lock:
            self._buckets = BucketTable(MAX_MEMORY)

    def begin_child(self) -> None:
        """Begin in a forked process, where a thread that isn't there may hold the lock."""
        self._lock = threading.Lock()


class SidecarCounts:
    """HitCounts of the sidecar, and with it of the whole cluster."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """ValueError, or for its name TypeError, for an option that no client can have."""
        require_known("storage_options", options, _OPTIONS)
        self._threads = BlockingClient(**options)
        self._loops = AnyLoop(dict(options))  # type: ignore[arg-type] # was checked by the other

    def check_all(self, checks: Sequence[Wanted]) -> Sequence[Decision | None]:
        """Decide checks within a budget, from a thread."""
        try:
            return self._threads.check_all(checks)
        except CheckError as error:
            return self._by_policy(checks, error)

    async def check_all_in_loop(self, checks: Sequence[Wanted]) -> Sequence[Decision | None]:
        """Decide checks within a budget, from an event loop."""
        try:
            return await self._loops.check_all(checks)
        except CheckError as error:
            return self._by_policy(checks, error)

    def _by_policy(self, checks: Sequence[Wanted], error: CheckError) -> Sequence[Decision]:
        """Return what stands for decisions that the sidecar can't make: no request fails for it."""
        log_once(logging.ERROR, f"sidegate: requests go by on_unreachable, for {error}")
        is_closed = self._threads.fallback.policy is OnUnreachable.CLOSED
        source = Source.CLOSED if is_closed else Source.OPEN
        return [Decision(not is_closed, limits, cost, [], source) for _, limits, cost in checks]

    def peek(self, key: str) -> Mapping[str, int]:
        """Return what a key has spent. Unreachable if the sidecar doesn't answer."""
        return self._threads.peek(key)

    def reset(self, prefix: str) -> None:
        """Forget what keys have spent on all nodes. Unreachable if the sidecar doesn't answer."""
        self._threads.reset_prefix(prefix)


def counts_at(uri: str | None, options: Mapping[str, Any], sidecar: str | None) -> HitCounts:
    """Return where a `storage_uri` has limits counted; ValueError names what can't be.

    None takes the `sidecar` that the environment names, or this process. `options` are those of
    a `Client`.
    """
    if uri in MEMORY or (uri is None and sidecar in {None, "", "memory"}):
        return ProcessCounts()
    if uri is None:
        return SidecarCounts(options)
    if uri.startswith(SIDECAR) and len(uri) > len(SIDECAR):
        return SidecarCounts({**options, "sidecar": uri.removeprefix(SIDECAR)})
    if uri.startswith(SOCKET + "/"):
        return SidecarCounts({**options, "sidecar": f"unix:{uri.removeprefix(SOCKET)}"})
    scheme = uri[: uri.find("://") + 3] if "://" in uri else ""  # the rest may have a password
    raise ValueError(f"storage_uri={shown(scheme)}: expected {_EXPECTED}")


def _now() -> int:
    return int(time.time() * 1e9)
