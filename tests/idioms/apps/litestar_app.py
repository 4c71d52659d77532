"""A Litestar app: a plugin limits its handlers."""

from typing import Any

from litestar import Controller, Litestar, Request, get, post
from litestar.params import FromPath

from sidegate.integrations.litestar import LimiterPlugin
from tests.idioms.apps.limiters import limiter_of

limiter = limiter_of("litestar", default_limits="4/day", exempt=["/healthz"])


def limits_of_plan(request: Request[Any, Any, Any]) -> str | None:
    """Return the limits of who asks; None is no limit."""
    return "1/day" if request.headers.get("x-plan") == "free" else None


@get("/healthz", sync_to_thread=False)
def alive() -> str:
    """Say so."""
    return "ok"


@get("/items/{item:int}", sync_to_thread=False)
def item(item: FromPath[int]) -> int:
    """Have the default limits, whatever the number."""
    return item


@get("/decorated")
@limiter.limit("2/day")
async def decorated() -> int | None:
    """Have a limit of its own."""
    return limiter.current.remaining


@get("/plan")
@limiter.limit(limits_of_plan)
async def plan() -> str:
    """Have the limits of a plan."""
    return "ok"


@limiter.limit("2/day", per_method=True)
class Things(Controller):
    """Has a limit on the class."""

    path = "/things"

    @get()
    async def all(self) -> str:
        """Count for itself."""
        return "got"

    @post()
    async def create(self, request: Request[Any, Any, Any]) -> str:
        """Count for itself."""
        return str(request.method)


app = Litestar([alive, item, decorated, plan, Things], plugins=[LimiterPlugin(limiter)])
