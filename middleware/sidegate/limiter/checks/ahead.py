"""Asking ahead: at the door, for the route that a request like this one has come to.

A check that waits in a route keeps waiting whatever the framework has made for the request by then.
Of some dozens of requests that is enough to have Python's collector walk the whole app again and
again, which takes as much time as all else that a limiter does (docs/internals/decisions, 0029).
So the door guesses, and the route sees whether it was right, and whether what the question was made
of is still so: a middleware between them may have put another address, or another header, into the
scope. If not, all is given back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sidegate.http.request_limiter import COUNTED
from sidegate.limiter.checks.asking import ask_all, ask_one
from sidegate.limiter.checks.enforcer import PASSED
from sidegate.limiter.checks.planning import NOTHING
from sidegate.limiter.limits.applied import STANDARD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.asgi.types import Scope
    from sidegate.buckets.decision import Decision
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.checks.enforcer import Checked, Enforcer
    from sidegate.limiter.checks.fixed import FixedQuestion
    from sidegate.limiter.checks.planning import KeyQuestion
    from sidegate.limiter.limits.applied import Applied

MAX_GUESSES = 4_096  # paths and methods; a client can ask for any number of a route with an id
MAX_PATH = 256  # characters; longer ones aren't guessed


class Guess(NamedTuple):
    """Where a request will come to: limits in which the app has no say; `stop` is its framework's.

    `fixed` is what to ask about them.
    """

    limits: Sequence[Applied]
    fixed: Sequence[FixedQuestion]
    stop: object


class Arrived(NamedTuple):
    """What a request was at the door, as far as limits, and whose they are, depend on it."""

    path: str
    method: str | None
    client: object
    headers: Sequence[object]
    lines: int  # of the headers then

    def is_still(self, scope: Scope) -> bool:
        """Tell whether nothing between the door and here has changed that."""
        headers = scope.get("headers", ())  # Starlette replaces the list when it is looked at
        return (
            (headers is self.headers or headers == self.headers)
            and len(headers) == self.lines
            and scope.get("client") == self.client
            and scope["path"] == self.path
            and scope.get("method") == self.method
        )


def arrived(scope: Scope) -> Arrived:
    """Return what a request is at the door."""
    headers = scope.get("headers", ())
    about = scope["path"], scope.get("method"), scope.get("client")
    return Arrived(*about, headers, len(headers))


class AskedAhead(NamedTuple):
    """What was asked ahead."""

    guess: Guess
    questions: Sequence[KeyQuestion]
    decisions: Sequence[Decision | None]


class Guesses:
    """Where the requests of a path and method have come to; None if that isn't to be guessed."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str | None], Guess | None] = {}

    def of(self, came: Arrived) -> Guess | None:
        """Return where a request will probably come to, if that is known."""
        return self.known.get(came[:2])

    def learn(
        self,
        came: Arrived,
        limits: Sequence[Applied],
        stop: object,
        enforcer: Enforcer,
        client: Any,  # noqa: ANN401 - a Client, or what the app gave as one
    ) -> None:
        """Note where a request has come to."""
        if came[:2] in self.known or len(came.path) > MAX_PATH:
            return
        if came.method is not None and came.method not in STANDARD:  # made up, and however long
            return
        if len(self.known) >= MAX_GUESSES:
            self.known.clear()
        fixed = enforcer.guessed(limits) if hasattr(client, "refund") else None
        self.known[came[:2]] = Guess(limits, fixed, stop) if fixed else None

    def was_wrong(self, came: Arrived) -> None:
        """Guess no more for requests like this: something else than path and method decides."""
        self.known[came[:2]] = None


async def ask_ahead(
    enforcer: Enforcer,
    client: Any,  # noqa: ANN401 - as above
    current: Current,
    guess: Guess,
) -> AskedAhead | None:
    """Ask about a request before its route is known; None if that is left to the route."""
    if enforcer.is_off(current):
        return None
    questions = enforcer.ask_fixed(current.view, guess.fixed)
    if not questions:
        return None
    try:
        if len(questions) == 1:
            decisions = [await ask_one(client, questions[0])]
        else:
            decisions = await ask_all(client, questions)
    except Exception:  # noqa: BLE001 - the route asks again, and tells of it
        _unpaid(current, questions)
        return None
    return AskedAhead(guess, questions, decisions)


def conclude(enforcer: Enforcer, current: Current, asked: AskedAhead) -> Checked:
    """Return what becomes of a request that has come to the route that it was guessed to."""
    _, questions, decisions = asked
    current.is_enforced = True
    try:
        if enforcer.passes(current, NOTHING, questions, decisions):
            return PASSED
        return enforcer.conclude(current, NOTHING, questions, decisions)
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        return enforcer.failed(current, questions, error)


def take_back(client: Any, current: Current, asked: AskedAhead) -> None:  # noqa: ANN401 - as above
    """Give back what was asked for a route that the request hasn't come to."""
    _unpaid(current, asked.questions)
    for question, decision in zip(asked.questions, asked.decisions, strict=True):
        if decision is not None and decision.allowed:
            client.refund(question.key, decision)


def _unpaid(current: Current, questions: Sequence[KeyQuestion]) -> None:
    """Note that a request hasn't paid for its buckets after all."""
    paid = cast("set[tuple[str, str]]", current.view.raw[COUNTED])
    for question in questions:
        for part in question.parts:
            paid.discard((question.key, part.rule.limits.text))
