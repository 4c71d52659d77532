"""Limit and LimitGroup: what a limit of a route or of the app is for, and for whom."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sidegate.compat.slowapi.rates import parse_many
from sidegate.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from starlette.requests import Request

    from sidegate.compat.slowapi.rates import RateLimitItem

    StrOrCallableStr: TypeAlias = str | Callable[..., str]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What decorators say of their limits: for whom they are, where, and how much is charged."""

    key_func: Callable[..., Any]
    scope: StrOrCallableStr | None = None
    per_method: bool = False
    methods: Sequence[str] | None = None
    error_message: StrOrCallableStr | None = None
    exempt_when: Callable[..., bool] | None = None
    cost: float | Callable[..., float] = 1
    override_defaults: bool = True
    key_takes_request: bool = field(init=False)
    exempt_takes_request: bool = field(init=False)

    def __post_init__(self) -> None:
        derived = {
            "methods": self.methods and [method.lower() for method in self.methods],
            "key_takes_request": _takes_request(self.key_func),
            "exempt_takes_request": self.exempt_when is not None
            and len(_parameters(self.exempt_when)) == 1,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def key(self, request: Request) -> object:
        """Return who asks."""
        return self.key_func(request) if self.key_takes_request else self.key_func()


class Limit:
    """One rate, `limit`, and its terms; these are attributes of it too."""

    def __init__(self, limit: RateLimitItem, terms: Terms) -> None:
        self.limit = limit
        self.key_func = terms.key_func
        self.per_method = terms.per_method
        self.methods = terms.methods
        self.error_message = terms.error_message
        self.exempt_when = terms.exempt_when
        self.cost = terms.cost
        self.override_defaults = terms.override_defaults
        self.scope = terms.scope
        self.terms = terms

    def is_exempt(self, request: Request | None = None) -> bool:
        """Ask `exempt_when`, which may take the request."""
        if self.exempt_when is None:
            return False
        takes_it = self.terms.exempt_takes_request and request is not None
        return bool(self.exempt_when(request) if takes_it else self.exempt_when())

    def applies_to(self, request: Request) -> bool:
        """Tell whether this limit is for this method, and not exempt."""
        if self.methods is not None and request.method.lower() not in self.methods:
            return False
        return not self.is_exempt(request)

    def scope_at(self, endpoint: str, request: Request) -> str:
        """Return what is counted together: the scope of a shared limit, else the endpoint."""
        scope = self.scope(endpoint) if callable(self.scope) else self.scope
        scope = scope or endpoint
        return f"{scope}:{request.method}" if self.per_method else scope

    def tokens(self, request: Request) -> int:
        """Return what a request costs; fractions are rounded up. ValueError for what is no cost."""
        cost: Any = self.cost(request) if callable(self.cost) else self.cost
        if isinstance(cost, int | float) and 0 <= cost < math.inf:
            return math.ceil(cost)
        raise ValueError(f"cost={shown(cost)}: expected a number from 0 up")


class LimitGroup:
    """The limits of one text, or of a function that returns one, for a request or for none."""

    def __init__(
        self, limit_provider: StrOrCallableStr, terms: Terms, request: Request | None = None
    ) -> None:
        self._provider = limit_provider
        self._terms = terms
        self._request = request

    def with_request(self, request: Request) -> LimitGroup:
        """Return the group for a request, whose key its function may want to know."""
        return LimitGroup(self._provider, self._terms, request)

    def require_valid(self) -> None:
        """Raise LimitError, a ValueError, for a text that no limits can be read from."""
        if not callable(self._provider):
            parse_many(self._provider)

    def __iter__(self) -> Iterator[Limit]:
        text = self._text(self._provider) if callable(self._provider) else self._provider
        return (Limit(rate, self._terms) for rate in parse_many(text))

    def _text(self, provider: Callable[..., str]) -> str:
        if "key" not in _parameters(provider):
            return provider()
        if self._request is None:
            raise ValueError(
                f"limit {shown(provider)}: expected no parameter `key` without a request"
            )
        return provider(self._terms.key(self._request))


def _takes_request(function: Callable[..., Any]) -> bool:
    """Tell whether a function wants the request: by that name, or as what it can't do without."""
    parameters = _parameters(function)
    return "request" in parameters or any(
        it.default is it.empty and it.kind in _POSITIONAL for it in parameters.values()
    )


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except ValueError:  # of what is written in C
        return {}
