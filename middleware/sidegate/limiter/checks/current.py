"""Current: the request that is being handled, and what its limits decided, from anywhere in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sidegate.http.request.present import PRESENT, Seen
from sidegate.http.request.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import Token

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
        "_make",
        "_request",
        "charged",
        "decisions",
        "fields",
        "is_answered",
        "is_enforced",
        "is_message",
        "is_refused",
        "limiter",
        "meta",
        "method",
        "outer",
        "path",
        "root",
        "view",
    )

    def __init__(
        self, limiter: object, view: Request, outer: Current | None = None, root: str = ""
    ) -> None:
        self.limiter = limiter
        self.view = view  # the request as sidegate.Request
        self.method = view.method
        self.path = view.path
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
        # The framework's own request, or what makes it; without a framework it is ours.
        self._make: Callable[[], Any] | None = None
        self._request: Any = None

    @property
    def request(self) -> Any:  # noqa: ANN401 - whatever the framework has
        """The request as its framework has it."""
        if self._request is None:
            self._request = self.view if self._make is None else self._make()
        return self._request

    @request.setter
    def request(self, request: Any) -> None:  # noqa: ANN401 - as above
        self._request = request

    def make_by(self, make: Callable[[], Any]) -> None:
        """Have the framework's request be made so when it is asked for, also if it was before."""
        self._make = make
        self._request = None

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


def outside(limiter: object) -> Current:
    """Return what is current outside of a request: no request, and no decisions."""
    current = Current(limiter, _Outside())
    current.make_by(_none)
    return current


def _none() -> None:
    """Be the framework's request where there is none."""


def begin(current: Current) -> Token[Seen | None]:
    """Have a request be the current one, until `end` with what this returns."""
    return PRESENT.set(current)


def end(token: Token[Seen | None]) -> None:
    """Have the request of before be the current one again."""
    PRESENT.reset(token)


def innermost() -> Current | None:
    """Return the current request of whichever limiter stands innermost."""
    return cast("Current | None", PRESENT.get())  # no one else sets it


def around() -> Current | None:
    """Return the request that a new one comes to, of whichever limiter stands innermost.

    Not one that is answered: a server begins the next request of a connection where it has sent the
    end of the one before, with its context variables. Each would hold all that came before it.
    """
    current = innermost()
    return None if current is None or current.is_answered else current


def current_of(limiter: object) -> Current | None:
    """Return the current request of a limiter, None outside of one that it saw."""
    current = innermost()
    while current is not None and current.limiter is not limiter:
        current = current.outer
    return current
