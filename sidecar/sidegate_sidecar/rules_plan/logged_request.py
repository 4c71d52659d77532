"""LoggedRequest: a request as a line of an access log tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from sidegate.http.request.told import ToldRequest

if TYPE_CHECKING:
    from sidegate.http.request.proxies import Proxies


class BadLine(ValueError):  # noqa: N818  # named for what is in the log
    """A line that isn't what the log's format says: which value, and what was expected."""


class NoRequest(Exception):  # noqa: N818  # as above
    """A line about a connection that said nothing a server could read as a request."""


class LoggedFields(Protocol):
    """What a line says of header fields. It is read when asked: most rules look at none."""

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field, which is asked for in small letters."""
        ...

    def names(self) -> list[str]:
        """Return the names of the fields that it has, in small letters."""
        ...


class LoggedRequest(ToldRequest):
    """`time` is in ns since 1970, and `status` is 0 where the log doesn't say how it ended.

    The path of an absolute target, or of an authority, is as it came.
    """

    __slots__ = ("_fields", "status", "time")

    def __init__(
        self,
        time: int,
        client: str,
        method: str,
        target: str,
        fields: LoggedFields,
        proxies: Proxies,
        *,
        status: int = 0,
    ) -> None:
        path = target.partition("?")[0]
        super().__init__(method, unquote(path) if "%" in path else path, client, proxies)
        self.time = time
        self.status = status
        self._fields = fields

    def lines(self, name: str) -> list[str]:
        """Return the lines of a header field, nothing if the log doesn't have it."""
        return self._fields.lines(name.lower())

    def names(self) -> list[str]:
        """Return the names of the header fields that the log has."""
        return self._fields.names()
