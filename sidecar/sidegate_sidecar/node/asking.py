"""One check from this process, decided on the same road as one that came over a link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sidegate.client.answers import decision
from sidegate.protocol.messages import Answers, Check, Checks

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate_sidecar.node.node import Node


async def ask_one(node: Node, key: str, limits: Limits, cost: int) -> Decision:
    """Have one check decided, here or by the owner of the key, within the node's budget.

    CheckError for what the node that decides takes for bad input, WireError if it makes no sense.
    """
    answers = await _answers(node, (key, limits.text, cost))
    return decision(answers, answers.answers[0], limits, cost)


async def _answers(node: Node, check: Check) -> Answers:
    answered: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()

    def settle(answers: Answers) -> None:
        if not answered.done():  # it is when who asked has gone away
            answered.set_result(answers)

    node.decide(Checks(0, 0, int(node.budget * 1e6), [check]), settle)
    return await answered
