"""ProxiedRequest: the request that a proxy asks about, as rules look at it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from sidegate.http.request.told import ToldRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.http.request.proxies import Proxies
    from sidegate_sidecar.fronts.forward_auth.heads import Fields

SECRET: Final = b"sidegate-secret"
"""The field in which a proxy shows the secret: Authorization is the client's."""


class AskingPeer(NamedTuple):
    """A proxy that is believed. `client_by` tells the client by its address and what it says."""

    address: str
    proxies: Proxies
    client_by: Callable[[str, str], str]


class ProxiedRequest(ToldRequest):
    """Its peer is the proxy that asks, and its host the one that the client asked for.

    `host` has the lines of that, which are mostly one; the other fields are those that came, but
    for the secret.
    """

    __slots__ = ("_client_by", "_fields", "_host")

    def __init__(
        self, method: str, target: bytes, host: list[bytes], fields: Fields, peer: AskingPeer
    ) -> None:
        super().__init__(method, _path_of(target), peer.address, peer.proxies)
        self._host = host
        self._fields = fields
        self._client_by = peer.client_by

    def lines(self, name: str) -> list[str]:
        """Return the lines of a header field, in order."""
        field = name.lower().encode("latin-1", "replace")
        if field == b"host":
            return [it.decode("latin-1") for it in self._host]
        if field == SECRET:
            return []
        return [it.decode("latin-1") for it in self._fields.get(field, ())]

    def names(self) -> list[str]:
        """Return the names of the header fields that came."""
        return [it.decode("latin-1") for it in self._fields if it != SECRET]

    @property
    def client(self) -> str:
        """The client's address behind the trusted proxies."""
        return self._client_by(self.peer, self.header("x-forwarded-for"))


def _path_of(target: bytes) -> str:
    """Return the path as ASGI servers show it: without its query, percent signs decoded once."""
    path = target.partition(b"?")[0]
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path.decode("utf-8", "replace") or "/"
