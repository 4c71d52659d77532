"""Answers as decisions: what a client makes of what a sidecar says. Pure."""

from collections.abc import Callable, Iterable, Sequence

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limit, Limits, parse_limits
from sidegate.errors import CheckError, Unreachable
from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.reservation_messages import Reserved
from sidegate.protocol.messages import Answer, Answers, Holdings

_HOLDERS = frozenset({Source.OWNER, Source.BACKUP})
_SOURCES = {source.value: source for source in Source}  # a fifth of the time of Source(…)


def decision(answers: Answers | Reserved, answer: Answer, limits: Limits, cost: int) -> Decision:
    """Return what one of the answers of a frame decides about a check of `limits` and `cost`.

    CheckError if the sidecar says why it can't decide; WireError for an answer to something else.
    A node that decided alone says how it divided the limits: then those are in the decision.
    """
    if isinstance(answer, str):
        raise CheckError(answer)
    source = _SOURCES.get(answers.source)
    if source is None:
        raise WireError("bad-message", f"nobody here knows source {answers.source[:20]!r}")
    if source is Source.LOCAL:
        limits = limits.divided(answers.parts)
        cost = min(cost, limits.smallest_burst)
    debts = answer[1:]
    if debts and len(debts) != len(limits.items) + 2 * len(limits.windows):
        raise WireError("bad-message", f"{len(debts)} debts for {limits.text!r:.200}")
    return Decision(answer[0] == 1, limits, cost, debts, source, answers.node)


def spent(held: Iterable[tuple[Limit, int]]) -> dict[str, int]:
    """Return the tokens that debts (ns, rounded up) stand for, by the text of the limit.

    A token that is partly back counts as spent.
    """
    # Debts are rounded up to whole ns, tokens from what a debt is at least.
    ticks = [(limit, (debt - 1) * limit.scale + 1) for limit, debt in held]
    return {limit.text: -(-debt // limit.interval) for limit, debt in ticks}


def spent_of(key: str, holdings: Holdings) -> dict[str, int]:
    """Return the tokens that a key has spent, as a sidecar says; Unreachable if it doesn't know."""
    if holdings.source not in _HOLDERS:
        raise Unreachable(key, "the sidecar can reach neither its owner nor the backup")
    return spent((parse_limits(text).items[0], debt) for text, debt in holdings.buckets)


def all_or_none(
    keys: Iterable[str],
    made: Sequence[Decision | BaseException],
    refund: Callable[[str, Decision], None],
) -> list[Decision | None]:
    """Return decisions of checks that were made together; raise the first exception among them.

    Unless all are allowed, what they have charged is given back.
    """
    errors = [it for it in made if isinstance(it, BaseException)]
    decisions = [it for it in made if not isinstance(it, BaseException)]
    if errors or not all(it.allowed for it in decisions):
        for key, it in zip(keys, made, strict=True):
            if not isinstance(it, BaseException):
                refund(key, it)
    if errors:
        raise errors[0]
    return [*decisions]
