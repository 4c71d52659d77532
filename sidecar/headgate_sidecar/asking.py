"""One check from this process, decided on the same road as one that came over a link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from headgate.decision import Decision, Source
from headgate.errors import CheckError
from headgate.wire import Answers, Check, Checks

if TYPE_CHECKING:
    from headgate.limits import Limits
    from headgate_sidecar.node import Node


async def ask_one(node: Node, key: str, limits: Limits, cost: int) -> Decision:
    """Have one check decided, here or by the owner of the key, within the node's budget.

    CheckError for what the node that decides takes for bad input.
    """
    answers = await _answers(node, (key, limits.text, cost))
    answer = answers.answers[0]
    if isinstance(answer, str):
        raise CheckError(answer)
    source = Source(answers.source)
    if source is Source.LOCAL:
        limits = limits.divided(answers.parts)
        cost = min(cost, limits.smallest_burst)
    return Decision(answer[0] == 1, limits, cost, answer[1:], source, answers.node)


async def _answers(node: Node, check: Check) -> Answers:
    answered: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()

    def settle(answers: Answers) -> None:
        if not answered.done():  # it is when who asked has gone away
            answered.set_result(answers)

    node.decide(Checks(0, 0, int(node.budget * 1e6), [check]), settle)
    return await answered
