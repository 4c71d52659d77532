"""A slot as an app has it, and what one is asked for: read from the arguments. Pure."""

from __future__ import annotations

from math import isfinite
from typing import Final, NamedTuple

from sidegate.client.checks import plain_key
from sidegate.errors import CheckError, NoSlot
from sidegate.protocol.holds.slot_messages import (
    MAX_AT_MOST,
    MAX_TTL_MS,
    SlotAnswer,
    SlotAsk,
    SlotState,
)

DEFAULT_TTL: Final = 600.0  # seconds
MAX_SECONDS: Final = MAX_TTL_MS // 1_000


class Slot(NamedTuple):
    """A slot that is held: one of `at_most` of its key.

    `in_flight` is how many were held when it was got, itself included; 0 where nobody knows.
    `source` says who gave it: "owner" or "backup" of the key, "memory" or "local" if this process
    did by itself, "open" if nobody could be asked.
    """

    key: str
    at_most: int
    in_flight: int
    source: str
    node: str = ""


class SlotWanted(NamedTuple):
    """What somebody asks for; times are in seconds."""

    key: str
    at_most: int
    ttl: float
    timeout: float
    strict: bool

    def ask(self, slot: int, waited: float = 0.0) -> SlotAsk:
        """Return the question for a slot of that id, after so many seconds of waiting."""
        wait = max(self.timeout - waited, 0.0)
        return SlotAsk(
            slot,
            0,
            self.key,
            self.at_most,
            int(self.ttl * 1e3),
            int(wait * 1e3),
            int(self.strict),
        )

    def denied(self, answer: SlotAnswer) -> NoSlot | CheckError:
        """Return the exception for an answer that isn't a slot."""
        if answer.state is SlotState.FAULT:
            return CheckError(answer.why)
        retry_after = answer.retry_after / 1e3
        return NoSlot(self.key, self.at_most, answer.in_flight, answer.source, retry_after)


def slot_wanted(
    key: str, at_most: int, ttl: float, timeout: float, *, strict: bool = False
) -> SlotWanted:
    """Return what is asked for; ValueError, TypeError or KeyTooLong names what can't be."""
    key = plain_key(key)
    if type(at_most) is not int or not 1 <= at_most <= MAX_AT_MOST:
        raise ValueError(
            f"at_most={at_most!r:.80}: expected a whole number from 1 to {MAX_AT_MOST}"
        )
    if not _is_seconds(ttl) or ttl < 0.001:  # what the protocol has
        raise ValueError(f"ttl={ttl!r:.80}: expected seconds from 0.001 to {MAX_SECONDS}")
    if not _is_seconds(timeout):
        raise ValueError(f"timeout={timeout!r:.80}: expected seconds from 0 to {MAX_SECONDS}")
    return SlotWanted(key, at_most, ttl, timeout, strict)


def _is_seconds(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isfinite(value) and 0 <= value <= MAX_SECONDS
