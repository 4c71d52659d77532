"""slowapi and sidegate.compat.slowapi as one app has them, and what came of its requests."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from fastapi.testclient import TestClient

from sidegate.compat.slowapi import Limiter

FIELDS: Final = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after")
MODULES: Final = ("", ".errors", ".extension", ".middleware", ".util", ".wrappers")
OURS: Final = "sidegate.compat.slowapi"
THEIRS: Final = "slowapi"


class Answer(NamedTuple):
    """What a client sees of one response."""

    status: int
    body: object
    fields: tuple[float | None, ...]


class Clock:
    """The time that `time.time` tells, which stands still until it is moved on."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Bench:
    """An app with one of the libraries, and a client of it."""

    library: str  # the package that the app imports
    clock: Clock
    middleware: str = "SlowAPIMiddleware"
    options: dict[str, Any] = field(default_factory=dict[str, Any])  # of each Limiter
    app: FastAPI = field(default_factory=FastAPI)

    def __getattr__(self, name: str) -> Any:
        for module in MODULES:
            if found := getattr(importlib.import_module(self.library + module), name, None):
                return found
        raise AttributeError(name)

    def limiter(self, handler: Callable[..., Any] | None = None, **options: Any) -> Limiter:
        """Set a Limiter up, as the pages of slowapi have it; of either kind."""
        options.setdefault("key_func", self.get_remote_address)
        limiter: Limiter = self.Limiter(**self.options, **options)
        limiter.reset()
        self.app.state.limiter = limiter
        answer = handler or self._rate_limit_exceeded_handler
        self.app.add_exception_handler(self.RateLimitExceeded, answer)
        self.app.add_middleware(getattr(self, self.middleware))
        return limiter

    def get(self, path: str, times: int = 1, method: str = "GET", **headers: str) -> list[Answer]:
        """Send requests, and return what came of them."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        client = TestClient(self.app, raise_server_exceptions=False)
        return [_answer(client.request(method, path, headers=sent)) for _ in range(times)]


def _answer(response: Any) -> Answer:
    is_json = response.headers.get("content-type") == "application/json"
    fields = tuple(_number(response.headers.get(name)) for name in FIELDS)
    return Answer(response.status_code, response.json() if is_json else response.text, fields)


def _number(text: str | None) -> float | None:
    """Return a number, or the time of a date.

    With the library limits 5.8 slowapi writes 1800000061.0, and the zone of its dates as -0000.
    """
    if text is None:
        return None
    return (
        parsedate_to_datetime(text).replace(tzinfo=UTC).timestamp() if ":" in text else float(text)
    )
