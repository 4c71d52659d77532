"""One FastAPI app under uvicorn, as a process: `python -m bench.contenders.web VARIANT FD STORE`.

The app and the server are the same in all variants; only what limits them differs.
"""

from __future__ import annotations

import socket
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

import uvicorn
from fastapi import FastAPI, Request

from bench.plan import OUT_OF_REACH, THREE, TINY

if TYPE_CHECKING:
    from collections.abc import Callable


async def _home() -> dict[str, bool]:
    return {"ok": True}


async def _home_of_slowapi(request: Request) -> dict[str, bool]:  # noqa: ARG001 -- slowapi wants it
    return {"ok": True}


def _bare(_store: str) -> FastAPI:
    app = FastAPI()
    app.get("/")(_home)
    return app


def _sidegate(store: str, limits: str) -> FastAPI:
    from sidegate import RateLimitMiddleware  # noqa: PLC0415

    app = _bare(store)
    app.add_middleware(RateLimitMiddleware, limits=limits, sidecar=store)
    return app


def _limited(store: str, *routes: str, app_wide: str | None = None) -> FastAPI:
    from sidegate import Limiter  # noqa: PLC0415

    limiter = Limiter(app_wide, sidecar=store)
    app, home = FastAPI(), _home
    for limits in routes:
        home = limiter.limit(limits)(home)
    app.get("/")(home)
    app.add_middleware(limiter.asgi)
    return app


def _slowapi(store: str, limits: str) -> FastAPI:
    slowapi = import_module("slowapi")  # its types don't hold
    address, exceeded = import_module("slowapi.util"), import_module("slowapi.errors")
    app = FastAPI()
    limiter = slowapi.Limiter(key_func=address.get_remote_address, storage_uri=store)
    app.state.limiter = limiter
    on_exceeded = slowapi._rate_limit_exceeded_handler  # noqa: SLF001 -- its docs say so
    app.add_exception_handler(exceeded.RateLimitExceeded, on_exceeded)
    app.get("/")(limiter.limit(limits)(_home_of_slowapi))
    return app


VARIANTS: Final[dict[str, Callable[[str], FastAPI]]] = {
    "bare": _bare,
    "sidegate allowed": lambda store: _sidegate(store, OUT_OF_REACH),
    "sidegate denied": lambda store: _sidegate(store, TINY),
    "Limiter.asgi": lambda store: _limited(store, app_wide=OUT_OF_REACH),
    "decorator": lambda store: _limited(store, OUT_OF_REACH),
    "three decorators": lambda store: _limited(store, *THREE),
    "two keys": lambda store: _limited(store, OUT_OF_REACH, app_wide=OUT_OF_REACH),
    "slowapi allowed": lambda store: _slowapi(store, OUT_OF_REACH),
    "slowapi denied": lambda store: _slowapi(store, TINY),
}


def main() -> None:
    """Serve one variant on a listening socket that the parent process opened."""
    variant, descriptor, store = sys.argv[1:]
    app = VARIANTS[variant](store)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main()
