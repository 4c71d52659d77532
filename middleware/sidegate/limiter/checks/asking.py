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
    from sidegate.limiter.checks.planning import KeyQuestion, Plan
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
    current.is_enforced = True
    if not questions:
        return enforcer.decided(current, plan)
    try:
        if len(questions) == 1:  # nearly all
            decisions = [await ask_one(client, questions[0])]
        else:
            decisions = await ask_all(client, questions)
        if enforcer.passes(current, plan, questions, decisions):
            return PASSED
        if enforcer.meta is None:
            return enforcer.conclude(current, plan, questions, decisions)
        checked, charged = _with_meta(enforcer, client, current, plan, questions, decisions)
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        return enforcer.failed(current, questions, error)
    if charged is not None:
        try:
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
    plan, questions = NOTHING, enforcer.at_once(current, limits)
    if questions is None:
        plan = evaluation.run(enforcer.plan(current, limits))
        questions = enforcer.questions(plan, current)
    current.is_enforced = True
    if not questions:
        return enforcer.decided(current, plan)
    try:
        if len(questions) == 1:
            decisions = [ask_one(client, questions[0])]
        else:
            decisions = ask_all(client, questions)
        if enforcer.passes(current, plan, questions, decisions):
            return PASSED
        if enforcer.meta is None:
            return enforcer.conclude(current, plan, questions, decisions)
        return _with_meta(enforcer, client, current, plan, questions, decisions)[0]
    except Exception as error:  # noqa: BLE001 - as above
        return enforcer.failed(current, questions, error)


def _with_meta(
    enforcer: Enforcer,
    client: Any,  # noqa: ANN401 - as above
    current: Current,
    plan: Plan,
    questions: Sequence[KeyQuestion],
    decisions: Sequence[Decision | None],
) -> tuple[Checked, Any]:
    """Conclude with meta limits; return what becomes of the request, and what to await or None."""
    meta = enforcer.meta
    assert meta is not None
    judged = meta.judged(current, questions, decisions)
    checked = enforcer.conclude(current, plan, questions, judged)
    if checked.exceeded is None:
        return checked, None
    try:
        asked = list(zip(questions, decisions, judged, strict=True))
        return checked, meta.settle(client, current, checked.exceeded.decision, asked)
    except Exception as error:  # noqa: BLE001 - it stays refused
        enforcer.limiter.check_failed(questions[0].rule, error)
        return checked, None


def ask_one(client: Any, question: KeyQuestion) -> Any:  # noqa: ANN401 - a Decision, or what gives one
    """Ask one question, which is awaited in a loop."""
    return client.check(question.key, question.rule.limits, question.cost)


def ask_all(client: Any, questions: Sequence[KeyQuestion]) -> Any:  # noqa: ANN401 - as above
    """Ask several questions in one frame; as above."""
    return client.check_all([(each.key, each.rule.limits, each.cost) for each in questions])


def give_back(
    enforcer: Enforcer,
    client: Any,  # noqa: ANN401 - as above
    current: Current,
    response: object,
) -> None:
    """Give back what `charge_when` doesn't want to charge for this response."""
    for one in enforcer.unwanted(current, response):
        client.refund(one.key, one.decision, one.limits)
