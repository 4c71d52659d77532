"""Keys of values: what callers give, and templates over the arguments of a function. Pure."""

from __future__ import annotations

from inspect import (
    Parameter,
    Signature,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
)
from string import Formatter
from typing import TYPE_CHECKING, Any

from sidegate.errors import shown
from sidegate.protocol.messages import require_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


MAX_KEY_BITS = 2_048  # of a number: more have more digits than a key may have


def key_text(key: object) -> str:
    """Return the text of a key, which is text or a whole number. ValueError; KeyTooLong."""
    text = _text(key)
    if text is None:
        raise ValueError(f"key={shown(key)}: expected text or a whole number")
    try:
        require_key(text)
    except UnicodeEncodeError:
        raise ValueError(f"key={shown(key)}: expected text that UTF-8 has bytes for") from None
    return text


def _text(key: object) -> str | None:
    if isinstance(key, str):
        return key
    if not isinstance(key, int) or isinstance(key, bool):
        return None
    if key.bit_length() > MAX_KEY_BITS:
        raise ValueError("key: expected a whole number with at most 512 digits")
    return str(key)


def asked_keys(keys: Iterable[str | int]) -> dict[str, list[str | int]]:
    """Return some keys by their texts: 42 and "42" have the same. ValueError; KeyTooLong."""
    if isinstance(keys, str):
        raise ValueError(f"keys={shown(keys)}: expected several, such as a list")  # noqa: TRY004  # as for a key
    asked: dict[str, list[str | int]] = {}
    for key in keys:
        asked.setdefault(key_text(key), []).append(key)
    return asked


def require_template(template: object) -> str:
    """Return what a decorator is given as its key. ValueError if it is no text."""
    if not isinstance(template, str) or not template:
        raise ValueError(f'key={shown(template)}: expected a text such as "{{user_id}}"')
    return template


def require_function(function: object, *, may_await: bool) -> None:
    """TypeError for what can't be called for a value that can be kept."""
    if not callable(function):
        why = "expected a function; @classmethod and the like stand above the cache"
        raise TypeError(f"function={shown(function)}: {why}")
    name = getattr(function, "__qualname__", repr(function))
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise TypeError(f"{name} is a generator, which can't be kept; return a list")
    if not may_await and iscoroutinefunction(function):
        raise TypeError(f"{name} is async, which a BlockingCache can't call; use a Cache")


class KeyTemplate:
    """A text such as "{user_id}:{page}", filled in from the arguments of one function.

    ValueError if it names what is no argument of the function.
    """

    def __init__(self, template: str, function: Callable[..., object]) -> None:
        self._template = template
        self._signature = signature(function)
        try:
            self._check(template, function)
        except ValueError as error:
            raise ValueError(f"key={shown(template)}: {error}") from None

    def _check(self, template: str, function: Callable[..., object]) -> None:
        for _, field, spec, conversion in Formatter().parse(template):
            if conversion and conversion not in "sra":
                raise ValueError(f"expected !s, !r or !a, not !{conversion}")
            if field is not None:
                self._require(field, function)
                self._check(spec or "", function)

    def _require(self, field: str, function: Callable[..., object]) -> None:
        name = field.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
        if name not in self._signature.parameters:
            there = ", ".join(self._signature.parameters) or "none"
            who = getattr(function, "__qualname__", repr(function))
            raise ValueError(f"{name!r} is no argument of {who}; there are: {there}")

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Return the key for a call. TypeError for one that the function doesn't take."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return key_text(self._template.format_map(bound.arguments))


def takes_key(function: Callable[..., object]) -> bool:
    """Has a function an argument that must be given? Then it is called with the key."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):  # some that are written in C don't tell
        return False
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return any(it.kind in positional and it.default is Signature.empty for it in parameters)
