"""ToldRequest: a request that somebody tells of, and that came to no server here. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.http.request.proxies import NO_PROXIES, Proxies
from sidegate.http.request.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping


class ToldRequest(Request):
    """Its method, decoded path and peer are as they were told; its fields are a subclass's."""

    __slots__ = ("_method", "_path", "_peer")

    def __init__(self, method: str, path: str, peer: str, proxies: Proxies = NO_PROXIES) -> None:
        super().__init__(proxies)
        self._method = method
        self._path = path
        self._peer = peer

    @property
    def method(self) -> str:
        """GET, POST, …"""
        return self._method

    @property
    def path(self) -> str:
        """The decoded path, without its query."""
        return self._path

    @property
    def peer(self) -> str:
        """The address at the other end, as it was told."""
        return self._peer

    @property
    def raw(self) -> Mapping[str, object]:
        """Nothing: it came to no server."""
        return {}
