"""Both middlewares behind one way to ask, for tests of what they have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.middleware.asgi_app import App as AsgiApp
from tests.support.middleware.asgi_app import http, run
from tests.support.middleware.asgi_app import limit as limit_asgi
from tests.support.middleware.checker import BlockingChecker, Checker
from tests.support.middleware.wsgi_app import App as WsgiApp
from tests.support.middleware.wsgi_app import environ
from tests.support.middleware.wsgi_app import limit as limit_wsgi

Lines = list[tuple[str, str]]


@dataclass
class Answer:
    """What a client got."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def rules(self) -> list[str]:
        """The rules that counted the request, by the names of their policies."""
        policies = self.fields.get("ratelimit-policy", "")
        return [part.split('"')[1] for part in policies.split(", ") if part]


class Asgi:
    """An ASGI app with limits."""

    def __init__(self, **options: Any) -> None:
        self.checker = options.setdefault("client", Checker())
        self.app = AsgiApp()
        self.limited = limit_asgi(self.app, **options)

    async def ask(
        self,
        path: str = "/",
        method: str = "GET",
        lines: Lines | None = None,
        root: str = "",
        peer: str = "192.0.2.1",
    ) -> Answer:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in lines or []]
        scope = http(root + path, method, peer, headers=headers, root_path=root)
        start, body = await run(self.limited, scope)
        lines_sent = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], joined(lines_sent), body["body"])


class Wsgi:
    """A WSGI app with limits."""

    def __init__(self, **options: Any) -> None:
        self.checker = options.setdefault("client", BlockingChecker())
        self.app = WsgiApp()
        self.limited = limit_wsgi(self.app, **options)

    async def ask(
        self,
        path: str = "/",
        method: str = "GET",
        lines: Lines | None = None,
        root: str = "",
        peer: str = "192.0.2.1",
    ) -> Answer:
        variables: dict[str, str] = {"SCRIPT_NAME": root, "REMOTE_ADDR": peer}
        for name, value in lines or []:
            variable = f"HTTP_{name.upper().replace('-', '_')}"
            before = variables.get(variable)
            variables[variable] = f"{before},{value}" if before else value
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], *_: object
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return lambda _: None

        body = self.limited(environ(path, method, **variables), start_response)
        status, headers = started[-1]
        return Answer(int(status[:3]), joined(headers), b"".join(body))


def joined(lines: Lines) -> dict[str, str]:
    """Return the lines of a response by their names in small letters."""
    fields: dict[str, str] = {}
    for name, value in lines:
        before = fields.get(name.lower())
        fields[name.lower()] = f"{before}, {value}" if before else value
    return fields
