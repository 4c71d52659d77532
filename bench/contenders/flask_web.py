"""One Flask app under gunicorn, as a process: `bench.contenders.flask_web:make(VARIANT, STORE)`.

The app and the server are the same in all variants; only what limits them differs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from flask import Flask

from bench.plan import OUT_OF_REACH, THREE
from sidegate import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable


def _home() -> dict[str, bool]:
    return {"ok": True}


def _bare(_store: str) -> Flask:
    app = Flask("bench")
    app.get("/")(_home)
    return app


def _wsgi(store: str) -> Flask:
    app = _bare(store)
    limited: Any = app  # whose wsgi_app is to be replaced, as Flask documents
    limited.wsgi_app = Limiter(OUT_OF_REACH, sidecar=store).wsgi(app.wsgi_app)
    return app


def _decorated(store: str, *limits: str) -> Flask:
    app = Flask("bench")
    limiter = Limiter(sidecar=store)
    limiter.init_app(app)
    view = _home
    for each in limits:
        view = limiter.limit(each)(view)
    app.get("/")(view)
    return app


def _flask_limiter(store: str) -> Flask:
    module, util = import_module("flask_limiter"), import_module("flask_limiter.util")
    app = Flask("bench")
    limiter = module.Limiter(util.get_remote_address, app=app, storage_uri=store)
    app.get("/")(limiter.limit(OUT_OF_REACH)(_home))
    return app


FLASK_VARIANTS: Final[dict[str, Callable[[str], Flask]]] = {
    "bare": _bare,
    "Limiter.wsgi": _wsgi,
    "decorator": lambda store: _decorated(store, OUT_OF_REACH),
    "three decorators": lambda store: _decorated(store, *THREE),
    "flask-limiter": _flask_limiter,
}


def make(variant: str, store: str) -> Flask:
    """Return the app of a variant, for gunicorn."""
    return FLASK_VARIANTS[variant](store)
