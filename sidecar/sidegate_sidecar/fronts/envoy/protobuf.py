"""Protocol Buffers' bytes, as much of them as a few small messages need. Pure.

A message is fields of a number and a value; who knows a number knows its type. Unknown ones are
passed over, and so are those of another type than was expected, as every reader of them does.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Value: TypeAlias = int | bytes
"""A whole number from 0 up, or bytes: a text, or another message."""

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_WIDTHS: Final = {_FIXED64: 8, _FIXED32: 4}
_LONGEST: Final = 10  # bytes of a number
_MASK64: Final = 2**64 - 1


class ProtobufError(ValueError):
    """Bytes that are no message."""


class FieldReader:
    """Reads messages, and messages within them, of so many fields in all."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def fields(self, data: bytes) -> Iterator[tuple[int, Value]]:
        """Go through the fields of a message; ProtobufError where it is none, or of too many."""
        for field in fields(data):
            self._left -= 1
            if self._left < 0:
                raise ProtobufError(f"more fields than expected, which is at most {self._most:,}")
            yield field


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Go through the fields of a message in their order; ProtobufError where it is none.

    Of those with a fixed width nothing is told: no message here has them.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _number(data, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ProtobufError(f"field {number}: expected a number from 1 to {(1 << 29) - 1}")
        if kind == _VARINT:
            value, at = _number(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _number(data, at)
        elif kind in _WIDTHS:
            size = _WIDTHS[kind]
        else:
            raise ProtobufError(f"field {number} of type {kind}: expected 0, 1, 2 or 5")
        if size > end - at:
            raise ProtobufError(f"field {number} ends after {end - at} of {size} bytes")
        if kind == _BYTES:
            yield number, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[at : at + _LONGEST]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value & _MASK64, at + shift + 1
    raise ProtobufError("a number that doesn't end")


def text(data: bytes) -> str:
    """Return a text, of any bytes: what is no UTF-8 is taken for Latin-1.

    So all that is ASCII in it stays, and is found by patterns. To write such bytes out takes 10 ms
    for the longest field of a stranger's.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


# --- writing: what has its default value isn't written


def whole(number: int, value: int) -> bytes:
    """Return a field with a whole number from 0 up."""
    return _varint(number << 3 | _VARINT) + _varint(value) if value else b""


def message(number: int, data: bytes) -> bytes:
    """Return a field with a message, which is there even if it is empty."""
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def octets(number: int, data: bytes) -> bytes:
    """Return a field with bytes or a text."""
    return message(number, data) if data else b""


def double(number: int, value: float) -> bytes:
    """Return a field with a fraction."""
    return _varint(number << 3 | _FIXED64) + pack("<d", value)


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
