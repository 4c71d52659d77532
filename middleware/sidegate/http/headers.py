"""Fields: what a response says about its limits, in the syntax of draft-11.

draft-ietf-httpapi-ratelimit-headers-11 defines `RateLimit-Policy`, `RateLimit` and the two
problem types; both fields are lists of strings with parameters (RFC 9651). A draft may change,
so nothing outside this file knows how they are written.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple, TypeAlias

import msgspec

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND, Limit, Limits

Pair: TypeAlias = tuple[bytes, bytes]

POLICY = b"ratelimit-policy"
CURRENT = b"ratelimit"
RETRY_AFTER = b"retry-after"
SOURCE = b"sidegate-source"
SHADOW = b"sidegate-shadow"

_MAX_TOLD = 32  # which of a policy's limits refuse together: few do, and each takes 0.5 kB
CLOSED_RETRY = 1  # seconds; a sidecar that is gone is tried again several times in one

_PROBLEM = (
    b'{"type":"https://iana.org/assignments/http-problem-types#%b","title":"%b","status":%d,'
    b'"detail":%b,"violated-policies":[%b]}'
)
NO_STORE: Pair = (b"cache-control", b"no-store")
_NOT_STORED: tuple[Pair, ...] = ((b"content-type", b"application/problem+json"), NO_STORE)


class _Told(NamedTuple):
    """What limits say when they refuse, up to the seconds and behind them."""

    detail: str
    begin: bytes
    end: bytes


class Policy:
    """The names of a rule's limits and everything about them that no request changes.

    A rule with one limit is one policy of the same name; with several, each is named by the rule
    and its own text: "api 100/second", "api 10000/hour". `rule` must be printable ASCII without
    quotes and backslashes, so that it may stand in a structured field and in JSON as it is.
    """

    __slots__ = ("_heads", "_quoted", "_told", "field", "limits")

    def __init__(self, rule: str, limits: Limits) -> None:
        names = [rule] if len(limits) == 1 else [f"{rule} {limit}" for limit in limits]
        self.limits = limits
        self._quoted = [f'"{name}"'.encode("ascii") for name in names]
        self._heads = [name + b";r=" for name in self._quoted]
        self.field: Pair = (POLICY, b", ".join(map(_policy, self._quoted, limits)))
        self._told: dict[tuple[int, ...], _Told] = {}  # by which limits refuse

    def current(self, decision: Decision, retry: int) -> bytes:
        """Return the value of `RateLimit`: for each limit what is left, and for how long.

        `retry` is `retry_after` of the decision.
        """
        if len(self._heads) == 1 and decision.allowed:  # nearly all: half the time
            left, debts = decision.remaining_of(0), decision.debts
            whole_in = debts[0] if len(debts) == 1 else decision.whole_in(0)
            window = -(-whole_in // SECOND) if left else effective_window(decision, 0, left, retry)
            return b"%b%d;t=%d" % (self._heads[0], left, window)
        parts: list[bytes] = []
        for at, head in enumerate(self._heads):
            left = decision.remaining_of(at)
            parts.append(b"%b%d;t=%d" % (head, left, effective_window(decision, at, left, retry)))
        return b", ".join(parts)

    def refusal(self, decision: Decision, retry: int, detail: str = "") -> tuple[str, bytes]:
        """Return the sentence for people and the `problem` with it; `detail` is another sentence.

        Of the usual one only the seconds are made anew: a flood of refusals costs half as much.
        """
        if detail or not retry or decision.source is Source.CLOSED:
            detail = detail or self.detail(decision, retry)
            return detail, self.problem(decision, detail)
        told = self._told_by(_refusing(decision))
        return f"{told.detail}{retry} s.", b"%b%d%b" % (told.begin, retry, told.end)

    def plain_refusal(
        self, decision: Decision, own: Sequence[Pair]
    ) -> tuple[str, bytes, list[Pair]] | None:
        """Return sentence, body and fields of a refusal as most are; None for any other.

        That is one token of one limit, which then says 0 left and the same seconds everywhere:
        1 µs instead of 3. `own` are fields behind those of the limit.
        """
        if len(self._heads) != 1 or decision.cost != 1 or not decision.debts:
            return None
        if not (wait := decision.wait_of(0)) or decision.source is Source.CLOSED:
            return None
        told = self._told_by((0,))
        seconds = b"%d" % _seconds(wait)
        body = told.begin + seconds + told.end
        fields = [
            self.field,
            (CURRENT, b"%b0;t=%b" % (self._heads[0], seconds)),
            *own,
            *_NOT_STORED,
            (b"content-length", b"%d" % len(body)),
            (RETRY_AFTER, seconds),
        ]
        return f"{told.detail}{_seconds(wait)} s.", body, fields

    def _told_by(self, refusing: tuple[int, ...]) -> _Told:
        if (told := self._told.get(refusing)) is not None:
            return told
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        detail = self._limit_is(refusing)
        body = quota_exceeded(detail, self._names_of(refusing))
        begin, middle, end = body.partition(msgspec.json.encode(detail))
        told = self._told[refusing] = _Told(detail, begin + middle[:-1], b' s."' + end)
        return told

    def problem(self, decision: Decision, detail: str) -> bytes:
        """Return the body of a refusal (RFC 9457); `detail` is its sentence for people."""
        if decision.source is Source.CLOSED:
            return reduced_capacity(detail)
        return quota_exceeded(detail, self._names_of(_refusing(decision)))

    def detail(self, decision: Decision, retry: int) -> str:
        """Return a sentence for people, why a request is refused; `retry` is its `retry_after`."""
        if decision.source is Source.CLOSED:
            return f"The limits can't be checked now. Retry in {retry} s."
        refusing = _refusing(decision)
        if not retry:
            return f"A request of cost {decision.cost} never fits in {self._texts_of(refusing)}."
        return f"{self._limit_is(refusing)}{retry} s."

    def _limit_is(self, refusing: tuple[int, ...]) -> str:
        return f"The limit is {self._texts_of(refusing)}. Retry in "

    def _texts_of(self, refusing: tuple[int, ...]) -> str:
        return ", ".join(str(self.limits.items[at]) for at in refusing)

    def _names_of(self, refusing: tuple[int, ...]) -> bytes:
        return b", ".join(self._quoted[at] for at in refusing)


def reduced_capacity(detail: str) -> bytes:
    """Return the body of a refusal where nobody can decide: no policy is known to be violated."""
    kind, title = b"temporary-reduced-capacity", b"Temporary Reduced Capacity"
    return _PROBLEM % (kind, title, 503, msgspec.json.encode(detail), b"")


def quota_exceeded(detail: str, violated: bytes) -> bytes:
    """Return the body of a refusal by these policies, which are quoted."""
    said = msgspec.json.encode(detail)
    return _PROBLEM % (b"quota-exceeded", b"Quota Exceeded", 429, said, violated)


def retry_after(decision: Decision) -> int:
    """Return the seconds to wait after a refusal, rounded up and at least 1.

    0 stands for "don't say": it was allowed, or retrying won't help, since the cost is above what
    a limit holds.
    """
    if decision.allowed:
        return 0
    if decision.source is Source.CLOSED:
        return CLOSED_RETRY
    return max(_seconds(decision.wait), 1) if decision.debts else 0


def effective_window(decision: Decision, at: int, left: int, retry: int) -> int:
    """Return the parameter `t` of limit number `at`, of which `left` is left: seconds, rounded up.

    It is the time until the bucket is full again, but for an empty one the time until it holds
    something, so that a client that obeys doesn't sleep through the refill. Of a quota it is the
    time until its window ends. On a denial it is the
    time until this limit would let the request pass, and never later than `retry`, the field
    Retry-After: section 6 of the draft asks for that.
    """
    whole_in = decision.whole_in(at)
    if not decision.allowed:
        return min(_seconds(decision.wait_of(at) or whole_in), retry)
    limit = decision.limits.items[at]
    if not left and limit.period is None:
        whole_in -= (limit.capacity - limit.interval) // limit.scale
    return -(-whole_in // SECOND)


def bad_request(detail: str) -> bytes:
    """Return the body of a 400 (RFC 9457)."""
    problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": detail}
    return msgspec.json.encode(problem)


def refusal(retry: int, body: bytes) -> list[Pair]:
    """Return the fields that only a refusal with this body has."""
    fields = [*_NOT_STORED, (b"content-length", b"%d" % len(body))]
    if retry:
        fields.append((RETRY_AFTER, b"%d" % retry))
    return fields


def tells_of_limits(name: bytes) -> bool:
    """Tell whether a field is about limits, and belongs to whatever body a response has."""
    return name.startswith((CURRENT, b"x-ratelimit-", b"sidegate-", RETRY_AFTER))


def legacy(decision: Decision, retry: int, epoch: float) -> list[Pair]:
    """Return X-RateLimit-Limit, -Remaining and -Reset of the binding limit, as slowapi sends them.

    Reset is a moment in seconds since 1970, rounded up; `epoch` is now. Empty when nobody knows.
    """
    binding = decision.binding
    if binding is None:
        return []
    at = decision.limits.items.index(binding[0])
    left = decision.remaining_of(at)
    reset = ceil(epoch) + effective_window(decision, at, left, retry)
    return [
        (b"x-ratelimit-limit", b"%d" % binding[0].burst),
        (b"x-ratelimit-remaining", b"%d" % left),
        (b"x-ratelimit-reset", b"%d" % reset),
    ]


def _policy(name: bytes, limit: Limit) -> bytes:
    refill = limit.window
    if limit.tokens and limit.period is None:
        refill = -(-limit.capacity // (limit.scale * SECOND))
    return b"%b;q=%d;w=%d" % (name, limit.burst, refill)


def _refusing(decision: Decision) -> tuple[int, ...]:
    limits = decision.limits.items
    if not decision.debts:
        return tuple(at for at, limit in enumerate(limits) if limit.burst < decision.cost)
    if len(limits) == 1:  # nearly all
        return (0,) if decision.wait_of(0) else ()
    return tuple(at for at in range(len(limits)) if decision.wait_of(at))


def _seconds(nanoseconds: int) -> int:
    return -(-nanoseconds // SECOND)


def source_of(headers: Mapping[str, str]) -> Source | None:
    """Return who decided by a response's headers (names in any case); None if no limit applied.

    A source that isn't known, of a later release, counts as none.
    """
    if POLICY.decode() not in headers:
        return None
    try:
        return Source(headers.get(SOURCE.decode(), Source.OWNER))
    except ValueError:
        return None
