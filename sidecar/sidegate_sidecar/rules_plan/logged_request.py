"""LoggedRequest: a request as a line of an access log tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from sidegate.http.request.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class LoggedRequest(Request):
    """`time` is in ns since 1970, and `status` is 0 where the log doesn't say how it ended."""

    __slots__ = ("_client", "_fields", "_method", "_path", "status", "time")

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
        super().__init__(proxies)
        self.time = time
        self.status = status
        self._client = client
        self._method = method
        path = target.partition("?")[0]
        self._path = unquote(path) if "%" in path else path
        self._fields = fields

    def lines(self, name: str) -> list[str]:
        """Return the lines of a header field, nothing if the log doesn't have it."""
        return self._fields.lines(name.lower())

    def names(self) -> list[str]:
        """Return the names of the header fields that the log has."""
        return self._fields.names()

    @property
    def method(self) -> str:
        """GET, POST, …"""
        return self._method

    @property
    def path(self) -> str:
        """The decoded path, without its query; an absolute target or an authority as it came."""
        return self._path

    @property
    def peer(self) -> str:
        """The address that the log gives as the client's."""
        return self._client

    @property
    def raw(self) -> Mapping[str, object]:
        """Nothing: it comes from no server."""
        return {}
