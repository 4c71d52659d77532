"""Checks over HTTP: read, decided and answered by the front itself, without the app behind it.

Only a body that isn't a check goes on to the app, which says field by field what is wrong with it.
So an answer has the fields that the app documents; a check takes a tenth of what it takes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sidegate.buckets.limits import parse_limits, require_cost
from sidegate.client.answers import decision
from sidegate.errors import CheckError
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Checks, require_key
from sidegate_sidecar.fronts.http.http11.reply import JSON, Reply, problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.buckets.decision import Decision, Source
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Answers
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
    """A check that is in order, with its limits read."""

    key: str
    limits: Limits
    cost: int


_decoder = msgspec.json.Decoder(CheckAsked)
_encoder = msgspec.json.Encoder()


class HttpChecks:
    """Answers checks by a node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def ask(self, body: bytes, take: TakeReply) -> bool:
        """Have a check decided, and the reply taken, now or later; False for what is none."""
        question = _question(body)
        if question is None:
            return False
        key, limits, cost = question
        budget = int(self._node.budget * 1e6)
        frame = Checks(0, 0, budget, [(key, limits.text, cost)])
        self._node.decide(frame, lambda answers: take(self._reply(question, answers)))
        return True

    def _reply(self, asked: HttpQuestion, answers: Answers) -> Reply:
        try:
            decided = decision(answers, answers.answers[0], asked.limits, asked.cost)
        except CheckError as error:  # of an owner that holds something else for good input
            return problem(422, str(error))
        except WireError as error:
            return problem(502, f"the owner of this key makes no sense: {error}")
        owner = self._node.cluster.ring.pair(asked.key)[0]
        return Reply(200, JSON, _encoder.encode(_answered(decided, owner)))


def _question(body: bytes) -> HttpQuestion | None:
    """Return what a body asks, None for one that the app has to say more about."""
    try:
        asked = _decoder.decode(body)
        require_key(asked.key)
        limits = parse_limits(asked.limits)
        require_cost(asked.cost, limits)
    except (msgspec.DecodeError, ValueError):  # all of ours are ValueErrors, too
        return None
    return HttpQuestion(asked.key, limits, asked.cost)


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
