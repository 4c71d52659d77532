"""Asking: one request's limits in one check, in a loop or in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidegate.asgi.evaluation import run
from sidegate.http import evaluation
from sidegate.limiter.checks.enforcer import PASSED
from sidegate.limiter.checks.planning import NOTHING

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
    plan, questions = NOTHING, enforcer.at_once(current, limits)
    if questions is None:
        plan = await run(enforcer.plan(current, limits), enforcer.limiter)
        questions = enforcer.questions(plan, current)
    if not questions:
        return enforcer.decided(current, plan)
    try:
        decisions = await _ask(client, questions)
        return enforcer.conclude(current, plan, questions, decisions)
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        return enforcer.failed(current, questions, error)


def enforce_blocking(
    enforcer: Enforcer,
    client: Any,  # noqa: ANN401 - as above
    current: Current,
    limits: Sequence[Applied],
) -> Checked:
    """Check the limits of a request in a thread; as `enforce`, with plain functions only."""
    if enforcer.is_off(current):
        return PASSED
    plan, questions = NOTHING, enforcer.at_once(current, limits)
    if questions is None:
        plan = evaluation.run(enforcer.plan(current, limits))
        questions = enforcer.questions(plan, current)
    if not questions:
        return enforcer.decided(current, plan)
    try:
        decisions = _ask_blocking(client, questions)
        return enforcer.conclude(current, plan, questions, decisions)
    except Exception as error:  # noqa: BLE001 - as above
        return enforcer.failed(current, questions, error)


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
