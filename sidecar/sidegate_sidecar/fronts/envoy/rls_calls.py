"""The calls of the gRPC port, each from its bytes to the bytes of its answer."""

from __future__ import annotations

import logging
import math
from time import monotonic
from typing import TYPE_CHECKING, Final, NoReturn, cast

from grpc import StatusCode

from sidegate.buckets.decision import Decision, OnUnreachable, Source
from sidegate.errors import MalformedRequest
from sidegate.protocol.messages import Refund
from sidegate_sidecar.fronts.envoy import protobuf
from sidegate_sidecar.fronts.envoy.protobuf import ProtobufError
from sidegate_sidecar.fronts.envoy.rls_answering import answer, malformed
from sidegate_sidecar.fronts.envoy.rls_asking import RequestError
from sidegate_sidecar.fronts.envoy.rls_messages import read_request, write_response
from sidegate_sidecar.fronts.expected_timeout import TIMEOUT, expected_timeout
from sidegate_sidecar.node.asking import ask_together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from grpc.aio import ServicerContext

    from sidegate_sidecar.fronts.envoy.rls_answering import RlsAnswer
    from sidegate_sidecar.fronts.envoy.rls_asking import LimitQuestion, RlsQuestions
    from sidegate_sidecar.fronts.envoy.rls_counts import RlsCounts
    from sidegate_sidecar.fronts.envoy.rls_messages import RateLimitRequest
    from sidegate_sidecar.node.asking import Undecided
    from sidegate_sidecar.sidecar import Sidecar

    Context: TypeAlias = ServicerContext[bytes, bytes]
    Questions: TypeAlias = Callable[[RateLimitRequest], RlsQuestions]

log = logging.getLogger("sidegate")

_SERVING: Final = 1
_NOT_SERVING: Final = 2


class RlsCalls:
    """Answers calls for a sidecar; `questions` tells what a request asks."""

    def __init__(self, sidecar: Sidecar, questions: Questions, counts: RlsCounts) -> None:
        self.is_leaving = False
        self._sidecar = sidecar
        self._node = sidecar.node
        self._questions = questions
        self._counts = counts

    async def health(self, _unread: object, _context: Context) -> bytes:
        """Tell whether this sidecar has joined, and isn't about to leave.

        Anyone may ask: so it is answered at once, whichever service is named and whether or not
        that name ever arrives.
        """
        serving = self._sidecar.ready and not self.is_leaving
        return protobuf.whole(1, _SERVING if serving else _NOT_SERVING)

    async def should_rate_limit(self, data: bytes, context: Context) -> bytes:
        """Decide a call of Envoy's, whatever its bytes are."""
        try:
            made = await self._decide(data, budget_of(context))
        except (ProtobufError, RequestError) as error:
            await self._refuse(context, StatusCode.INVALID_ARGUMENT, "malformed", str(error))
        except Exception:  # that call gets an error; the others go on
            log.exception("a fault in sidegate; please report it")
            await self._refuse(context, StatusCode.INTERNAL, "fault", "see the log")
        self._counts.answered(made.response.code, made.source, monotonic())
        return write_response(made.response)

    async def refuse_stranger(self, why: str, context: Context) -> NoReturn:
        """Answer who hasn't shown the secret."""
        await self._refuse(context, StatusCode.UNAUTHENTICATED, "secret", why)

    async def _decide(self, data: bytes, budget: float) -> RlsAnswer:
        request = read_request(data)
        try:
            asked = self._questions(request)
        except MalformedRequest as error:
            return malformed(len(request.descriptors), str(error))
        checks = [(question.check, question.limits) for question in asked.asked]
        found = await ask_together(self._node, checks, budget)
        made = answer(asked, list(map(self._decided, asked.asked, found)))
        if made.refunds:
            self._node.refund(Refund(0, made.refunds))
        return made

    def _decided(self, question: LimitQuestion, found: Decision | Undecided) -> Decision:
        """Return a decision; what nobody could decide goes by the policy for that."""
        if isinstance(found, Decision):
            return found
        closed = self._node.fallback.policy is OnUnreachable.CLOSED
        source = Source.CLOSED if closed else Source.OPEN
        return Decision(not closed, question.limits, question.check[2], (), source)

    async def _refuse(self, context: Context, code: StatusCode, reason: str, why: str) -> NoReturn:
        self._counts.refuse(reason, why, context.peer(), monotonic())
        await context.abort(code, why)


def budget_of(context: Context) -> float:
    """Return the seconds that a caller will wait: what Envoy says, or the deadline of the call."""
    said = timeout_in(context.invocation_metadata() or ())
    left = cast("float | None", context.time_remaining())  # None without a deadline
    return max(min(said, math.inf if left is None else left), 0.0)


def timeout_in(metadata: Iterable[tuple[str, str | bytes]]) -> float:
    """Return the seconds that Envoy says it will wait, infinite if it doesn't say."""
    for name, value in metadata:
        if name == TIMEOUT and isinstance(value, str):
            return expected_timeout(value)
    return math.inf
