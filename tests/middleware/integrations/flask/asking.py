"""What the tests of Flask share: requests by its own test client."""

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from sidegate.testing import Memory


def ask(
    app: Flask, path: str, times: int = 1, method: str = "GET", **options: Any
) -> list[TestResponse]:
    """Ask an app, each time with a new client, and read all of each response."""
    asked: dict[str, Any] = {"method": method, "buffered": True, **options}
    return [app.test_client().open(path, **asked) for _ in range(times)]


def statuses(
    app: Flask, path: str, times: int = 1, method: str = "GET", **options: Any
) -> list[int]:
    """Ask an app, and return the status of each response."""
    return [answer.status_code for answer in ask(app, path, times, method, **options)]


def spent(memory: Memory) -> dict[str, int]:
    """Return what each key has spent of its one limit."""
    keys = memory.keys()
    return {key: next(iter(memory.spent(key).values())) for key in keys}
