"""A request as the front reads it: its head, and with its body, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from h11 import Request as Sent

_FORWARDED = ("forwarded", "via", "x-forwarded-for")  # of a proxy, which is itself at loopback
_HERE = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
# Not all of 127.0.0.0/8: a mesh shows what comes from other machines as 127.0.0.6.


class Head(Struct, frozen=True):
    """What stands before the body. `fields` has names in lower case; lines of one name are one."""

    method: str
    target: str  # path and query, as they were sent
    authority: str  # the host that was asked for, by the target or else by Host; may be empty
    fields: Mapping[str, str]
    peer: str  # the address at the other side; empty if it isn't known
    version: str = "1.1"

    @property
    def path(self) -> str:
        """The path, as it was sent."""
        return self.target.partition("?")[0]

    @property
    def has_body(self) -> bool:
        """Does a body follow that isn't empty?"""
        chunked = "transfer-encoding" in self.fields
        return chunked or self.fields.get("content-length", "0").strip("0") != ""

    @property
    def is_last(self) -> bool:
        """Is the connection to be closed after the reply?"""
        said = self.fields.get("connection", "").lower()
        return self.version == "1.0" or "close" in (it.strip() for it in said.split(","))

    @property
    def is_from_here(self) -> bool:
        """Was it sent by this machine, and not passed on by a proxy on it?"""
        return self.peer in _HERE and not any(name in self.fields for name in _FORWARDED)


class HttpRequest(Struct, frozen=True):
    """A request with all of its body."""

    head: Head
    body: bytes


def head_of(sent: Sent, peer: str) -> Head:
    """Return the head that h11 has read."""
    fields = _joined((name.decode(), value.decode("latin-1")) for name, value in sent.headers)
    target = sent.target.decode()
    scheme, slashes, rest = target.partition("://")
    authority = fields.get("host", "")
    if slashes and scheme.lower() in {"http", "https"}:
        authority, slash, path = rest.partition("/")
        target = slash + path or "/"
    method, version = sent.method.decode(), sent.http_version.decode()
    return Head(method, target, authority, fields, peer, version)


def _joined(fields: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    joined: dict[str, str] = {}
    for name, value in fields:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
