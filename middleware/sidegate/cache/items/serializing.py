"""Serializing: values to bytes and back, by msgspec or by two functions; never by pickle. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from sidegate.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Serializer: TypeAlias = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]

_ENCODER = msgspec.msgpack.Encoder()
_CURE = "give type=, if msgspec knows it, or serializer=(to_bytes, from_bytes)"


class Serializing:
    """How values of one kind become bytes. TypeError or ValueError for options that don't do.

    `kind` is a type that msgspec knows; None for what MessagePack has: texts, numbers, None, lists
    and dicts of these.
    """

    def __init__(self, kind: Any = None, serializer: Serializer | None = None) -> None:
        self._serializer = None if serializer is None else _require_two(serializer)
        self._kind = kind
        if self._serializer is None and kind is not None:
            _require_known(kind)
        self._decoder = msgspec.msgpack.Decoder(Any if kind is None else kind)

    def dump(self, value: Any) -> bytes:
        """Return the bytes of a value. TypeError if it can't be brought back from them."""
        if self._serializer is not None:
            data = self._serializer[0](value)
            if type(data) is not bytes:
                raise TypeError(f"serializer: its first function returned {_name(data)}, not bytes")
            return data
        try:
            data = _ENCODER.encode(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise TypeError(
                f"a value of type {_name(value)} can't be kept ({error}): {_CURE}"
            ) from None
        if self._kind is None and (back := self._decoder.decode(data)) != value:
            what = f"a value of type {_name(value)} would come back as {_name(back)}"
            raise TypeError(f"{what}, or its parts would: {_CURE}")
        return data

    def load(self, data: bytes) -> Any:
        """Return the value; any Exception if these are no bytes of one."""
        if self._serializer is not None:
            return self._serializer[1](data)
        return self._decoder.decode(data)


def _name(value: object) -> str:
    return type(value).__name__


def _require_two(serializer: Any) -> Serializer:
    try:
        to_bytes, from_bytes = serializer
    except (TypeError, ValueError):
        to_bytes = from_bytes = None
    if not callable(to_bytes) or not callable(from_bytes):
        expected = "expected two functions, (to_bytes, from_bytes)"
        raise ValueError(f"serializer={shown(serializer)}: {expected}")  # noqa: TRY004  # as any option
    two: Serializer = serializer
    return two


def _require_known(kind: Any) -> None:
    try:
        info = msgspec.inspect.type_info(kind)
    except Exception as error:  # noqa: BLE001 - msgspec says what it wants in several ways
        raise TypeError(f"type={shown(kind)}: {error}") from None
    if isinstance(info, msgspec.inspect.CustomType):
        raise TypeError(
            f"type={shown(kind)}: msgspec doesn't know it; give serializer= as well"
        )  # as any option


def returned_type(function: Callable[..., object]) -> Any:
    """Return the type that a function says it returns, None if it says nothing of use."""
    try:
        kind = get_type_hints(function).get("return")
    except Exception:  # noqa: BLE001 - names that only type checkers know
        return None
    return None if kind in {Any, object} else kind
