"""Reserve and Commit, each from its bytes to the bytes of its answer.

A call may be about several descriptors: each has a reservation of its own, got one after the other,
and given back when one is over its limit. Their ids stand in one text.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from grpc import StatusCode

from sidegate.client.answers import decision
from sidegate.errors import CheckError, MalformedRequest
from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.reservation_messages import MAX_TTL, Commit, Reserve
from sidegate.protocol.messages import NOBODY
from sidegate_sidecar.fronts.envoy.kuadrant.reserve_messages import (
    read_commit,
    read_reserve,
    write_commit,
    write_reserve,
)
from sidegate_sidecar.fronts.envoy.protobuf import ProtobufError
from sidegate_sidecar.fronts.envoy.rls_asking import RequestError
from sidegate_sidecar.fronts.envoy.rls_messages import MAX_DESCRIPTORS, Code
from sidegate_sidecar.fronts.least_sure import least_sure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sidegate.buckets.decision import Source
    from sidegate.protocol.holds.reservation_messages import Reserved
    from sidegate_sidecar.fronts.envoy.kuadrant.reserve_messages import CommitCall, ReserveCall
    from sidegate_sidecar.fronts.envoy.rls_asking import LimitQuestion
    from sidegate_sidecar.fronts.envoy.rls_calls import Context, Questions
    from sidegate_sidecar.fronts.envoy.rls_counts import RlsCounts
    from sidegate_sidecar.fronts.envoy.rls_messages import RateLimitRequest
    from sidegate_sidecar.links.holds.reservation_answers import ReservationAnswers

log = logging.getLogger("sidegate")

DEFAULT_TTL: Final = 60_000  # ms
BETWEEN: Final = ","  # ids of one call; none has it
_SERVICE: Final = "/kuadrant.service.ratelimit.v1.RateLimitService/"


class KuadrantCalls:
    """Answers calls for a sidecar; `questions` tells what descriptors are limited to."""

    def __init__(
        self, reservations: ReservationAnswers, questions: Questions, counts: RlsCounts
    ) -> None:
        self._reservations = reservations
        self._questions = questions
        self._counts = counts
        self.methods: dict[str, Callable[[bytes, Context], Awaitable[bytes]]] = {
            f"{_SERVICE}Reserve": self.reserve,
            f"{_SERVICE}Commit": self.commit,
        }

    async def reserve(self, data: bytes, context: Context) -> bytes:
        """Hold tokens for each descriptor that has a limit, or for none."""
        try:
            code, held, source = await self._reserve(read_reserve(data))
        except (ProtobufError, RequestError, MalformedRequest, WireError, CheckError) as error:
            return await self._refuse(context, error)
        self._counts.answered(code, source, monotonic())
        return write_reserve(code, BETWEEN.join(held))

    async def commit(self, data: bytes, context: Context) -> bytes:
        """Settle what was held; what wasn't, or isn't known, is charged."""
        try:
            released = await self._commit(read_commit(data))
        except (ProtobufError, RequestError, MalformedRequest) as error:
            return await self._refuse(context, error)
        return write_commit(released=released)

    async def _reserve(self, call: ReserveCall) -> tuple[Code, list[str], Source | None]:
        held: list[str] = []
        sources: list[Source] = []
        keeps = False
        try:
            for question in self._asked(call.request):
                found = await self._hold(question, call, held)
                made = decision(found, found.answer, question.limits, call.amount)
                sources.append(made.source)
                is_over = not made.allowed or (not call.amount and made.remaining == 0)
                if is_over and not question.is_shadow:
                    return Code.OVER_LIMIT, [], least_sure(sources)
            keeps = call.amount > 0  # else it only looked
            return Code.OK, held if keeps else [], least_sure(sources)
        finally:
            if not keeps:
                await self._settle(held, 0)

    def _asked(self, request: RateLimitRequest) -> Sequence[LimitQuestion]:
        return self._questions(request).asked

    async def _hold(self, question: LimitQuestion, call: ReserveCall, held: list[str]) -> Reserved:
        """Hold what is asked; whose call is given up meanwhile has it in `held` as well."""
        tokens = min(call.amount * max(question.hits, 1), question.limits.smallest_burst)
        within = min(call.ttl or DEFAULT_TTL, MAX_TTL)
        asked = Reserve(0, 0, question.key, question.limits.asked, tokens, within)
        answering = asyncio.ensure_future(self._reservations.answer(asked))
        try:
            return await asyncio.shield(answering)
        finally:
            if (found := await answering).reservation:
                held.append(found.reservation)

    async def _settle(self, held: Sequence[str], actual: int) -> bool:
        """Commit reservations; False if one isn't known, or wasn't settled."""
        found = [await self._reservations.answer(Commit(0, 0, it, actual)) for it in held]
        return all(isinstance(it.answer, list) and it.source != NOBODY for it in found)

    async def _commit(self, call: CommitCall) -> bool:
        held = [it for it in call.reservation.split(BETWEEN) if it]
        if len(held) > MAX_DESCRIPTORS:
            raise RequestError(f"{len(held)} reservations: expected at most {MAX_DESCRIPTORS}")
        if held and await self._settle(held, call.actual):
            return True
        if not held:
            of_nothing = self._reservations.of_nothing
            ids = [of_nothing(it.key, it.limits) for it in self._asked(call.request)]
            await self._settle(ids, call.actual)
        return False

    async def _refuse(self, context: Context, error: Exception) -> bytes:
        self._counts.refuse("malformed", str(error), context.peer(), monotonic())
        await context.abort(StatusCode.INVALID_ARGUMENT, str(error))
