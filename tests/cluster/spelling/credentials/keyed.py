"""The limits under which apps are served that know credentials."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sidegate import Rule, basic_user, bearer, header
from tests.cluster.spelling.credentials.readers import READERS

SPENT_BY: Final = 3  # requests

_KEYS: Final = {"key": header("x-api-key"), "bearer": bearer(), "basic": basic_user()}


def limits(way: str) -> dict[str, Any]:
    """Return the middleware's options for the app of a way."""
    scheme = way.split()[1]
    return {
        "rules": [Rule(way, f"{SPENT_BY}/hour", key=_KEYS[scheme])],
        "trusted_proxies": 1,  # so that each request may come from an address of its own
        "budget": 1.0,  # seconds: the machine may be busy
        "on_unreachable": "closed",
    }


def by_text(frameworks: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Return an app for each framework and each reader of a field's text, by their ways."""
    return {
        (way := f"{framework} {reader}"): build(knows, **limits(way))
        for framework, build in frameworks.items()
        for reader, knows in READERS.items()
    }
