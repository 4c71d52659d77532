"""Routes: what the HTTP port has, by method and path, who answers it, and who may ask."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from sidegate_sidecar.fronts.http.page.files import FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = "/v1/keys/"  # and a key, which may hold slashes


class Right(Enum):
    """What a call does, and so who may make it."""

    OPEN = "open"  # for probes, scrapes, and pages that say nothing of this cluster
    READ = "read"  # shows keys or names
    CHANGE = "change"


class Answerer(Enum):
    """Who answers a call."""

    FRONT = "front"  # with what it has in memory
    DOCUMENT = "document"  # a page that the app makes once
    FILE = "file"  # of the page at /
    LIVE = "live"  # with events, until the reader goes
    CHECK = "check"  # as soon as it is decided
    APP = "app"


class Route(Struct, frozen=True):
    """A path. `rights` has its methods; HEAD is as GET."""

    place: Answerer
    rights: Mapping[str, Right]

    @property
    def allow(self) -> str:
        """The methods, as the field Allow has them."""
        methods = list(self.rights)
        return ", ".join(methods + ["HEAD"] * ("GET" in methods))

    def right(self, method: str) -> Right | None:
        """Return what a call by that method does, None if there is none."""
        return self.rights.get("GET" if method == "HEAD" else method)


_PAGE = {"GET": Right.OPEN}
_LOOK = {"GET": Right.READ}
_CHANGE = {"POST": Right.CHANGE}
_LOOK_AND_RESET = {"GET": Right.READ, "DELETE": Right.CHANGE}
_KEY = Route(Answerer.APP, _LOOK_AND_RESET)

ROUTES: Mapping[str, Route] = {
    **{path: Route(Answerer.FILE, _PAGE) for path in FILES},
    "/healthz": Route(Answerer.FRONT, _PAGE),
    "/readyz": Route(Answerer.FRONT, _PAGE),
    "/metrics": Route(Answerer.FRONT, _PAGE),
    "/docs": Route(Answerer.DOCUMENT, _PAGE),
    "/redoc": Route(Answerer.DOCUMENT, _PAGE),
    "/openapi.json": Route(Answerer.DOCUMENT, _PAGE),
    "/v1/check": Route(Answerer.CHECK, _CHANGE),
    "/v1/reserve": Route(Answerer.APP, _CHANGE),
    "/v1/commit": Route(Answerer.APP, _CHANGE),
    "/v1/leave": Route(Answerer.APP, _CHANGE),
    "/v1/keys": Route(Answerer.APP, _LOOK_AND_RESET),
    "/v1/live": Route(Answerer.LIVE, _LOOK),
    "/v1/nodes": Route(Answerer.APP, _LOOK_AND_RESET),
    "/v1/owner": Route(Answerer.APP, _LOOK),
    "/v1/report": Route(Answerer.APP, _LOOK),
}


def route_of(path: str) -> Route | None:
    """Return what is at a path, None for nothing."""
    return _KEY if path.startswith(KEYS) else ROUTES.get(path)
