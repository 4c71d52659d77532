"""Functions of an app: its keys, costs, limits and conditions, and what each is called with. Pure.

A function takes the framework's own request, so that it sees what the app sees: the user, the
session, the form. Those of sidegate (`client_ip`, `header`, …) and those whose parameter is
annotated with `sidegate.Request` take that one, which is the same in every framework. A function
without parameters is called without: it asks the framework itself, as Flask's `current_user`.
"""

from __future__ import annotations

from enum import Enum
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Protocol, get_type_hints

from sidegate.errors import shown
from sidegate.http.keys import ClientIP, Header, require_made
from sidegate.http.request.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)

_NOT_OF_A_REQUEST = "expected a function of the request, but its argument is"
_NO_REQUESTS = (str, bytes, int, float, bool)  # slowapi's functions of limits take a key


class BothRequests(Protocol):
    """A request, in both forms."""

    @property
    def request(self) -> Any:  # noqa: ANN401 - whatever the framework has
        """The framework's own."""
        ...

    @property
    def view(self) -> Request:
        """Ours."""
        ...


class _Takes(Enum):
    NOTHING = 0
    OWN = 1  # the framework's own request
    OURS = 2


class AppFunction:
    """A function that an option names. It is called with a request, and `more` arguments."""

    __slots__ = ("_takes", "function")

    def __init__(self, option: str, function: object, more: int = 0) -> None:
        """ValueError if it can't be called so; `option` is named there."""
        if not callable(function):
            raise ValueError(_expected(option, function, more))  # noqa: TRY004 - options raise ValueError by house rule
        require_made(option, function)
        self.function: Callable[..., object] = function
        self._takes = _takes(option, function, more)

    @property
    def is_ours(self) -> bool:
        """Whether it takes `sidegate.Request`, which needs no framework."""
        return self._takes is _Takes.OURS

    def __call__(self, asked: BothRequests, *more: object) -> object:
        """Return what it returns, which may be a coroutine."""
        if self._takes is _Takes.OURS:
            return self.function(asked.view, *more)
        if self._takes is _Takes.OWN:
            return self.function(asked.request, *more)
        return self.function(*more)

    def __repr__(self) -> str:
        return shown(self.function)


def _takes(option: str, function: Callable[..., object], more: int) -> _Takes:
    if isinstance(function, ClientIP | Header):
        return _Takes.OURS
    try:
        parameters = list(signature(function).parameters.values())
    except (TypeError, ValueError):  # of C code: nobody can tell
        return _Takes.OWN
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    required = sum(each.default is Parameter.empty for each in positional)
    unnamed = any(each.kind is Parameter.VAR_POSITIONAL for each in parameters)
    if required > more + 1 or any(_is_needed_by_name(each) for each in parameters):
        raise ValueError(_expected(option, function, more))
    if len(positional) <= more and not unnamed:
        return _Takes.NOTHING
    first = positional[0].name if positional else ""
    kind = _hints(function).get(first)
    if kind is None and first == "key":
        raise ValueError(f"{option}={shown(function)}: {_NOT_OF_A_REQUEST} 'key'")
    for other in _NO_REQUESTS:
        if kind is other:
            said = f"{_NOT_OF_A_REQUEST} {first!r} of type {other.__name__}"
            raise ValueError(f"{option}={shown(function)}: {said}")
    return _Takes.OURS if kind is Request else _Takes.OWN


def _expected(option: str, function: object, more: int) -> str:
    also = " and the decision" if more else ""
    return f"{option}={shown(function)}: expected a function of the request{also}"


def _is_needed_by_name(parameter: Parameter) -> bool:
    return parameter.kind is Parameter.KEYWORD_ONLY and parameter.default is Parameter.empty


def _hints(function: Callable[..., object]) -> dict[str, object]:
    plain = function if hasattr(function, "__code__") else getattr(function, "__call__", function)  # noqa: B004 - its annotations
    try:
        return get_type_hints(plain)
    except Exception:  # noqa: BLE001 - names that only a type checker knows
        return dict(getattr(plain, "__annotations__", {}))
