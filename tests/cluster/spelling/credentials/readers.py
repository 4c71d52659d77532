"""Readers: ways in which code takes a credential out of a request, by the scheme's name.

The tests name them; the apps under test are made of them.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from tests.cluster.spelling.credentials.accounts import (
    knows_by_hand,
    knows_key,
    knows_token,
    split,
    without_prefix,
)

Get: TypeAlias = Callable[[str], str | None]
Knows: TypeAlias = Callable[[Get], bool]


def _key(get: Get) -> bool:
    return knows_key(get("X-Api-Key"))


def _split(get: Get) -> bool:
    return knows_token(split(get("Authorization") or ""))


def _without_prefix(get: Get) -> bool:
    return knows_token(without_prefix(get("Authorization") or ""))


def _by_hand(get: Get) -> bool:
    return knows_by_hand(get("Authorization") or "")


READERS: Final[dict[str, Knows]] = {
    "key text": _key,
    "bearer split": _split,
    "bearer prefix": _without_prefix,
    "basic by hand": _by_hand,
}
"""Code that is handed the text of a field by its framework."""

ASGI_OWN: Final = (
    "fastapi key APIKeyHeader",
    "fastapi key Header()",
    "fastapi bearer HTTPBearer",
    "fastapi basic HTTPBasic",
    "starlette key last line",
    "django key META",
    "quart bearer authorization",
    "quart basic authorization",
    "litestar key parameter",
)
WSGI_OWN: Final = (
    "flask bearer authorization",
    "flask basic authorization",
    "django key META",
)
"""What frameworks read themselves."""


def ways(frameworks: tuple[str, ...], own: tuple[str, ...]) -> list[str]:
    """Return the names of all ways, each of which is an app: framework, scheme, reader."""
    return [f"{framework} {reader}" for framework in frameworks for reader in READERS] + [*own]


ASGI_WAYS: Final = ways(("starlette", "django", "quart", "litestar"), ASGI_OWN)
WSGI_WAYS: Final = ways(("flask", "django"), WSGI_OWN)
