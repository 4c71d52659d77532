"""A question: key, limits and cost, made fit for the wire or refused at once. Pure.

A refund is a check as well, the one that has charged what is given back. What the codec can't
write must not get near a connection: a key of half a surrogate pair would spoil the whole frame
that it travels in, with the checks of everybody else.
"""

from collections.abc import Sequence
from typing import TypeAlias

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import BY_NAME, Limits, parse_limits, require_cost
from sidegate.buckets.windows import dated
from sidegate.errors import CostError
from sidegate.protocol.messages import SURELY_SHORT_KEY, Check, require_key

MAX_TOGETHER = 64  # checks of one call: what one request asks for, not a table of them

Wanted: TypeAlias = tuple[str, str | Limits, int]
"""(key, limits, cost): a check as a caller has it."""

_CHARGING = frozenset({Source.OWNER, Source.BACKUP, Source.LEASE, Source.MEMORY})  # can give back


def question(key: str, limits: str | Limits, cost: int) -> tuple[Check, Limits]:
    """Return the check to send, and its limits as they were read.

    LimitError, CostError or KeyTooLong name what can't be asked; so does UnicodeEncodeError (a
    ValueError) for a key that is no text, and TypeError for what is of another type altogether.
    """
    if not isinstance(limits, Limits):
        limits = _read(limits)
    if type(key) is not str or type(cost) is not int:
        key, cost = _plain(key, cost)
    require_cost(cost, limits)
    if len(key) > SURELY_SHORT_KEY or not key.isascii():
        require_key(key)
    return (key, limits.asked, cost), limits


def synced(limits: str | Limits) -> Limits:
    """Return limits whose charges are answered when a backup has them.

    ValueError for the name of a rule, which says in its file whether it is so.
    """
    if isinstance(limits, str) and limits.startswith(BY_NAME):
        raise ValueError(f"sync=True for limits={limits!r:.80}: belongs to the rule of that name")
    return (limits if isinstance(limits, Limits) else _read(limits)).synced()


def waited_for(key: str, limits: str | Limits, cost: int) -> tuple[Check, Limits]:
    """Return a check that is to be waited for; CostError too for limits that let nothing pass."""
    check, limits = question(key, limits, cost)
    if limits.is_blocked and cost:
        raise CostError(cost, 0)
    return check, limits


def plain_key(key: object, name: str = "key") -> str:
    """Return a key to ask about, or how some begin; what no key can be raises as in `question`."""
    if not isinstance(key, str):
        raise TypeError(f"{name}={key!r:.80}: expected a text")
    key = str.__str__(key)
    require_key(key)
    return key


def questions(checks: Sequence[Wanted]) -> list[tuple[Check, Limits]]:
    """Return checks to send together; what can't be asked raises as in `question`.

    ValueError for more than MAX_TOGETHER.
    """
    if len(checks) > MAX_TOGETHER:
        raise ValueError(f"{len(checks):,} checks: expected at most {MAX_TOGETHER} together")
    return [question(*check) for check in checks]


def refund_of(key: str, decision: Decision, limits: Limits | None) -> tuple[Check, Limits] | None:
    """Return what gives back the charge of a decision, to these of its limits or (None) to all.

    None if it has charged nothing that could be given back. ValueError for a limit that the check
    didn't have.
    """
    if limits is None:
        limits = decision.limits
    elif other := [limit for limit in limits if limit not in decision.limits.items]:
        raise ValueError(f"limits={limits.text!r}: {other[0].text!r} isn't one of the decision's")
    if not decision.allowed or not decision.cost or decision.source not in _CHARGING:
        return None
    (key, _, cost), limits = question(key, limits, decision.cost)
    return (key, dated(limits, decision.windows(limits)), cost), limits


def _read(limits: object) -> Limits:
    if isinstance(limits, str):
        return parse_limits(limits)
    raise TypeError(f"limits={limits!r:.80}: expected a text or Limits")


def _plain(key: object, cost: object) -> tuple[str, int]:
    """Return what a subclass (a marked-safe string, an IntEnum) stands for."""
    if not isinstance(key, str):
        raise TypeError(f"key={key!r:.80}: expected a text")
    if not isinstance(cost, int) or isinstance(cost, bool):
        raise TypeError(f"cost={cost!r:.80}: expected a whole number")
    return str.__str__(key), int(cost)
