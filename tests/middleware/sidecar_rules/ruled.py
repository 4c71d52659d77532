"""Both middlewares and a Limiter beside a client with rules, as if a sidecar had pushed them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from sidegate import Limiter
from sidegate.buckets.decision import Source
from sidegate.ruleset.ruleset import RuleSet
from tests.middleware.ruleset.asked import rules
from tests.support.middleware.asgi_app import App as AsgiApp
from tests.support.middleware.checker import BlockingChecker, Checker
from tests.support.middleware.fronts import Asgi, Wsgi
from tests.support.middleware.wsgi_app import App as WsgiApp

Front: TypeAlias = Asgi | Wsgi

LOGIN = {"name": "login", "match": {"path": "/login"}, "limits": "2/minute"}
API = {"name": "api", "match": {"path": "/api/*"}, "limits": "5/minute"}


class Pushed:
    """What a client has of the sidecar's rules."""

    def __init__(self, found: RuleSet | None) -> None:
        self.found = found
        self.copy: object = None
        self.follows = False
        self.wanted = 0  # how often it was asked for the rules

    def watch_rules(self, copy: object = None, *, follows: bool = False) -> None:
        self.copy, self.follows = copy, follows

    def rules(self) -> RuleSet | None:
        self.wanted += 1
        return self.found


class RuledBlockingChecker(Pushed, BlockingChecker):
    """Decides here, by rules that are as if pushed."""

    def __init__(self, found: RuleSet | None, source: Source = Source.OWNER) -> None:
        Pushed.__init__(self, found)
        BlockingChecker.__init__(self, source)


class RuledChecker(Pushed, Checker):
    """The same for asyncio."""

    def __init__(self, found: RuleSet | None, source: Source = Source.OWNER) -> None:
        Pushed.__init__(self, found)
        Checker.__init__(self, source)


def asgi(found: RuleSet | None, source: Source = Source.OWNER, **options: Any) -> Front:
    """Return an app behind the ASGI middleware."""
    return Asgi(client=RuledChecker(found, source), **_options(options))


def wsgi(found: RuleSet | None, source: Source = Source.OWNER, **options: Any) -> Front:
    """Return an app behind the WSGI middleware."""
    return Wsgi(client=RuledBlockingChecker(found, source), **_options(options))


def limiter_asgi(found: RuleSet | None, source: Source = Source.OWNER, **options: Any) -> Front:
    """Return an app of no framework behind a Limiter, in ASGI."""
    front = Asgi(limits="1/minute")
    front.checker = RuledChecker(found, source)
    limiter = Limiter(client=front.checker, **_options(options))
    front.app = AsgiApp()
    front.limited = limiter.asgi(front.app)
    return front


def limiter_wsgi(found: RuleSet | None, source: Source = Source.OWNER, **options: Any) -> Front:
    """Return an app of no framework behind a Limiter, in WSGI."""
    front = Wsgi(limits="1/minute")
    front.checker = RuledBlockingChecker(found, source)
    front.app = WsgiApp()
    limited: Any = Limiter(client=front.checker, **_options(options)).wsgi(front.app)
    front.limited = limited
    return front


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {"rules": "sidecar", "default": "allow", **options}


Make: TypeAlias = Callable[..., Front]

middlewares = pytest.mark.parametrize("make", [asgi, wsgi])
fronts = pytest.mark.parametrize("make", [asgi, wsgi, limiter_asgi, limiter_wsgi])

__all__ = ["API", "LOGIN", "Front", "Make", "Pushed", "fronts", "middlewares", "rules"]
