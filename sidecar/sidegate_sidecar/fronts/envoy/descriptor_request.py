"""DescriptorRequest: a descriptor of Envoy's, as the request that its entries tell of. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from sidegate.errors import MalformedRequest
from sidegate.http.request.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADER: Final = "header:"
TRUSTED: Final = "trusted:"
MAX_PATH: Final = 8_192  # characters: to hold one against patterns takes time of the sidecar's loop
_METHOD, _PATH, _HOST, _ADDRESS = "method", "path", "host", "remote_address"


class DescriptorRequest(Request):
    """Entries called method, path, host and remote_address are that of the request.

    All others are header fields: `header:NAME`, or just their name. `trusted:NAME` is one that
    Envoy answers for, in whose place a field of the client's means nothing. Without a host it is
    for the host that the domain is called.
    """

    __slots__ = ("_fields", "_told", "_trusted")

    def __init__(self, domain: str, entries: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self._told: dict[str, str] = {}
        self._fields: dict[str, list[str]] = {}
        self._trusted: dict[str, list[str]] = {}
        for key, value in entries:
            if key in {_METHOD, _PATH, _ADDRESS}:
                self._told[key] = value
            elif key.startswith(TRUSTED):
                name = key.removeprefix(TRUSTED).lower()
                self._trusted.setdefault(name, []).append(value)
            else:
                name = key.removeprefix(HEADER).lower()
                self._fields.setdefault(name, []).append(value)
        self._fields.setdefault(_HOST, [domain])

    def vouches(self, name: str) -> bool:
        """Tell whether Envoy answers for that field itself."""
        return name in self._trusted

    def lines(self, name: str) -> list[str]:
        """Return the lines of a header field."""
        name = name.lower()
        return self._trusted.get(name) or self._fields.get(name, [])

    def names(self) -> list[str]:
        """Return the names of the header fields."""
        return list(dict.fromkeys((*self._fields, *self._trusted)))

    @property
    def method(self) -> str:
        """GET, POST, …; GET where no entry says so."""
        return self._told.get(_METHOD, "").upper() or "GET"

    @property
    def path(self) -> str:
        """The decoded path, without its query; "/" where no entry says so.

        MalformedRequest for one that is too long.
        """
        path = self._told.get(_PATH, "").partition("?")[0]
        if len(path) > MAX_PATH:
            size = f"{len(path):,} characters, expected at most {MAX_PATH:,}"
            raise MalformedRequest(f"the path has {size}")
        return unquote(path) or "/"

    @property
    def peer(self) -> str:
        """The client's address, as Envoy found it; "" where no entry says so."""
        return self._told.get(_ADDRESS, "")

    @property
    def raw(self) -> Mapping[str, object]:
        """Nothing: it came to another server."""
        return {}
