"""Keys by their names, as those of django-ratelimit: "ip", "user_or_ip", "header:x-api-key"."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async

from sidegate.http.keys import client_ip
from sidegate.limiter.checks.current import innermost

if TYPE_CHECKING:
    from collections.abc import Callable

_BY_ADDRESS: Final = client_ip()
_ACCESSORS: Final = ("header", "get", "post")


def is_name(key: object) -> bool:
    """Tell whether a key is one of the names that there are."""
    if not isinstance(key, str):
        return False
    accessor, colon, name = key.partition(":")
    return bool(name) and accessor in _ACCESSORS if colon else key in {"ip", "user", "user_or_ip"}


def key_by_name(key: str, *, in_loop: bool = False) -> Callable[..., object]:
    """Return the function of a name; in a loop it never asks a database there."""
    if key == "ip":
        return _BY_ADDRESS
    if key == "user":
        return _auser if in_loop else _user
    if key == "user_or_ip":
        return _auser_or_ip if in_loop else _user_or_ip
    accessor, _, name = key.partition(":")
    if accessor == "header":
        return partial(_header, name)
    return partial(_get if accessor == "get" else _post, name)


def _header(name: str, request: Any) -> str:  # noqa: ANN401  # no types
    return f"{name.lower()}={request.headers.get(name, '')}"


def _get(name: str, request: Any) -> str:  # noqa: ANN401  # no types
    return f"{name}={request.GET.get(name, '')}"


def _post(name: str, request: Any) -> str:  # noqa: ANN401  # no types
    return f"{name}={request.POST.get(name, '')}"


def _user(request: Any) -> str:  # noqa: ANN401  # no types
    return f"user={request.user.pk}"


def _user_or_ip(request: Any) -> str:  # noqa: ANN401  # no types
    return _named(request.user)


async def _auser(request: Any) -> str:  # noqa: ANN401  # no types
    return f"user={(await _user_of(request)).pk}"


async def _auser_or_ip(request: Any) -> str:  # noqa: ANN401  # no types
    return _named(await _user_of(request))


def _named(user: Any) -> str:  # noqa: ANN401  # no types
    if user.is_authenticated:
        return f"user={user.pk}"
    current = innermost()
    assert current is not None  # a check is always of a request
    return _BY_ADDRESS(current.view)


async def _user_of(request: Any) -> Any:  # noqa: ANN401  # no types
    """Return the user; where a database may have to be asked for it, in a thread."""
    if hasattr(request, "auser") and not hasattr(request, "_request"):  # DRF has users of its own
        return await request.auser()
    return await sync_to_async(_loaded)(request)


def _loaded(request: Any) -> Any:  # noqa: ANN401  # no types
    user = request.user
    _ = user.is_authenticated  # it may be lazy
    return user
