"""What is told of a check: by which rule, with which result; never its key. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.protocol.keys import rule_of

if TYPE_CHECKING:
    from typing import TypeAlias

    from sidegate.buckets.decision import Decision

    Attributes: TypeAlias = dict[str, str | int]

SCOPE: Final = "sidegate"  # of instrumentation
SOURCE: Final = "sidegate.source"


def result_of(decision: Decision) -> str:
    """Return the word for what was decided."""
    return "allowed" if decision.allowed else "denied"


def attributes_of(key: str, decision: Decision) -> Attributes:
    """Return the attributes of the span of a check that was decided."""
    attributes: Attributes = {
        "sidegate.rule": rule_of(key),
        "sidegate.result": result_of(decision),
        SOURCE: decision.source.value,
        "sidegate.cost": decision.cost,
    }
    if (remaining := decision.remaining) is not None:
        attributes["sidegate.remaining"] = remaining
    if decision.node:
        attributes["sidegate.node"] = decision.node
    return attributes


def attributes_of_error(key: str, error: BaseException) -> Attributes:
    """Return the attributes of the span of a check that can't be decided.

    By the kind of the error: its text may have something of the key.
    """
    return {"sidegate.rule": rule_of(key), "error.type": type(error).__name__}
