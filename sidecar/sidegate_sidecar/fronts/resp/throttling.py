"""Throttling: the commands that ask for a decision, and their five integers. Pure.

`CL.THROTTLE` is that of redis-cell, `THROTTLE` that of throttlecrab. Both name a limit as `count`
tokens in `period` seconds and the size of its bucket, and mean the very bucket that an app has
under `count/period seconds burst size`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.limits import SECOND, Limit, Limits
from sidegate.client.answers import decision
from sidegate.errors import LimitError, SidegateError, quoted
from sidegate.http.headers import CLOSED_RETRY
from sidegate_sidecar.fronts.resp.replies import error

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.protocol.messages import Answer, Answers

MAX_KNOWN = 4_096  # limits remembered as they were written: more than one service has
MAX_DIGITS = 19  # of a number: those of redis-cell have 64 bits
UNKNOWN = -1  # what is left and when it is full, where nobody could be asked
NEVER = -1  # seconds until a quantity fits that is larger than the bucket
MAX_QUANTITY = 2**63 - 1
_WORDS = ("key", "max_burst", "count", "period", "quantity")


class Throttle(NamedTuple):
    """A check that one command asks for, and what writes its answer."""

    throttling: Throttling
    key: str
    limits: Limits
    cost: int
    fits: bool  # or it can never pass, and is only looked at


class Throttling:
    """One command: how it says the size of a bucket, and in which order it has its answer."""

    def __init__(
        self, name: str, beyond: int, verdicts: tuple[int, int], *, retry_last: bool
    ) -> None:
        self._name = name
        self._beyond = beyond  # what the bucket holds more than `max_burst`
        self._denied, self._allowed = verdicts
        self._retry_last = retry_last
        self._known: dict[tuple[bytes, bytes, bytes], Limits] = {}
        retry = b":0\r\n" if retry_last else b":-1\r\n"
        tail = b":%d\r\n" + retry if retry_last else retry + b":%d\r\n"
        self._granted = b"*5\r\n:%d\r\n:%%d\r\n:%%d\r\n" % self._allowed + tail

    # --- what is asked

    def asked(self, command: list[bytes]) -> Throttle:
        """Return what a command asks for; ValueError says what of it can't be.

        Hot: 0.6 µs where the limit is known.
        """
        if not 5 <= len(command) <= 6:
            raise ValueError(
                f"{self._name} with {len(command) - 1} arguments: expected key, max_burst, count,"
                " period, and perhaps quantity"
            )
        limits = self._known.get((command[2], command[3], command[4]))
        if limits is None:
            limits = self._read(command)
        cost = 1
        if len(command) == 6 and command[5] != b"1":
            cost = _number(command, 5, 0, MAX_QUANTITY)
        try:
            key = command[1].decode()
        except UnicodeDecodeError:
            raise ValueError(f"key {command[1][:80]!r}: expected UTF-8") from None
        burst = limits.items[0].burst
        if cost > burst:
            return Throttle(self, key, limits, 0, fits=False)
        return Throttle(self, key, limits, cost, fits=True)

    def _read(self, command: list[bytes]) -> Limits:
        burst = _number(command, 2, 1 - self._beyond, MAX_QUANTITY)
        count, period = (_number(command, at, 1, MAX_QUANTITY) for at in (3, 4))
        try:
            limits = Limits([Limit(count, period, burst + self._beyond)], carries=True)
        except LimitError as wrong:
            said = " ".join(
                f"{word} {it.decode()}" for word, it in zip(_WORDS[1:4], command[2:5], strict=True)
            )
            raise ValueError(f"{said}: {wrong.why}") from None
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[command[2], command[3], command[4]] = limits
        return limits

    # --- what is answered

    def reply(self, asked: Throttle, answers: Answers, answer: Answer) -> bytes:
        """Return the reply to a question, which is one of these answers.

        Hot: 0.3 µs for what an owner has allowed.
        """
        _, _, limits, cost, fits = asked
        limit = limits.items[0]
        if len(answer) == 2 and answer[0] == 1 and fits and limit.scale == answers.parts == 1:
            debt = answer[1]
            assert isinstance(debt, int)  # or it were a text of two characters
            left = (limit.capacity - debt) // limit.interval
            return self._granted % (limit.burst, max(left, 0), -(-debt // SECOND))
        try:
            return self._written(decision(answers, answer, limits, cost), fits=fits)
        except SidegateError as wrong:
            return error(str(wrong))

    def _written(self, made: Decision, *, fits: bool) -> bytes:
        allowed = made.allowed and fits
        left, reset = made.remaining, UNKNOWN
        if made.debts:
            reset = -(-made.debts[0] // SECOND)
        retry = self._retry(made, allowed=allowed, fits=fits)
        times = (reset, retry) if self._retry_last else (retry, reset)
        verdict = self._allowed if allowed else self._denied
        integers = (verdict, made.limit, UNKNOWN if left is None else left, *times)
        return b"*5\r\n:%d\r\n:%d\r\n:%d\r\n:%d\r\n:%d\r\n" % integers

    def _retry(self, made: Decision, *, allowed: bool, fits: bool) -> int:
        if allowed:
            return 0 if self._retry_last else NEVER
        if not fits:
            return NEVER
        return -(-made.wait // SECOND) if made.debts else CLOSED_RETRY


def throttlings() -> dict[bytes, Throttling]:
    """Return the commands, by name."""
    return {
        b"CL.THROTTLE": Throttling("CL.THROTTLE", 1, (1, 0), retry_last=False),
        b"THROTTLE": Throttling("THROTTLE", 0, (0, 1), retry_last=True),
    }


def _number(command: list[bytes], at: int, least: int, most: int) -> int:
    """Return the number that an argument is; ValueError for another, or for none."""
    said = command[at]
    digits = said.removeprefix(b"-")
    if digits.isdigit() and len(digits) <= MAX_DIGITS and least <= (number := int(said)) <= most:
        return number
    text = quoted(said.decode("utf-8", "replace"))
    raise ValueError(f"{_WORDS[at - 1]} {text}: expected a whole number from {least}")
