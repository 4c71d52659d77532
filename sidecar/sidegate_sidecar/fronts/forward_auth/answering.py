"""What becomes of a request by the decisions about it: let through or refused, in fields. Pure.

A request has several questions where frameworks read its path differently. It passes if all of its
rules let it pass; else it costs nothing: what the others have charged is given back.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.buckets.decision import Decision, Source, require_on_unreachable
from sidegate.client.answers import decision
from sidegate.client.checks import refund_of
from sidegate.client.unreachable.fallback import Fallback
from sidegate.errors import CheckError
from sidegate.http.headers import CURRENT, POLICY, SHADOW, SOURCE, retry_after
from sidegate.http.request_limiter import RequestLimiter, Verdict
from sidegate.http.settings import HeaderStyle, OnKeyError, Settings
from sidegate.protocol.codec import WireError
from sidegate_sidecar.fronts.least_sure import ALONE, least_sure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import OnUnreachable
    from sidegate.http.evaluation import RuleQuestion
    from sidegate.http.headers import Pair
    from sidegate.http.request.proxies import Proxies
    from sidegate.http.rules import Rule
    from sidegate.protocol.messages import Answer, Answers, Check
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.node.node import Node

MAX_REFUSALS: Final = 1_024  # remembered, 1 MB: of those who are refused most, at present
UNLIMITED: Final = Verdict([])


class AuthAnswer(NamedTuple):
    """What is answered, what is given back, and who decided: the one that is least sure of it."""

    verdict: Verdict
    refunds: list[Check]
    source: Source | None


class AuthAnswering:
    """Answers by one set of rules, on a node. `policy` is its own for what nobody can decide."""

    def __init__(self, rules: RuleSet, node: Node, proxies: Proxies) -> None:
        said = rules.document.defaults.on_unreachable
        policy = require_on_unreachable(said) if said else node.fallback.policy
        self.rules = rules
        self.policy = policy
        self._fallback = Fallback(policy, node.buckets)
        self._node = node
        self._refusals: dict[tuple[Rule, str, Source, int], Verdict] = {}
        self._limiter = RequestLimiter(_settings(policy, node.budget, proxies), lambda: 0.0)

    def decided(self, question: RuleQuestion, answers: Answers, answer: Answer) -> Decision:
        """Return the decision of a question; what nobody could decide goes by the policy."""
        try:
            made = decision(answers, answer, question.rule.limits, question.cost)
        except (CheckError, WireError):
            return self._alone(question)
        if made.source in ALONE and made.source.value != self.policy.value:
            return self._alone(question)
        return made

    def _alone(self, question: RuleQuestion) -> Decision:
        rule, key, cost = question
        node = self._node
        return self._fallback.decide(key, rule.limits, cost, node.cluster.parts, node.clock())

    def answer(
        self, questions: Sequence[RuleQuestion], decisions: Sequence[Decision]
    ) -> AuthAnswer:
        """Return the answer to a request; the decisions are in the order of its questions."""
        if len(questions) == 1:  # nearly all
            made = decisions[0]
            return AuthAnswer(self._verdict(questions[0].rule, made), [], made.source)
        verdicts = [
            self._verdict(question.rule, made)
            for question, made in zip(questions, decisions, strict=True)
        ]
        source = least_sure(it.source for it in decisions)
        refusing = [it for it in verdicts if it.status]
        if not refusing:
            return AuthAnswer(Verdict(_together(verdicts, source)), [], source)
        refunds = [
            refund_of(question.key, made, None)
            for question, made in zip(questions, decisions, strict=True)
        ]
        longest = max(refusing, key=_wait)
        return AuthAnswer(longest, [refund[0] for refund in refunds if refund], source)

    def _verdict(self, rule: Rule, made: Decision) -> Verdict:
        """Return what becomes of a request by one rule.

        Refusals by one limit are the same for a second, whoever is refused, if they cost one token:
        remembered, they take half as long.
        """
        if made.allowed or made.cost != 1 or len(made.debts) != 1:
            return self._limiter.verdict(rule, made)
        which = (rule, made.limits.text, made.source, retry_after(made))
        found = self._refusals.get(which)
        if found is None:
            if len(self._refusals) >= MAX_REFUSALS:
                self._refusals.clear()
            found = self._refusals[which] = self._limiter.verdict(rule, made)
        return found


def _wait(refusal: Verdict) -> float:
    """Return how long a refusal lasts: one that never lets this pass comes before all others."""
    assert refusal.decision is not None  # it refused
    return retry_after(refusal.decision) or inf


def _together(verdicts: Sequence[Verdict], source: Source | None) -> list[Pair]:
    """Return the fields of several that let a request pass, each name once."""
    pairs = [pair for verdict in verdicts for pair in verdict.fields]
    lists = {it: [value for name, value in pairs if name == it] for it in (POLICY, CURRENT)}
    fields = [(name, b", ".join(values)) for name, values in lists.items() if values]
    if source is not None and source is not Source.OWNER:
        fields.append((SOURCE, source.encode("ascii")))
    if any(field == SHADOW for field, _ in pairs):
        fields.append((SHADOW, b"denied"))
    return fields


def _settings(policy: OnUnreachable, budget: float, proxies: Proxies) -> Settings:
    return Settings(
        rules=(),  # they are a RuleSet's here
        from_sidecar=False,
        service="",
        exempt=(),
        proxies=proxies,
        budget=budget,
        key_timeout=budget,
        on_unreachable=policy,
        on_key_error=OnKeyError.OPEN,
        headers=HeaderStyle.DRAFT,
        on_denied=None,
        expose_source=True,
        preflights=False,
        shadow=False,
        enabled=True,
    )
