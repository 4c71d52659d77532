"""Key questions: what is asked about many keys, made fit for the wire or refused at once. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sidegate.client.checks import plain_key
from sidegate.protocol.key_messages import MAX_LISTED, KeyOrder, KeysBy, ListKeys, ResetKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    ListQuestion: TypeAlias = Callable[[int], ListKeys]
    ResetQuestion: TypeAlias = Callable[[int], ResetKeys]

LIST_BUDGET = 250_000  # microseconds: a walk through a million buckets
LIST_PATIENCE = 0.5  # seconds
RESET_PATIENCE = 11.0  # seconds: a sidecar answers within 10
_ORDERS = {order.value: order for order in KeyOrder}


def list_question(prefix: str, identity: str | None, order: object, most: int) -> ListQuestion:
    """Return what asks for keys; ValueError or TypeError with name and value of what is wrong."""
    if identity is not None and prefix:
        raise ValueError(f"identity={identity!r:.80}: expected no prefix beside it")
    by = KeysBy.PREFIX if identity is None else KeysBy.IDENTITY
    text = plain_key(prefix if identity is None else identity, by.value)
    first = _ORDERS.get(order) if isinstance(order, str) else None
    if first is None:
        raise ValueError(f"order={order!r:.80}: expected {' or '.join(map(repr, _ORDERS))}")
    if type(most) is not int or not 1 <= most <= MAX_LISTED:
        raise ValueError(f"most={most!r:.80}: expected a whole number from 1 to {MAX_LISTED:,}")
    return lambda number: ListKeys(number, 0, LIST_BUDGET, by, text, first, most)


def reset_question(prefix: str, *, everything: bool) -> ResetQuestion:
    """Return what resets keys; ValueError for an empty prefix, unless everything is meant."""
    text = plain_key(prefix, "prefix")
    if not (text or everything):
        raise ValueError("prefix='': expected at least one character, or everything=True")
    return lambda number: ResetKeys(number, 0, text, int(everything))


def about(question: ListKeys | ResetKeys) -> str:
    """Return which keys are meant, for people."""
    if isinstance(question, ResetKeys):
        return f"{question.prefix}*"
    return f"{question.text}*" if question.by is KeysBy.PREFIX else f"*:{question.text}"
