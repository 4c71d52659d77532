"""Asking ahead: at the door, for the route that a request like this one has come to.

A check that waits in a route keeps waiting whatever the framework has made for the request by then.
Of some dozens of requests that is enough to have Python's collector walk the whole app again and
again, which takes as much time as all else that a limiter does (docs/internals/decisions, 0029).
So the door guesses, and the route sees whether it was right, and whether what the question was made
of is still so: a middleware between them may have put another address, or another header, into the
scope. If not, all is given back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from msgspec import Struct

from sidegate.http.paid import PAID, Paid
from sidegate.http.request.proxies import MAX_ADDRESS
from sidegate.limiter.checks.asking import ask_all, ask_one
from sidegate.limiter.checks.enforcer import PASSED
from sidegate.limiter.checks.planning import NOTHING
from sidegate.limiter.limits.applied import STANDARD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.asgi.types import Scope
    from sidegate.buckets.decision import Decision
    from sidegate.http.headers import Pair
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.checks.enforcer import Checked, Enforcer
    from sidegate.limiter.checks.fixed import FixedQuestion
    from sidegate.limiter.checks.planning import KeyQuestion
    from sidegate.limiter.limits.applied import Applied

MAX_GUESSES = 4_096  # paths and methods; a client can ask for any number of a route with an id
MAX_PATH = 256  # characters; longer ones aren't guessed


class Guess(NamedTuple):
    """Where a request will come to: limits in which the app has no say; `stop` is its framework's.

    `fixed` is what to ask about them. If that is one question, and the address of the peer is all
    that it takes, `of_address` gives it. `is_plain`: does no response have a say in the charge?
    """

    limits: Sequence[Applied]
    fixed: Sequence[FixedQuestion]
    stop: object
    of_address: Callable[[str], KeyQuestion] | None
    is_plain: bool


Arrived: TypeAlias = "tuple[str, str | None, object, Sequence[object], int]"
"""Path, method, client, headers and how many they are: what limits, and whose they are, go by.

A plain tuple, of which one is made for each request and compared with what it was at the door.
"""


def arrived(scope: Scope) -> Arrived:
    """Return what a request is here."""
    headers = scope.get("headers", ())  # Starlette replaces the list when it is looked at
    return scope["path"], scope.get("method"), scope.get("client"), headers, len(headers)


class AskedAhead(Struct, frozen=True, gc=False):
    """What was asked ahead. A Struct is made in half the time of a tuple with names.

    `fields` are those of the response if all that was asked passes plainly, as nearly all does.
    """

    guess: Guess
    questions: Sequence[KeyQuestion]
    decisions: Sequence[Decision | None]
    fields: list[Pair] | None


class Guesses:
    """Where the requests of a path and method have come to; None if that isn't to be guessed."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str | None], Guess | None] = {}

    def of(self, scope: Scope) -> Guess | None:
        """Return where a request will probably come to, if that is known."""
        return self.known.get((scope["path"], scope.get("method")))

    def learn(
        self,
        came: Arrived,
        limits: Sequence[Applied],
        stop: object,
        enforcer: Enforcer,
        client: Any,  # noqa: ANN401 - a Client, or what the app gave as one
    ) -> None:
        """Note where a request has come to."""
        path, method, *_ = came
        if (path, method) in self.known or len(path) > MAX_PATH:
            return
        if method is not None and method not in STANDARD:  # made up, and however long
            return
        if len(self.known) >= MAX_GUESSES:
            self.known.clear()
        fixed = enforcer.guessed(limits) if hasattr(client, "refund") else None
        self.known[path, method] = _guess(limits, fixed, stop, method, enforcer) if fixed else None

    def was_wrong(self, came: Arrived) -> None:
        """Guess no more for requests like this: something else than path and method decides."""
        self.known[came[:2]] = None


def _guess(
    limits: Sequence[Applied],
    fixed: Sequence[FixedQuestion],
    stop: object,
    method: str | None,
    enforcer: Enforcer,
) -> Guess:
    by_peer = len(fixed) == 1 and method != "OPTIONS" and enforcer.goes_by_peer  # no preflight
    is_plain = all(one.limit.charge_when is None for one in limits)
    return Guess(limits, fixed, stop, fixed[0].of_address if by_peer else None, is_plain)


def question_at_once(enforcer: Enforcer, guess: Guess, scope: Scope) -> KeyQuestion | None:
    """Return the one question about a request if the address of its peer is all that it takes.

    Nearly all are like that, and nothing needs to be made for them before they are answered.
    """
    of_address, client = guess.of_address, scope.get("client")
    if of_address is None or not client or PAID in scope or enforcer.filters:
        return None
    if not (address := client[0]) or len(address) > MAX_ADDRESS:
        return None
    return of_address(address)


def asked_at_once(
    enforcer: Enforcer, scope: Scope, guess: Guess, question: KeyQuestion, decision: Decision
) -> AskedAhead:
    """Return what was asked ahead, where it was one question."""
    paid: Paid = {}
    for text in guess.fixed[0].texts:
        paid[question.key, text] = question.rule
    scope[PAID] = paid
    return _asked(enforcer, guess, (question,), (decision,))


def _asked(
    enforcer: Enforcer,
    guess: Guess,
    questions: Sequence[KeyQuestion],
    decisions: Sequence[Decision | None],
) -> AskedAhead:
    fields, decision = None, decisions[0]
    if guess.is_plain and len(decisions) == 1 and decision is not None:
        try:
            passing = enforcer.limiter.passing(questions[0].rule, decision)
        except Exception:  # noqa: BLE001 - the long way comes upon it again, and tells of it
            passing = None
        if passing is not None:
            fields = passing.fields
    return AskedAhead(guess, questions, decisions, fields)


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
    return _asked(enforcer, guess, questions, decisions)


def conclude(enforcer: Enforcer, current: Current, asked: AskedAhead) -> Checked:
    """Return what becomes of a request that has come to the route that it was guessed to."""
    questions, decisions = asked.questions, asked.decisions
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
    paid = cast("Paid", current.view.raw[PAID])
    for question in questions:
        for part in question.parts:
            paid.pop((question.key, part.rule.limits.text), None)
