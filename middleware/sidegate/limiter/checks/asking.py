"""Asking: one request's limits in one check, in a loop or in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidegate.asgi.evaluation import run
from sidegate.http import evaluation
from sidegate.limiter.checks.enforcer import PASSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.checks.enforcer import Checked, Enforcer
    from sidegate.limiter.checks.planning import KeyQuestion
    from sidegate.limiter.limits.applied import Applied


async def enforce(
    enforcer: Enforcer,
    client: Any,  # noqa: ANN401 - a Client, or what the app gave as one
    current: Current,
    limits: Sequence[Applied],
) -> Checked:
    """Check limits of a request, and return what becomes of it. It never raises."""
    if enforcer.is_off(current):
        return PASSED
    plan = await run(enforcer.plan(current, limits), enforcer.limiter)
    questions = enforcer.questions(plan, current)
    if not questions:
        return enforcer.decided(current, plan)
    try:
        decisions = await _ask(client, questions)
        if enforcer.meta is None:
            return enforcer.conclude(current, plan, questions, decisions)
        judged = enforcer.meta.judged(current, questions, decisions)
        checked = enforcer.conclude(current, plan, questions, judged)
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        return enforcer.failed(current, questions, error)
    if checked.exceeded is None:
        return checked
    try:
        asked = list(zip(questions, decisions, judged, strict=True))
        charged = enforcer.meta.settle(client, current, checked.exceeded.decision, asked)
        if charged is not None:
            await charged
    except Exception as error:  # noqa: BLE001 - it stays refused
        enforcer.limiter.check_failed(questions[0].rule, error)
    return checked


def enforce_blocking(
    enforcer: Enforcer,
    client: Any,  # noqa: ANN401 - as above
    current: Current,
    limits: Sequence[Applied],
) -> Checked:
    """Check the limits of a request in a thread; as `enforce`, with plain functions only."""
    if enforcer.is_off(current):
        return PASSED
    plan = evaluation.run(enforcer.plan(current, limits))
    questions = enforcer.questions(plan, current)
    if not questions:
        return enforcer.decided(current, plan)
    try:
        decisions = _ask_blocking(client, questions)
        if enforcer.meta is None:
            return enforcer.conclude(current, plan, questions, decisions)
        judged = enforcer.meta.judged(current, questions, decisions)
        checked = enforcer.conclude(current, plan, questions, judged)
    except Exception as error:  # noqa: BLE001 - as above
        return enforcer.failed(current, questions, error)
    if checked.exceeded is None:
        return checked
    try:
        asked = list(zip(questions, decisions, judged, strict=True))
        enforcer.meta.settle(client, current, checked.exceeded.decision, asked)
    except Exception as error:  # noqa: BLE001 - as above
        enforcer.limiter.check_failed(questions[0].rule, error)
    return checked


async def _ask(client: Any, questions: Sequence[KeyQuestion]) -> list[Decision | None]:  # noqa: ANN401
    if len(questions) == 1:  # nearly all
        question = questions[0]
        return [await client.check(question.key, question.rule.limits, question.cost)]
    decided: list[Decision | None] = await client.check_all(_checks(questions))
    return decided


def _ask_blocking(client: Any, questions: Sequence[KeyQuestion]) -> list[Decision | None]:  # noqa: ANN401
    if len(questions) == 1:
        question = questions[0]
        return [client.check(question.key, question.rule.limits, question.cost)]
    decided: list[Decision | None] = client.check_all(_checks(questions))
    return decided


def _checks(questions: Sequence[KeyQuestion]) -> list[tuple[str, Any, int]]:
    return [(question.key, question.rule.limits, question.cost) for question in questions]


def give_back(
    enforcer: Enforcer,
    client: Any,  # noqa: ANN401 - as above
    current: Current,
    response: object,
) -> None:
    """Give back what `charge_when` doesn't want to charge for this response."""
    for one in enforcer.unwanted(current, response):
        client.refund(one.key, one.decision, one.limits)
