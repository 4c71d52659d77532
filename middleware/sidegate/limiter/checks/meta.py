"""Meta limits: a client that its limits refuse too often is refused everything for a while.

A request looks at the meta bucket in the frame of its own checks, by a cost of 0, and is refused
where nothing is left. A refusal by a limit of a route, or a default one, is charged to it once.
"""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from sidegate.buckets.decision import Source
from sidegate.limiter.limits.applied import APPLICATION, Applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.checks.planning import KeyQuestion
    from sidegate.limiter.limits.route_limit import RouteLimit

META = "meta"  # the scope of meta limits


class MetaLimit:
    """The meta limits of an app; `applied` stands among those of each request, at a cost of 0."""

    def __init__(self, limit: RouteLimit) -> None:
        self.applied = Applied(limit, META, META, carries=True)

    def judged(
        self,
        current: Current,
        questions: Sequence[KeyQuestion],
        decisions: Sequence[Decision | None],
    ) -> list[Decision | None]:
        """Return decisions with a denial where a look has found nothing left."""
        judged = [*decisions]
        for at, question in enumerate(questions):
            if question.parts[0].limit is self.applied.limit:
                current.meta = question.key, question.rule.limits
                judged[at] = _denied_if_empty(judged[at])
        return judged

    def settle(
        self,
        client: Any,  # noqa: ANN401 - as in asking
        current: Current,
        refusal: Decision,
        asked: Sequence[tuple[KeyQuestion, Decision | None, Decision | None]],
    ) -> Any:  # noqa: ANN401 - what the client's check returns
        """Charge a refusal to whose it is; return what is to be awaited, None if nothing is.

        If it is ours, what the request was charged is given back. `asked` has each question, with
        its decision before and after `judged`. A Client sends the charge with this turn of its
        loop, and nobody waits for it.
        """
        limit = next((it.parts[0].limit for it, _, judged in asked if judged is refusal), None)
        if limit is self.applied.limit:
            if all(decision is not None and decision.allowed for _, decision, _ in asked):
                for question, decision, _ in asked:
                    client.refund(question.key, decision)
            return None
        meta = current.meta
        if meta is None or limit is None or limit.scope == APPLICATION:
            return None
        if refusal.source is Source.CLOSED:  # nobody could decide
            return None
        charged = client.check(*meta, 1)
        if not isinstance(charged, Future):
            return charged
        cast("Future[Decision]", charged).add_done_callback(_retrieve)
        return None


def _denied_if_empty(look: Decision | None) -> Decision | None:
    if look is None or not look.allowed or not look.debts:  # nobody knows, or it was denied
        return look
    if all(look.remaining_of(at) for at in range(len(look.limits))):
        return look
    return structs.replace(look, allowed=False, cost=1)


def _retrieve(charged: Future[Decision]) -> None:
    """Take what came of it, so that asyncio doesn't tell of an exception that nobody took."""
    if not charged.cancelled():
        charged.exception()
