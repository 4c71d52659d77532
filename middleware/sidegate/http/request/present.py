"""The present request: a key that is called with a framework's own request finds ours by it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from sidegate.http.request.request import Request


class Seen(Protocol):
    """What a limiter keeps of a request while the app handles it."""

    @property
    def view(self) -> Request:
        """The request as ours."""
        ...


PRESENT: ContextVar[Seen | None] = ContextVar("sidegate", default=None)


def as_ours(request: object) -> Request:
    """Return a request as ours: itself, or the present one. TypeError where there is none."""
    if isinstance(request, Request):
        return request
    present = PRESENT.get()
    if present is None:
        raise TypeError(
            f"{request!r:.80}: expected a sidegate.Request, or to be called in a request that a"
            " Limiter sees: is its middleware there?"
        )
    return present.view
