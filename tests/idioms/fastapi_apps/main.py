"""All of these apps in one process, each under a path."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.idioms.fastapi_apps import dynamic, keys, responses, routes, scopes, sockets, usage


async def alive(_: Request) -> PlainTextResponse:
    """Say so."""
    return PlainTextResponse("ok")


app = Starlette(
    routes=[
        Route("/healthz", alive),
        Mount("/routes", routes.app),
        Mount("/scopes", scopes.app),
        Mount("/keys", keys.app),
        Mount("/dynamic", dynamic.app),
        Mount("/configured", dynamic.configured),
        Mount("/responses", responses.app),
        Mount("/handled", responses.handled),
        Mount("/by-status", responses.by_status),
        Mount("/quiet", responses.quiet),
        Mount("/legacy", responses.legacy),
        Mount("/usage", usage.app),
        Mount("/sockets", sockets.app),
    ]
)
