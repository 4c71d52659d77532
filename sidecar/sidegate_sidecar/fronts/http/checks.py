"""Checks over HTTP: read, decided and answered by the front itself, without the app behind it.

Only a body that isn't a check goes on to the app, which says field by field what is wrong with it.
So an answer has the fields that the app documents; a check takes a tenth of what it takes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import structs

from sidegate.buckets.limits import BY_NAME, parse_limits, require_cost
from sidegate.client.answers import decision
from sidegate.errors import CheckError, RuleNotInForce
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Checks, require_key
from sidegate_sidecar.fronts.http.http11.reply import JSON, Reply, problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.buckets.decision import Decision, Source
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Answers
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.node.node import Node

    TakeReply: TypeAlias = Callable[[Reply], None]


class CheckAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The body of a check, as the app's CheckRequest documents it."""

    key: str
    limits: str
    cost: int = 1


class CheckAnswered(msgspec.Struct, frozen=True, gc=False):
    """The body of its answer, as the app's CheckResponse documents it."""

    allowed: bool
    limits: str
    limit: int
    remaining: int | None
    retry_after: float
    reset_after: float | None
    source: Source
    owner: str


class HttpQuestion(NamedTuple):
    """A check that is in order, with its limits read; in shadow a denial doesn't count."""

    key: str
    limits: Limits
    cost: int
    shadow: bool = False


_decoder = msgspec.json.Decoder(CheckAsked)
_encoder = msgspec.json.Encoder()


class HttpChecks:
    """Answers checks by a node."""

    def __init__(self, node: Node, rules: Callable[[], RuleSet | None]) -> None:
        self._node = node
        self._rules = rules

    def ask(self, body: bytes, take: TakeReply) -> bool:
        """Have a check decided, and the reply taken, now or later; False for what is none."""
        question = self._question(body)
        if question is None:
            return False
        key, limits, cost, _ = question
        budget = int(self._node.budget * 1e6)
        frame = Checks(0, 0, budget, [(key, limits.asked, cost)])
        self._node.decide(frame, lambda answers: take(self._reply(question, answers)))
        return True

    def _question(self, body: bytes) -> HttpQuestion | None:
        """Return what a body asks, None for one that the app has to say more about."""
        try:
            return question_of(_decoder.decode(body), self._rules())
        except (msgspec.DecodeError, ValueError, RuleNotInForce):  # others of ours are ValueErrors
            return None

    def _reply(self, asked: HttpQuestion, answers: Answers) -> Reply:
        try:
            decided = decision(answers, answers.answers[0], asked.limits, asked.cost)
            decided = as_enforced(asked, decided)
        except CheckError as error:  # of an owner that holds something else for good input
            return problem(422, str(error))
        except WireError as error:
            return problem(502, f"the owner of this key makes no sense: {error}")
        owner = self._node.cluster.ring.pair(asked.key)[0]
        return Reply(200, JSON, _encoder.encode(_answered(decided, owner)))


def question_of(asked: CheckAsked, rules: RuleSet | None) -> HttpQuestion:
    """Return what is to be decided. ValueError or RuleNotInForce for what can't be."""
    if asked.limits.startswith(BY_NAME):
        question = _by_name(asked, rules)
    else:
        question = HttpQuestion(asked.key, parse_limits(asked.limits), asked.cost)
    require_key(question.key)
    require_cost(question.cost, question.limits)
    return question


def _by_name(asked: CheckAsked, rules: RuleSet | None) -> HttpQuestion:
    """Return what a rule of the file asks, for whom the key names; the cost is so many requests."""
    name, known = asked.limits.removeprefix(BY_NAME), {} if rules is None else rules.by_name
    if (named := known.get(name)) is None:
        raise RuleNotInForce(name, list(known))
    rule, key, cost = named.question_of(asked.key)
    return HttpQuestion(key, rule.limits, asked.cost * cost, rule.shadow)


def as_enforced(asked: HttpQuestion, decided: Decision) -> Decision:
    """Return a decision as it counts: in shadow all is allowed."""
    return structs.replace(decided, allowed=True) if asked.shadow else decided


def _answered(decided: Decision, owner: str) -> CheckAnswered:
    return CheckAnswered(
        decided.allowed,
        decided.limits.text,
        decided.limit,
        decided.remaining,
        decided.retry_after,
        decided.reset_after,
        decided.source,
        owner,
    )
