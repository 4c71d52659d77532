"""The servers, by their command lines; all of them serve the same apps."""

from collections.abc import Mapping
from typing import Final

from tests.cluster.spelling.frameworks.limited import ROOT_PATH
from tests.support.processes.services import GREENLETS, GUNICORN, THREADS, UVICORN, App, Sidecar

FOLDER: Final = "tests.cluster.spelling"

_SERVE: Final = f"{FOLDER}.serving"
_HYPERCORN: Final = ("hypercorn", "--bind=127.0.0.1:{port}", "--workers=0", "--log-level=warning")
_GRANIAN: Final = ("granian", "--interface=asginl", "--port={port}", "--log-level=warning")
_DAPHNE: Final = ("daphne", "--bind=127.0.0.1", "--port={port}", "--verbosity=0")

ASGI: Final[dict[str, tuple[str, ...]]] = {
    "uvicorn-h11": (*UVICORN, "--http=h11", "--no-access-log"),
    "uvicorn-httptools": (*UVICORN, "--http=httptools", "--no-access-log"),
    "hypercorn": _HYPERCORN,
    "granian": _GRANIAN,
    "daphne": _DAPHNE,
}
ASGI_UNDER_ROOT: Final[dict[str, tuple[str, ...]]] = {
    "uvicorn-h11": (*ASGI["uvicorn-h11"], f"--root-path={ROOT_PATH}"),
    "hypercorn": (*_HYPERCORN, f"--root-path={ROOT_PATH}"),
    "granian": (*_GRANIAN, f"--url-path-prefix={ROOT_PATH}"),
    "daphne": (*_DAPHNE, f"--root-path={ROOT_PATH}"),
}
_ONE: Final = "--workers=1"  # the last one counts
WSGI: Final[dict[str, tuple[str, ...]]] = {
    "gunicorn-sync": (*GUNICORN, _ONE),
    "gunicorn-gthread": (*THREADS, _ONE),
    "gunicorn-gevent": (*GREENLETS, _ONE),
    "waitress": ("waitress", "--listen=127.0.0.1:{port}", "--threads=8"),
    "wsgiref": (_SERVE, "wsgiref"),
    "werkzeug": (_SERVE, "werkzeug"),
}
WSGI_UNDER_ROOT: Final[dict[str, tuple[str, ...]]] = {
    "gunicorn-sync": (*WSGI["gunicorn-sync"], f"--env=SCRIPT_NAME={ROOT_PATH}"),
    "waitress": (*WSGI["waitress"], f"--url-prefix={ROOT_PATH}"),
}


def serving(
    servers: Mapping[str, tuple[str, ...]],
    target: str,
    sidecar: Sidecar,
    ready_at: str = "/healthz",
) -> dict[str, App]:
    """Return an app a server, not yet started, that serves a target like "module:app"."""
    apps = {name: _app(name, command, target, sidecar) for name, command in servers.items()}
    for app in apps.values():
        app.ready_at = ready_at
    return apps


def _app(name: str, command: tuple[str, ...], target: str, sidecar: Sidecar) -> App:
    rest = (target, "{port}") if command[0] == _SERVE else (target,)
    return App(name, sidecar, *command, *rest)
