"""Rates and methods in the words of django-ratelimit: "5/m", "100/5m", "0/s", UNSAFE."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, cast

from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sidegate.buckets.limits import Limit, Limits
from sidegate.errors import shown
from sidegate.http.keys import is_async
from sidegate.http.rules import read_limits
from sidegate.integrations.django.keys import is_name, key_by_name
from sidegate.integrations.django.options import is_dotted

if TYPE_CHECKING:
    from collections.abc import Callable

ALL: Final = (None,)
UNSAFE: Final = ["DELETE", "PATCH", "POST", "PUT"]

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RATE: Final = re.compile(r"([0-9]+)/([0-9]*)([smhd]?)", re.IGNORECASE)
_METHOD: Final = re.compile(r"[A-Za-z-]{1,32}")
_PAIR: Final = 2  # of a rate as a tuple: tokens, and seconds


def read_rate(rate: object) -> Limits | None:
    """Return the limits of a rate, None for none; ImproperlyConfigured if it can't be read."""
    if rate is None:
        return None
    try:
        return _read(rate)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"rate={shown(rate)}: {error}; expected a rate such as '5/m' or '100/5m', None for no"
            " limit, a function of group and request, or the path of one"
        ) from None


def _read(rate: object) -> Limits:
    if isinstance(rate, tuple):
        pair = cast("tuple[object, ...]", rate)
        if len(pair) != _PAIR or not all(type(part) is int for part in pair):
            raise ValueError("a tuple has a count and seconds")
        return Limits((Limit(*cast("tuple[int, int]", pair)),))
    if not isinstance(rate, str):
        raise ValueError(f"it is of type {type(rate).__name__}")  # noqa: TRY004 - told by read_rate
    if match := _RATE.fullmatch(rate.strip()):
        tokens, times, unit = match.groups()
        if times or unit:
            seconds = int(times or 1) * _SECONDS[(unit or "s").lower()]
            return Limits((Limit(int(tokens), seconds),))
    return read_limits(rate)


def rate_function(rate: object, group: str, *, in_loop: bool) -> Callable[..., object] | None:
    """Return the function that a rate is or names, as one of the request; None if it is none."""
    if not (callable(rate) or is_dotted(rate)):
        return None
    given = _of_group("rate", rate, group, in_loop=in_loop)

    def called(request: Any) -> Limits | None:  # noqa: ANN401  # no types
        return read_rate(given(request))

    async def awaited(request: Any) -> Limits | None:  # noqa: ANN401  # no types
        return read_rate(await cast("Any", given(request)))

    return _like(given, awaited if in_loop else called)


def key_function(key: object, group: str, *, in_loop: bool) -> Callable[..., object]:
    """Return the function of a request that a key says; ImproperlyConfigured if it says none."""
    if is_name(key):
        return key_by_name(cast("str", key), in_loop=in_loop)
    if callable(key) or is_dotted(key):
        return _of_group("key", key, group, in_loop=in_loop)
    raise ImproperlyConfigured(
        f"key={shown(key)}: expected 'ip', 'user', 'user_or_ip', 'header:NAME', 'get:NAME',"
        " 'post:NAME', a function of group and request, or the path of one"
    )


def _of_group(option: str, given: object, group: str, *, in_loop: bool) -> Callable[..., object]:
    """Return a function of group and request, or the path of one, as one of the request.

    In a loop it is awaited, and plain functions run in a thread, where they may ask a database. A
    path is imported when it is first called, since it may need Django's apps.
    """
    if callable(given):
        _require_two(option, given)

    def found() -> Any:  # noqa: ANN401  # no types
        return given if callable(given) else import_string(given)

    def call(request: Any) -> object:  # noqa: ANN401  # no types
        function = found()
        asked = async_to_sync(function) if is_async(function) else function
        return asked(group, request)

    async def acall(request: Any) -> object:  # noqa: ANN401  # no types
        function = found()
        asked = function if is_async(function) else sync_to_async(function)
        return await asked(group, request)

    return _like(given, acall if in_loop else call)


def _like(given: object, function: Callable[..., object]) -> Callable[..., object]:
    """Have a function be called in the log what it was made of."""
    function.__qualname__ = getattr(given, "__qualname__", shown(given))
    return function


def _require_two(option: str, function: Callable[..., object]) -> None:
    try:
        signature(function).bind(None, None)
    except TypeError:
        raise ImproperlyConfigured(
            f"{option}={shown(function)}: expected a function of group and request"
        ) from None
    except ValueError:  # of C code: nobody can tell
        return


def read_method(method: object) -> frozenset[str] | None:
    """Return methods in capitals, None for all; ImproperlyConfigured names what is none."""
    listed = [method] if isinstance(method, str) or method is None else method
    if isinstance(listed, Iterable):
        names = list(cast("Iterable[object]", listed))
        if names == [None]:
            return None
        if names and all(isinstance(it, str) and _METHOD.fullmatch(it) for it in names):
            return frozenset(str(name).upper() for name in names)
    raise ImproperlyConfigured(
        f"method={shown(method)}: expected a method such as 'POST', a list of them, UNSAFE or ALL"
    )
