"""Keys of values: what callers give, and templates over the arguments of a function. Pure."""

from __future__ import annotations

from inspect import Parameter, Signature, signature
from string import Formatter
from typing import TYPE_CHECKING, Any

from sidegate.errors import shown
from sidegate.protocol.messages import require_key

if TYPE_CHECKING:
    from collections.abc import Callable


def key_text(key: object) -> str:
    """Return the text of a key, which is text or a whole number. ValueError; KeyTooLong."""
    if isinstance(key, str):
        require_key(key)
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise ValueError(f"key={shown(key)}: expected text or a whole number")


class KeyTemplate:
    """A text such as "{user_id}:{page}", filled in from the arguments of one function.

    ValueError if it names what is no argument of the function.
    """

    def __init__(self, template: object, function: Callable[..., object]) -> None:
        if not isinstance(template, str) or not template:
            raise ValueError(f'key={shown(template)}: expected a text such as "{{user_id}}"')
        self._template = template
        self._signature = signature(function)
        try:
            fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
        except ValueError as error:
            raise ValueError(f"key={shown(template)}: {error}") from None
        for field in fields:
            self._require(field, function)

    def _require(self, field: str, function: Callable[..., object]) -> None:
        name = field.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
        if name not in self._signature.parameters:
            there = ", ".join(self._signature.parameters) or "none"
            who = getattr(function, "__qualname__", repr(function))
            why = f"{name!r} is no argument of {who}; there are: {there}"
            raise ValueError(f"key={shown(self._template)}: {why}")

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
