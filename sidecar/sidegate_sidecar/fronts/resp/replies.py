"""Replies as bytes, in the second and the third version of RESP. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OK = b"+OK\r\n"
NOTHING = b"*0\r\n"
MAX_ERROR = 400  # characters: what the other side has said may be in it
_LINES = str.maketrans("\r\n", "  ")


def simple(text: str) -> bytes:
    """Return a short text of ours."""
    return f"+{text}\r\n".encode()


def error(text: str, code: str = "ERR") -> bytes:
    """Return an error: a word for programs, and a sentence for people."""
    return f"-{code} {text[:MAX_ERROR].translate(_LINES)}\r\n".encode("utf-8", "replace")


def integer(number: int) -> bytes:
    """Return a whole number."""
    return b":%d\r\n" % number


def bulk(data: bytes) -> bytes:
    """Return bytes as they are."""
    return b"$%d\r\n%s\r\n" % (len(data), data)


def nothing(version: int) -> bytes:
    """Return that there is no such thing."""
    return b"_\r\n" if version == 3 else b"$-1\r\n"


def mapping(fields: Mapping[str, str | int | None], version: int) -> bytes:
    """Return names with values; a value of None is an empty list."""
    head = b"%%%d\r\n" % len(fields) if version == 3 else b"*%d\r\n" % (2 * len(fields))
    return head + b"".join(bulk(name.encode()) + _value(it) for name, it in fields.items())


def _value(value: str | int | None) -> bytes:
    if value is None:
        return NOTHING
    return integer(value) if isinstance(value, int) else bulk(value.encode())
