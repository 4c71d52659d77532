"""What a call is answered: a status for each descriptor, fields for the response, refunds. Pure.

A call is over the limit if one of its limits refuses, or all of its quotas are used up. Then it
costs nothing: what its other limits have charged is given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from sidegate.buckets.decision import Decision, Source
from sidegate.client.checks import refund_of
from sidegate.http.headers import (
    CURRENT,
    POLICY,
    SHADOW,
    SOURCE,
    Policy,
    effective_window,
    refusal,
    retry_after,
)
from sidegate_sidecar.fronts.envoy.rls_messages import (
    MAX_UINT32,
    Code,
    DescriptorStatus,
    RateLimitResponse,
)
from sidegate_sidecar.fronts.least_sure import least_sure
from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.limits import Limits
    from sidegate.http.headers import Pair
    from sidegate.protocol.messages import Check
    from sidegate_sidecar.fronts.envoy.rls_asking import LimitQuestion, RlsQuestions

MAX_POLICIES: Final = 1_024  # remembered: more than a file has limits that are busy
_UNITS: Final = {seconds: unit for unit, seconds in UNITS.items()}
_LENGTH: Final = b"content-length"  # Envoy writes it itself


@dataclass(frozen=True, slots=True)
class LimitOutcome:
    """A question with its decision, and whether that is over the limit.

    To look (no hits) is over it where the next hit would be.
    """

    question: LimitQuestion
    decision: Decision

    @property
    def is_over(self) -> bool:
        """Whether it is over its limit, whatever follows from that."""
        if not self.decision.allowed or self.question.never_fits:
            return True
        if self.question.hits or self.decision.source is Source.OPEN:
            return False
        return self.question.limits.is_blocked or self.decision.remaining == 0

    @property
    def as_refused(self) -> Decision:
        """The decision as it is told to people: hits that never fit have no time to wait for."""
        decision, question = self.decision, self.question
        if question.never_fits:
            return Decision(False, decision.limits, question.hits, (), decision.source)
        if decision.allowed:  # it only looked
            return Decision(False, decision.limits, 1, decision.debts, decision.source)
        return decision


@dataclass(frozen=True, slots=True)
class RlsAnswer:
    """What is answered, what is given back, and who decided: the one that is least sure of it."""

    response: RateLimitResponse
    refunds: list[Check]
    source: Source | None  # None: nothing was asked


def answer(questions: RlsQuestions, decisions: Sequence[Decision]) -> RlsAnswer:
    """Return the answer to a call; the decisions are in the order of its questions."""
    outcomes = [
        LimitOutcome(question, decision)
        for question, decision in zip(questions.asked, decisions, strict=True)
    ]
    refusing = _refusing(outcomes)
    source = least_sure(it.decision.source for it in outcomes)
    quotas = [it for it in outcomes if it.question.is_quota]
    headers, body = _fields(outcomes, source), b""
    if refusing:
        more, body = _refusal(refusing)
        headers += more
    response = RateLimitResponse(
        Code.OVER_LIMIT if refusing else Code.OK,
        _statuses(questions, outcomes, refusing),
        headers,
        body,
        [it.question.position for it in quotas if it.is_over] if quotas else None,
    )
    return RlsAnswer(response, _refunds(outcomes) if refusing else [], source)


def malformed(descriptors: int, why: str) -> RlsAnswer:
    """Return the answer to a call about a request that can't be told from others.

    An error would let it through.
    """
    problem = {"type": "about:blank", "title": "Malformed Request", "detail": why}
    body = msgspec.json.encode(problem)
    statuses = [DescriptorStatus(Code.OVER_LIMIT)] * descriptors
    headers = [pair for pair in refusal(0, body) if pair[0] != _LENGTH]
    return RlsAnswer(RateLimitResponse(Code.OVER_LIMIT, statuses, headers, body), [], None)


def _refusing(outcomes: Sequence[LimitOutcome]) -> list[LimitOutcome]:
    """Return those for which the call is refused, none if it isn't."""
    quotas = [it for it in outcomes if it.question.is_quota]
    others = [it for it in outcomes if not (it.question.is_quota or it.question.is_shadow)]
    over = [it for it in others if it.is_over]
    return over + quotas if quotas and all(it.is_over for it in quotas) else over


def _refunds(outcomes: Sequence[LimitOutcome]) -> list[Check]:
    found = (refund_of(it.question.key, it.decision, None) for it in outcomes)
    return [refund[0] for refund in found if refund]


# --- a status for each descriptor


def _statuses(
    questions: RlsQuestions, outcomes: Sequence[LimitOutcome], refusing: Sequence[LimitOutcome]
) -> list[DescriptorStatus]:
    """Of a descriptor with several questions the one that refuses is told of, or has least left."""
    told: dict[int, DescriptorStatus] = {}
    for outcome in outcomes:
        position = outcome.question.position
        status = _status(outcome, Code.OVER_LIMIT if outcome in refusing else Code.OK)
        if position not in told or _weight(status) > _weight(told[position]):
            told[position] = status
    return [told.get(position, status) for position, status in enumerate(questions.unasked)]


def _weight(status: DescriptorStatus) -> tuple[int, int]:
    return status.code, -status.remaining


def _status(outcome: LimitOutcome, code: Code) -> DescriptorStatus:
    question, decision = outcome.question, outcome.decision
    told = outcome.as_refused if outcome.is_over else decision
    at = told.limits.items.index(told.binding[0]) if told.binding else 0
    left = 0 if outcome.is_over or not decision.debts else decision.remaining_of(at)
    reset = effective_window(told, at, left, retry_after(told)) if told.debts else 0
    whole = len(question.limits) == len(told.limits)  # a node's share of several may be fewer
    limit = (question.limits if whole else told.limits).items[at]
    unit = _UNITS.get(limit.window, "")
    return DescriptorStatus(code, limit.tokens, unit, question.name, left, reset)


# --- fields for the response


@lru_cache(maxsize=MAX_POLICIES)
def _policy(rule: str, limits: Limits) -> Policy:
    return Policy(rule, limits)


def _fields(outcomes: Sequence[LimitOutcome], source: Source | None) -> list[Pair]:
    policies: list[bytes] = []
    current: list[bytes] = []
    for it in outcomes:
        policy = _policy(it.question.rule, it.decision.limits)
        policies.append(policy.field[1])
        if it.decision.debts:
            current.append(policy.current(it.decision, retry_after(it.decision)))
    fields = [(POLICY, b", ".join(policies))] if policies else []
    if current:
        fields.append((CURRENT, b", ".join(current)))
    if source is not None and source is not Source.OWNER:
        fields.append((SOURCE, source.encode("ascii")))
    if any(it.question.is_shadow and it.is_over for it in outcomes):
        fields.append((SHADOW, b"denied"))
    return fields


def _refusal(refusing: Sequence[LimitOutcome]) -> tuple[list[Pair], bytes]:
    """Return the fields and the body of a refusal, by the limit that takes longest to pass.

    One that never lets this call pass comes before all others: it is no use to wait.
    """
    told = [(it.question.rule, it.as_refused) for it in refusing]
    rule, decision = max(told, key=lambda it: retry_after(it[1]) or MAX_UINT32)
    policy, retry = _policy(rule, decision.limits), retry_after(decision)
    body = policy.problem(decision, policy.detail(decision, retry))
    return [pair for pair in refusal(retry, body) if pair[0] != _LENGTH], body
