"""Checks from this process, decided on the same road as those that came over a link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sidegate.client.answers import decision
from sidegate.errors import CheckError
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Checks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Answers, Check
    from sidegate_sidecar.node.node import Node

    Undecided: TypeAlias = CheckError | WireError


async def ask_one(node: Node, key: str, limits: Limits, cost: int) -> Decision:
    """Have one check decided, here or by the owner of the key, within the node's budget.

    CheckError for what the node that decides takes for bad input, WireError if it makes no sense.
    """
    (decided,) = await ask_together(node, [((key, limits.asked, cost), limits)], node.budget)
    if isinstance(decided, Exception):
        raise decided
    return decided


async def ask_together(
    node: Node, asked: Sequence[tuple[Check, Limits]], budget: float
) -> list[Decision | Undecided]:
    """Have checks decided in one frame, within a budget (seconds) and the node's own.

    In the place of what can't be decided is what `ask_one` would raise.
    """
    collected = _Collected(asked)
    if asked:
        microseconds = int(min(budget, node.budget) * 1e6)
        node.decide(Checks(0, 0, microseconds, [check for check, _ in asked]), collected.take)
        await collected.whole
    return [found for found in collected.found if found is not None]


class _Collected:
    """The decisions of one frame, which come in as many parts as there are nodes that decide."""

    def __init__(self, asked: Sequence[tuple[Check, Limits]]) -> None:
        self.whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.found: list[Decision | Undecided | None] = [None] * len(asked)
        self._asked = asked
        self._left = len(asked)

    def take(self, answers: Answers) -> None:
        """Take a part; who asked may have gone away meanwhile."""
        every = range(len(self._asked))
        at = every if answers.positions is None else answers.positions
        for position, answer in zip(at, answers.answers, strict=True):
            (_, _, cost), limits = self._asked[position]
            self._left -= self.found[position] is None
            try:
                self.found[position] = decision(answers, answer, limits, cost)
            except (CheckError, WireError) as error:
                self.found[position] = error
        if not self._left and not self.whole.done():
            self.whole.set_result(None)
