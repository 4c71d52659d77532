"""The slots that one request of an ASGI app holds, until its response has ended."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sidegate.errors import shown

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    from sidegate.asgi.types import Message, Send


_LAST = {"websocket.close"}
_BODIES = {"http.response.body", "websocket.http.response.body"}


@runtime_checkable
class GivesSlots(Protocol):
    """A client that has slots."""

    def slot(self, key: str, at_most: int, /) -> AbstractAsyncContextManager[object]:
        """Return one of at most so many slots of a key."""
        ...


def require_slots(client: object) -> GivesSlots:
    """Return a client that gives slots; ValueError for one that doesn't."""
    if isinstance(client, GivesSlots):
        return client
    raise ValueError(f"client={shown(client)}: expected one with slot(), for rules with in_flight")


class RequestSlots:
    """Slots for a block; they are free at its end, or before that as soon as a response is sent.

    What the app does behind its response, as background tasks do, holds none.
    """

    def __init__(self, client: object) -> None:
        self._client = client
        self._stack = AsyncExitStack()

    async def take(self, key: str, at_most: int) -> None:
        """Take one. NoSlot, or a ValueError for a client that gives none."""
        slot = require_slots(self._client).slot(key, at_most)
        await self._stack.enter_async_context(slot)

    async def free(self) -> None:
        """Give back what is held."""
        await self._stack.aclose()

    def ending(self, send: Send) -> Send:
        """Return a `send` that frees them behind the last message of the response."""

        async def send_and_free(message: Message) -> None:
            await send(message)
            kind = message["type"]
            if kind in _LAST or (kind in _BODIES and not message.get("more_body")):
                await self.free()

        return send_and_free

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.free()
