"""The calls of the HTTP API about reservations."""

import math
from typing import TYPE_CHECKING

from fastapi import HTTPException

from sidegate.buckets.limits import BY_NAME
from sidegate.client.answers import decision
from sidegate.client.holds.committed import Committed
from sidegate.errors import CheckError, RuleNotInForce
from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.reservation_messages import Commit, HoldFault, Reserve, Reserved
from sidegate.protocol.messages import NOBODY
from sidegate.ruleset.canonical.fractions import fraction_of
from sidegate_sidecar.fronts.http.app.holds.reservation_models import (
    CommitRequest,
    CommitResponse,
    ReserveRequest,
    ReserveResponse,
)
from sidegate_sidecar.fronts.http.checks import CheckAsked, as_enforced, question_of

if TYPE_CHECKING:
    from sidegate_sidecar.sidecar import Sidecar

_STATUSES = {HoldFault.CONFLICT: 409, HoldFault.OVER: 410}


class ReservationApi:
    """The calls. What each one's first line says is its text in the OpenAPI document."""

    def __init__(self, sidecar: "Sidecar") -> None:
        self._sidecar = sidecar
        self._answers = sidecar.sessions.reservations

    async def reserve(self, asked: ReserveRequest) -> ReserveResponse:
        """Charge tokens ahead, if all limits have them, and hold them until they are committed.

        Answers 200 whether it was allowed or not. What isn't committed within `ttl` is given back.
        """
        try:
            check = CheckAsked(asked.key, asked.limits, 0)
            rules = self._sidecar.rules_in_force()
            question = question_of(check, rules)
        except (ValueError, RuleNotInForce) as error:
            raise HTTPException(422, str(error)) from None
        fraction = asked.max_fraction
        if rules is not None and asked.limits.startswith(BY_NAME):
            entry = rules.by_name[asked.limits.removeprefix(BY_NAME)].entry
            fraction = min(fraction, fraction_of(entry.max_fraction))
        most = max(math.floor(fraction * question.limits.smallest_burst), 1)
        amount, ttl = min(asked.amount, most), round(asked.ttl * 1000)
        found = await self._answers.answer(
            Reserve(0, 0, question.key, question.limits.asked, amount, ttl, asked.id or "")
        )
        _require_done(found)
        try:
            decided = as_enforced(question, decision(found, found.answer, question.limits, amount))
        except CheckError as error:
            raise HTTPException(422, str(error)) from None
        except WireError as error:
            raise HTTPException(502, f"the owner of this key makes no sense: {error}") from None
        owner = self._sidecar.cluster.ring.pair(question.key)[0]
        return ReserveResponse.of_held(decided, owner, found.reservation, found.held)

    async def commit(self, asked: CommitRequest) -> CommitResponse:
        """Settle a reservation: give back what wasn't used, or charge what was used beyond it.

        The second time, for 10 minutes, the answer is the same and nothing is changed. After a 503
        say it again.
        """
        found = await self._answers.answer(Commit(0, 0, asked.id, asked.actual))
        _require_done(found)
        if found.source == NOBODY:
            raise HTTPException(503, "the owner of this key can't be asked now")
        change = found.change
        committed = Committed(found.held, max(-change, 0), max(change, 0))
        return CommitResponse.of(committed, found.source, found.node)


def _require_done(found: Reserved) -> None:
    if isinstance(found.answer, str):
        status = _STATUSES.get(HoldFault(found.fault), 422) if found.fault <= 3 else 422
        raise HTTPException(status, found.answer)
