"""A wanted hold: what a caller wants reserved, made fit for the wire or refused at once. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from sidegate.client.answers import decision
from sidegate.client.checks import question
from sidegate.client.holds.committed import Committed
from sidegate.errors import ReservationError, shown
from sidegate.protocol.holds.reservation_messages import (
    MAX_AMOUNT,
    MAX_OWN_ID,
    MAX_TTL,
    Commit,
    HoldFault,
    Reserve,
)
from sidegate.reservations.reservation_ids import MAX_ID

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.holds.reservation_messages import Reserved
    from sidegate.protocol.messages import Check


@dataclass(frozen=True, slots=True)
class HoldOptions:
    """How a reservation is held: `ttl` in ms, `own` an id of the caller's or ""."""

    ttl: int
    own: str
    max_fraction: float


def hold_options(ttl: object, own: object, max_fraction: object) -> HoldOptions:
    """Return the options of a reservation; ValueError or TypeError with name and value."""
    return HoldOptions(_ttl(ttl), _own(own), _fraction(max_fraction))


def _ttl(ttl: object) -> int:
    """Return a time in seconds as whole ms."""
    if not isinstance(ttl, (int, float)) or isinstance(ttl, bool):
        raise TypeError(f"ttl={shown(ttl)}: expected a number of seconds")
    if not 0.001 <= ttl <= MAX_TTL / 1000:
        raise ValueError(f"ttl={shown(ttl)}: expected 0.001 to {MAX_TTL // 1000:,} seconds")
    return round(ttl * 1000)


def _own(own: object) -> str:
    if own is None:
        return ""
    if not isinstance(own, str):
        raise TypeError(f"id={shown(own)}: expected a text")
    if not 0 < len(own) <= MAX_OWN_ID or not own.isprintable():
        expected = f"expected 1 to {MAX_OWN_ID} characters that can be printed"
        raise ValueError(f"id={shown(own)}: {expected}")
    return str.__str__(own)


def _fraction(fraction: object) -> float:
    if not isinstance(fraction, (int, float)) or isinstance(fraction, bool):
        raise TypeError(f"max_fraction={shown(fraction)}: expected a number")
    if not 0 < fraction <= 1:
        raise ValueError(f"max_fraction={shown(fraction)}: expected above 0, and up to 1")
    return fraction


def tokens(amount: object, name: str = "amount") -> int:
    """Return a number of tokens; ValueError or TypeError with name and value."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise TypeError(f"{name}={shown(amount)}: expected a whole number")
    if not 0 <= amount <= MAX_AMOUNT:
        raise ValueError(f"{name}={shown(amount)}: expected 0 to {MAX_AMOUNT}")
    return int(amount)


@dataclass(frozen=True, slots=True)
class WantedHold:
    """What is to be held of one key: up to a fraction of the smallest burst of its limits."""

    check: Check
    limits: Limits
    options: HoldOptions
    is_enforced: bool = True  # False of a rule in shadow: a denial lets through, and holds nothing

    def in_shadow(self) -> WantedHold:
        """Return the same, and let through what is denied."""
        return replace(self, is_enforced=False)

    def enforced(self, made: Decision) -> Decision:
        """Return the decision that counts."""
        return made if self.is_enforced else structs.replace(made, allowed=True)

    def reserve(self, number: int, more: str = "", amount: int | None = None) -> Reserve:
        """Return the question, or the one for so many tokens more, of that reservation if any.

        An id of the caller's is that of the first question alone.
        """
        key, text, cost = self.check
        own = self.options.own if amount is None else ""
        tokens_of = cost if amount is None else amount
        return Reserve(number, 0, key, text, tokens_of, self.options.ttl, own, more)


def wanted_hold(key: str, limits: str | Limits, amount: object, options: HoldOptions) -> WantedHold:
    """Return what is to be asked; what can't be raises as of a check.

    An amount above what may be held is cut to that.
    """
    (key, text, _), read = question(key, limits, 0)
    most = max(math.floor(options.max_fraction * read.smallest_burst), 1)
    return WantedHold((key, text, min(tokens(amount), most)), read, options)


def commit_question(number: int, reservation: object, actual: object) -> Commit:
    """Return what commits a reservation. ReservationError for what no id can be."""
    if not isinstance(reservation, str):
        raise TypeError(f"reservation_id={shown(reservation)}: expected a text")
    if len(reservation) > MAX_ID or not reservation.isascii():
        raise ReservationError(f"reservation_id={shown(reservation)}: expected what reserve gave")
    return Commit(number, 0, reservation, tokens(actual, "actual"))


def decision_of(found: Reserved, wanted: WantedHold, amount: int) -> Decision:
    """Return what a sidecar has decided. ReservationError for what can't be asked."""
    require_done(found)
    return decision(found, found.answer, wanted.limits, amount)


def committed_of(found: Reserved) -> Committed:
    """Return what a commit has come to. ReservationError."""
    require_done(found)
    return Committed(found.held, max(-found.change, 0), max(found.change, 0))


def require_done(found: Reserved) -> None:
    """Raise ReservationError if a sidecar says what is wrong with a question."""
    if isinstance(found.answer, str):
        raise ReservationError(found.answer, is_over=found.fault == HoldFault.OVER)
