"""Requests of httpx and httpx2 that wait for their turn, by the host that they ask.

    httpx.AsyncClient(transport=AsyncRateLimitedTransport("20/second"))
    httpx.Client(event_hooks={"request": [RequestHook("20/second")]})

Neither library is imported by name: a request tells which of them made it.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, TypeVar, Unpack

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import require_client
from sidegate.client.waiting.wait_queue import deadline_of
from sidegate.errors import require_known, shown
from sidegate.http.keys import is_async
from sidegate.http.rules import read_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from sidegate.buckets.limits import Limits

    # Of either library: they fit where httpx wants one, and where httpx2 does.
    AnyTransport: TypeAlias = Any
    AnyRequest: TypeAlias = Any
    AnyResponse: TypeAlias = Any
else:
    AnyTransport = object

C = TypeVar("C")


class WaitOptions(TypedDict, Generic[C], total=False):
    """The options of all that waits before a request.

    - `key`: a function of the request that returns the key (default: the host that it asks).
    - `cost`: the tokens that a request costs (1).
    - `timeout`: the seconds that it may wait (None: as long as it takes); see `Client.acquire`.
    - `client`: a client that exists, which is shared and not closed; by default one is made that
      takes its options from the environment.
    """

    key: Callable[[AnyRequest], str]
    cost: int
    timeout: float | None
    client: C | None


class _Turns:
    """What each request waits for; ValueError names an option that can't be used."""

    def __init__(self, limits: str | Limits | Iterable[str], options: WaitOptions[C]) -> None:
        require_known("what waits for its turn", options, WaitOptions.__annotations__)
        self._limits = read_limits(limits)
        self._key = _require_key(options.get("key", _host))
        self._cost = _require_cost(options.get("cost", 1), self._limits)
        self._timeout = options.get("timeout")
        deadline_of(self._timeout, 0.0)

    def of(self, request: AnyRequest) -> tuple[str, Limits, int, float | None]:
        """Return the arguments of `acquire` for a request."""
        return self._key(request), self._limits, self._cost, self._timeout


def _require_key(key: Callable[[AnyRequest], str]) -> Callable[[AnyRequest], str]:
    if callable(key) and not is_async(key):
        return key
    raise ValueError(f"key={shown(key)}: expected a plain function of the request")


def _require_cost(cost: object, limits: Limits) -> int:
    burst = limits.smallest_burst
    if isinstance(cost, int) and not isinstance(cost, bool) and 0 <= cost <= burst:
        return cost
    raise ValueError(
        f"cost={shown(cost)}: expected a whole number from 0 to {burst}, the smallest burst of"
        f" {limits.text!r}"
    )


def _require_transport(transport: object, method: str) -> AnyTransport | None:
    """Return a transport that has the method, or None; ValueError for what is none."""
    made = not isinstance(transport, type) and callable(getattr(transport, method, None))
    if transport is None or made:
        return transport
    raise ValueError(
        f"transport={shown(transport)}: expected a transport, which has {method}(), or None"
    )


def _host(request: AnyRequest) -> str:
    return str(request.url.host)


class RequestHook:
    """A hook for the event `request` of a blocking client; see WaitOptions.

    It returns when the request may go, and raises WaitTooLong if that would be too late.
    """

    def __init__(
        self, limits: str | Limits | Iterable[str], **options: Unpack[WaitOptions[BlockingClient]]
    ) -> None:
        self._turns = _Turns(limits, options)
        given = require_client(options.get("client"), BlockingClient)
        self._owns = given is None
        self._client = given or BlockingClient()

    def __call__(self, request: AnyRequest) -> None:
        """Called before each request, also before one that follows a redirect."""
        self._client.acquire(*self._turns.of(request))

    def close(self) -> None:
        """Close the client that it made, if it made one."""
        if self._owns:
            self._client.close()


class AsyncRequestHook:
    """A hook for the event `request` of an asyncio client; see WaitOptions and RequestHook."""

    def __init__(
        self, limits: str | Limits | Iterable[str], **options: Unpack[WaitOptions[Client]]
    ) -> None:
        self._turns = _Turns(limits, options)
        given = require_client(options.get("client"), Client)
        self._owns = given is None
        self._client = given or Client()

    async def __call__(self, request: AnyRequest) -> None:
        """Called before each request, also before one that follows a redirect."""
        await self._client.acquire(*self._turns.of(request))

    async def aclose(self) -> None:
        """Close the client that it made, if it made one."""
        if self._owns:
            await self._client.close()


class RateLimitedTransport(AnyTransport):  # type: ignore[misc]  # see there
    """A transport whose requests wait first; see WaitOptions and RequestHook.

    `transport` sends them (default: an HTTPTransport of the library that made the request).
    """

    def __init__(
        self,
        limits: str | Limits | Iterable[str],
        transport: AnyTransport | None = None,
        **options: Unpack[WaitOptions[BlockingClient]],
    ) -> None:
        self._transport = _require_transport(transport, "handle_request")
        self._lock = threading.Lock()  # over the line above
        self._hook = RequestHook(limits, **options)

    def handle_request(self, request: AnyRequest) -> AnyResponse:
        """Send a request when it may go, and return its response."""
        self._hook(request)
        with self._lock:
            if self._transport is None:
                self._transport = _default("HTTPTransport", request)
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close the transport below, and the client that was made."""
        try:
            if self._transport is not None:
                self._transport.close()
        finally:
            self._hook.close()

    def __enter__(self) -> Self:
        if self._transport is not None:
            self._transport.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if self._transport is not None:
                self._transport.__exit__(*error)
        finally:
            self._hook.close()


class AsyncRateLimitedTransport(AnyTransport):  # type: ignore[misc]  # see there
    """A transport for asyncio whose requests wait first; see RateLimitedTransport."""

    def __init__(
        self,
        limits: str | Limits | Iterable[str],
        transport: AnyTransport | None = None,
        **options: Unpack[WaitOptions[Client]],
    ) -> None:
        self._transport = _require_transport(transport, "handle_async_request")
        self._hook = AsyncRequestHook(limits, **options)

    async def handle_async_request(self, request: AnyRequest) -> AnyResponse:
        """Send a request when it may go, and return its response."""
        await self._hook(request)
        if self._transport is None:
            self._transport = _default("AsyncHTTPTransport", request)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport below, and the client that was made."""
        try:
            if self._transport is not None:
                await self._transport.aclose()
        finally:
            await self._hook.aclose()

    async def __aenter__(self) -> Self:
        if self._transport is not None:
            await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            if self._transport is not None:
                await self._transport.__aexit__(*error)
        finally:
            await self._hook.aclose()


def _default(name: str, request: AnyRequest) -> AnyTransport:
    """Return a new transport of the library that a request is of."""
    library = type(request).__module__.partition(".")[0]
    return getattr(import_module(library), name)()
