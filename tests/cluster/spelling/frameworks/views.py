"""The views that every framework serves, and the rules that limit them."""

import re
from dataclasses import dataclass
from typing import Final

from sidegate import Rule, client_ip
from sidegate.http.keys import Identity

SEEN: Final = "x-view"  # the field by which a view says that it ran
PICK: Final = "x-app"  # the field by which a client picks an app of a process


@dataclass(frozen=True)
class View:
    """One view: how a client asks for it, and what its rule says of it."""

    name: str
    method: str
    path: str
    declared: str = ""  # by the app, if that isn't its path: what is in braces is a parameter

    def __str__(self) -> str:
        return self.name

    def rule(self, limits: str, key: Identity, under: str) -> Rule:
        """Return the rule that limits it; `under` is written before its path."""
        path = under + re.sub(r"{\w+}", "*", self.declared or self.path)
        return Rule(self.name, limits, path=path, methods=[self.method], key=key)


LIMITED: Final = (
    View("root", "GET", "/"),
    View("login", "POST", "/login"),
    View("account", "POST", "/account/"),  # with the slash with which it is declared
    View("items", "GET", "/v1/items"),  # of a mounted app, an included router, or a blueprint
    View("item", "GET", "/v1/items/7", "/v1/items/{number}"),
    View("user", "POST", "/users/7/delete", "/users/{number}/delete"),
    View("files", "GET", "/files/a", "/files/{rest}"),  # whatever comes, dots and slashes too
)
MOUNT: Final = "/v1"
WEBSOCKET: Final = View("ws", "GET", "/ws")  # served by Starlette only
FREE: Final = View("other", "POST", "/other")  # no rule names it
EXEMPT: Final = ("/healthz", "/static/*")  # no view is there


def rules(limits: str, key: Identity | None = None, under: str = "") -> list[Rule]:
    """Return a rule for each view but the free one, of the view's name."""
    return [view.rule(limits, key or client_ip(), under) for view in (*LIMITED, WEBSOCKET)]


def declared(number: str, rest: str, *, mounted: bool) -> list[tuple[str, str, str]]:
    """Return name, method and path of the views that are under MOUNT, or of all others.

    A framework has its own way to declare a parameter, and one that takes slashes too.
    """
    return [
        (it.name, it.method, path.removeprefix(MOUNT).format(number=number, rest=rest))
        for it in (*LIMITED, FREE)
        for path in [it.declared or it.path]
        if path.startswith(MOUNT) == mounted
    ]


def seen(name: str) -> str:
    """Return the body with which a view answers."""
    return f"seen by {name}"
