"""DescribedRequest: a request that somebody describes on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from sidegate.http.request.proxies import NO_PROXIES, Proxies, parse_ip
from sidegate.http.request.told import ToldRequest
from sidegate_sidecar.cli.options import readers
from sidegate_sidecar.config import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

ONE_PROXY = Proxies(hops=1)  # is believed, and without X-Forwarded-For the client itself


class DescribedRequest(ToldRequest):
    """What a server would show of it; OptionError for what can't be one.

    `is_trusted` has its header fields come from a trusted proxy.
    """

    __slots__ = ("_lines",)

    def __init__(
        self, method: str, path: str, headers: Iterable[str], client: str, *, is_trusted: bool
    ) -> None:
        method = readers.header_name("method", method).upper()
        if not path.startswith("/"):
            raise OptionError("path", path, "expected a path that begins with /")
        if client and parse_ip(client) is None:
            raise OptionError("client", client, "expected an address such as 192.0.2.1")
        proxies = ONE_PROXY if is_trusted else NO_PROXIES
        super().__init__(method, unquote(path.partition("?")[0]), client, proxies)
        self._lines = [readers.header("header", it) for it in headers]

    def lines(self, name: str) -> list[str]:
        """Return the lines of a header field."""
        return [value for field, value in self._lines if field.lower() == name.lower()]

    def names(self) -> list[str]:
        """Return the names of the header fields."""
        return list(dict.fromkeys(field.lower() for field, _ in self._lines))
