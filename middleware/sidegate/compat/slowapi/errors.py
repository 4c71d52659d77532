"""RateLimitExceeded: what a route raises whose limits refuse a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from sidegate.compat.slowapi.wrappers import Limit


class RateLimitExceeded(HTTPException):
    """An HTTP exception of status 429, for the app's error handlers.

    - `limit`: the `Limit` that refused; its `limit` has the amount and the window.
    - `detail`: its `error_message`, or its text, as "5 per 1 minute".
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        message = limit.error_message
        detail = message() if callable(message) else message
        super().__init__(status_code=429, detail=detail or str(limit.limit))
