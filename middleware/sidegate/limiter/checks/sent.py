"""A sent response: what `charge_when` is shown of a response that went out over ASGI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.asgi.types import Message


class SentResponse:
    """Status and header fields of a response that is about to be sent; its body isn't there yet."""

    def __init__(self, start: Message) -> None:
        self.status_code = int(start.get("status", 101))  # a websocket that was accepted has none
        self.headers = SentHeaders(start)


class SentHeaders(Mapping[str, str]):
    """Header fields by name in any case; of a name that comes twice, the first."""

    def __init__(self, start: Message) -> None:
        self._fields: dict[str, str] = {}
        for name, value in start.get("headers", ()):
            self._fields.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)
