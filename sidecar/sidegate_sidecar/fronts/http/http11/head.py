"""A request as the front reads it: its head, and with its body, whole.

What is taken is less than RFC 9112 would allow: no line is folded, no name has a blank before its
colon, and there is one Host, one length. So nobody reads something else in it.
"""

from __future__ import annotations

from re import compile as regular
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FORWARDED = ("forwarded", "via", "x-forwarded-for")  # of a proxy, which is itself at loopback
_HERE = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
# Not all of 127.0.0.0/8: a mesh shows what comes from other machines as 127.0.0.6.

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_START: Final = regular(rf"({_WORD}) ([!-~]+) HTTP/([0-9]\.[0-9])")
_NAME: Final = regular(_WORD)
_CONTROL: Final = regular(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")


class MalformedHttp(ValueError):  # noqa: N818  # named for what was sent
    """What isn't HTTP as it is expected here; the text says what was."""


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

    @property
    def awaits_a_word(self) -> bool:
        """Does its sender wait for a word before it sends the body?"""
        return self.version != "1.0" and self.fields.get("expect", "").lower() == "100-continue"


class HttpRequest(Struct, frozen=True):
    """A request with all of its body."""

    head: Head
    body: bytes


def read_head(data: bytes, peer: str) -> Head:
    """Return the head that these bytes are, to the empty line at its end; MalformedHttp if none."""
    text = data.decode("latin-1")
    if _CONTROL.search(text):
        raise MalformedHttp("no control characters")
    first, *lines = text.replace("\r\n", "\n")[:-2].split("\n")
    start = _START.fullmatch(first)
    if start is None:
        raise MalformedHttp("a method, a path and HTTP/1.1 in the first line")
    method, target, version = start.groups()
    fields = _fields(lines)
    if version != "1.0" and "host" not in fields:
        raise MalformedHttp("a Host")
    authority = fields.get("host", "")
    if "://" in target:
        scheme, _, rest = target.partition("://")
        if scheme.lower() in {"http", "https"}:
            authority, slash, path = rest.partition("/")
            target = slash + path or "/"
    return Head(method, target, authority, fields, peer, version)


def _fields(lines: Iterable[str]) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, value = read_field(line)
        if name not in fields:
            fields[name] = value
        elif name == "host":
            raise MalformedHttp("one Host")
        else:
            fields[name] = f"{fields[name]}, {value}"
    return fields


def read_field(line: str) -> tuple[str, str]:
    """Return the name of a field, in lower case, and its value; MalformedHttp if it is none."""
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise MalformedHttp("a name and a colon in each line")
    return name.lower(), value.strip(" \t")
