"""Paid: the buckets that one request has been asked about, so that it pays once for each. Pure.

They stand in what carries the request, a scope or an environ, where all middleware finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from sidegate.http.rules import Rule

PAID = "sidegate.paid"  # in a scope or environ
Paid: TypeAlias = "dict[tuple[str, str], Rule]"
"""By key and text of the limits, the rule that was asked about them."""


def is_paid(carrier: MutableMapping[str, Any], key: str, rule: Rule) -> bool:
    """Return whether a request has paid for these limits of a key before; from now on it has.

    Then another middleware around this one has the same rule, and one request costs once.
    """
    paid: Paid = carrier.setdefault(PAID, {})
    text = rule.limits.text
    if (key, text) in paid:
        return True
    pay(paid, key, rule, (text,))
    return False


def pay(paid: Paid, key: str, rule: Rule, texts: Iterable[str]) -> None:
    """Note what a request is asked about in one check.

    If it is asked about other limits of that key too, its limits didn't change: it has all of them
    at a time. So each stands for itself from now on.
    """
    for (known, _), other in paid.items():
        if known == key and other is not rule:
            rule.stand_apart()
            other.stand_apart()
    for text in texts:
        paid[key, text] = rule
