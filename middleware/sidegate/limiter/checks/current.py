"""Current: the request that is being handled, and what its limits decided, from anywhere in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sidegate.http.request.present import PRESENT
from sidegate.http.request.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import ContextVar, Token

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.http.headers import Pair
    from sidegate.limiter.limits.route_limit import RouteLimit


class Payment(NamedTuple):
    """What a request paid for one limit, which may be given back when it is answered."""

    limit: RouteLimit
    limits: Limits
    key: str
    decision: Decision


class Current:
    """One request and its decisions; outside of a request, and before its check, there are none.

    `limit`, `remaining`, `retry_after` and `reset_after` are those of the decision that matters
    most: the one that refused, else the one with the least left as a share of its burst. Without
    a decision, and where nobody knows, they are None.
    """

    __slots__ = (
        "_request",
        "_view",
        "charged",
        "decisions",
        "fields",
        "is_answered",
        "is_enforced",
        "is_message",
        "is_refused",
        "limiter",
        "meta",
        "outer",
        "root",
    )

    def __init__(
        self, limiter: object, view: Request | None, outer: Current | None = None, root: str = ""
    ) -> None:
        self.limiter = limiter
        self._view = view
        self.root = root
        self.outer = outer  # of another limiter around this one
        self.decisions: Sequence[Decision] = ()
        self.fields: list[Pair] = []  # that belong to the response
        self.charged: list[Payment] = []  # that `charge_when` is to decide about
        self.meta: tuple[str, Limits] | None = None  # whose refusals are counted, by which limits
        self.is_enforced = False  # are rules, and the limits of its route, checked?
        self.is_message = False  # is it a message of a websocket, each of which pays for itself?
        self.is_answered = False  # has the response begun?
        self.is_refused = False
        self._request: Any = None  # made when somebody asks for it

    @property
    def view(self) -> Request:
        """The request as sidegate.Request."""
        if self._view is None:
            self._view = self._seen()
        return self._view

    def _seen(self) -> Request:
        """Return the request as sidegate.Request, where that is made when it is asked for."""
        raise NotImplementedError

    @property
    def method(self) -> str:
        """GET, POST, … in capitals."""
        return self.view.method

    @property
    def path(self) -> str:
        """The path as the client asked for it."""
        return self.view.path

    @property
    def request(self) -> Any:  # noqa: ANN401 - whatever the framework has
        """The request as its framework has it; without a framework it is ours."""
        if self._request is None:
            self._request = self._made()
        return self._request

    @request.setter
    def request(self, request: Any) -> None:  # noqa: ANN401 - as above
        self._request = request

    def _made(self) -> Any:  # noqa: ANN401 - as above
        """Return the request as its framework has it."""
        return self.view

    @property
    def decision(self) -> Decision | None:
        """The decision that matters most."""
        return min(self.decisions, key=_left, default=None)

    @property
    def allowed(self) -> bool:
        """Whether no limit refused the request."""
        return all(decision.allowed for decision in self.decisions)

    @property
    def limit(self) -> int | None:
        """Burst of the limit that matters most."""
        decision = self.decision
        return None if decision is None else decision.limit

    @property
    def remaining(self) -> int | None:
        """Tokens left in the bucket that matters most."""
        decision = self.decision
        return None if decision is None else decision.remaining

    @property
    def retry_after(self) -> float | None:
        """Seconds until the same request can pass; 0.0 if it was allowed."""
        decision = self.decision
        return None if decision is None else decision.retry_after

    @property
    def reset_after(self) -> float | None:
        """Seconds until the bucket that matters most is full."""
        decision = self.decision
        return None if decision is None else decision.reset_after


def _left(decision: Decision) -> tuple[bool, float]:
    remaining = decision.remaining
    return decision.allowed, 1.0 if remaining is None else remaining / decision.limit


class _Outside(Request):
    """The request of who has none."""

    __slots__ = ()

    @property
    def method(self) -> str:
        return ""

    @property
    def path(self) -> str:
        return ""

    @property
    def peer(self) -> str:
        return ""

    @property
    def raw(self) -> Mapping[str, object]:
        return {}

    def lines(self, name: str) -> list[str]:  # noqa: ARG002 - as any request
        return []

    def names(self) -> list[str]:
        return []


class _Nowhere(Current):
    """What is current outside of a request."""

    __slots__ = ()

    def _made(self) -> None:
        """Be the framework's request where there is none."""


def outside(limiter: object) -> Current:
    """Return what is current outside of a request: no request, and no decisions."""
    return _Nowhere(limiter, _Outside())


_PRESENT = cast("ContextVar[Current | None]", PRESENT)  # no one else sets it


begin: Callable[[Current | None], Token[Current | None]] = _PRESENT.set
"""Have a request, or none, be the current one, until `end` with what this returns.

It and `end` are called for each request, so no function of ours stands around them.
"""

end: Callable[[Token[Current | None]], None] = _PRESENT.reset
"""Have the request of before be the current one again."""


def innermost() -> Current | None:
    """Return the current request of whichever limiter stands innermost."""
    return _PRESENT.get()


def around() -> Current | None:
    """Return the request that a new one comes to, of whichever limiter stands innermost.

    Not one that is answered: a server begins the next request of a connection where it has sent the
    end of the one before, with its context variables. Each would hold all that came before it.
    """
    current = _PRESENT.get()
    return None if current is None or current.is_answered else current


def current_of(limiter: object) -> Current | None:
    """Return the current request of a limiter, None outside of one that it saw."""
    current = innermost()
    while current is not None and current.limiter is not limiter:
        current = current.outer
    return current
