"""A client with an address of its own, which comes by a new connection each time."""

from typing import Any

import httpx2

from tests.support.apps.clients import client


class Caller:
    """Asks one app. A new connection each time lets any of its workers answer."""

    def __init__(self, url: str, address: str) -> None:
        self.url = url
        self._behind = {"x-forwarded-for": address}

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, **request: Any
    ) -> httpx2.Response:
        """Make a request; `request` is what httpx takes, such as `json`."""
        with client(self.url, self._behind | (headers or {})) as fresh:
            return fresh.request(method, path, **request)

    def statuses(self, path: str, times: int, method: str = "GET", **request: Any) -> list[int]:
        """Make the same request so many times, and return the status of each response."""
        return [self.ask(path, method, **request).status_code for _ in range(times)]

    def passed(self, path: str, times: int, method: str = "GET", **request: Any) -> int:
        """Make the same request so many times, and return how many passed, all others being 429.

        Those that pass come first.
        """
        statuses = self.statuses(path, times, method, **request)
        passed = sum(status < 400 for status in statuses)
        assert statuses[passed:] == [429] * (times - passed), statuses
        return passed
