"""What callers of sidegate may be told they did wrong, or what went wrong around them."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from reprlib import Repr
from types import MappingProxyType
from typing import Self

_SHOWN = 160  # characters of a value
_MAX_RULES_TOLD = 20  # names in an error


class SidegateError(Exception):
    """Every error that sidegate raises on purpose."""


class LimitError(SidegateError, ValueError):
    """A limit that can't be understood or kept: the fault of whoever wrote it.

    `part` is the limit that is wrong, `text` the whole text that it stood in, None for
    a limit that was built in code.
    """

    def __init__(self, why: str, part: str = "", text: str | None = None) -> None:
        super().__init__(why, part, text)
        self.why = why
        self.part = part
        self.text = text

    def __str__(self) -> str:
        if self.text is None:
            return self.why
        if self.part == self.text.strip():
            return f"limit {quoted(self.part)}: {self.why}"
        return f"limit {quoted(self.part)} in {quoted(self.text)}: {self.why}"


class CostError(SidegateError, ValueError):
    """A cost that no bucket of these limits could ever pay: the fault of the caller."""

    def __init__(self, cost: int, burst: int) -> None:
        super().__init__(cost, burst)
        self.cost = cost
        self.burst = burst

    def __str__(self) -> str:
        return f"cost {self.cost}: expected 0 to {self.burst}, the smallest burst of the limits"


class KeyTooLong(SidegateError, ValueError):  # noqa: N818 - named for what the caller did
    """A key of more bytes than a node holds: the fault of the caller."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(size, most)
        self.size = size
        self.most = most

    def __str__(self) -> str:
        return f"key of {self.size} bytes: expected at most {self.most} bytes of UTF-8"


class MalformedRequest(SidegateError):  # noqa: N818 - named for what the client did
    """A request that can't be told apart from others: the fault of the client, who is answered 400.

    Its text says why.
    """


class RepeatedField(MalformedRequest):
    """A header field that tells clients apart came in several lines that differ.

    Which of them an app believes is the app's secret, so none of them is an identity.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the field {self.name} came in several lines that differ, expected one"


class WrongHost(MalformedRequest):
    """A request without a host, or with several, where its host chooses the limit (RFC 9112, 3.2).

    `host` is what it said.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        return f"the request names the host {quoted(self.host)}, expected one host in one line"


class NoEventLoop(SidegateError, RuntimeError):  # noqa: N818 - named for what is missing
    """A check by a Client where no asyncio event loop runs: the fault of the caller."""

    def __str__(self) -> str:
        return "a Client needs a running asyncio event loop; elsewhere use a BlockingClient"


class WaitTooLong(SidegateError, TimeoutError):  # noqa: N818 - named for what went wrong
    """The timeout is over before a check could pass, or will be: nothing was charged.

    `retry_after` is how many seconds it would have had to wait from now, as far as is known.
    """

    def __init__(self, key: str, limits: str, retry_after: float) -> None:
        super().__init__(key)
        self.key = key
        self.limits = limits
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, float]]:
        return type(self), (self.key, self.limits, self.retry_after)

    def __str__(self) -> str:
        key, limits = quoted(self.key), quoted(self.limits)
        if not self.retry_after:
            return f"key {key} waited for {limits} until its timeout"
        wait = f"{self.retry_after:.3g} s more"
        return f"key {key} would have to wait {wait} for {limits}, longer than its timeout"


class Unreachable(SidegateError):  # noqa: N818 - named for what went wrong
    """Nobody can say what a key has spent: its owner, or the sidecar, can't be asked in time.

    A reset may have been done all the same, if only its answer was lost. Doing it again is no harm.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(key, why)
        self.key = key
        self.why = why

    def __str__(self) -> str:
        return f"key {quoted(self.key)}: {self.why}"


class NoReport(SidegateError):  # noqa: N818 - named for what is missing
    """A report can't be had: the sidecar can't be asked, or hasn't answered in time."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"no report: {self.why}"


class UnknownRule(SidegateError, LookupError):  # noqa: N818 - named for what went wrong
    """A report of a rule of which no node has decided a check in the last three hours.

    `known` are the names of those of which one has.
    """

    def __init__(self, rule: str, known: list[str]) -> None:
        super().__init__(rule, known)
        self.rule = rule
        self.known = known

    def __str__(self) -> str:
        known = ", ".join(map(quoted, self.known))
        return f"rule {quoted(self.rule)}: no node has decided a check of it; they have {known}"


class RuleNotInForce(UnknownRule):
    """A check by the name of a rule that the sidecar's rules don't have, or that hasn't any."""

    def __str__(self) -> str:
        known = ", ".join(map(quoted, self.known[:_MAX_RULES_TOLD]))
        have = f"which are {known}" if known else "of which none are known here"
        return f"rule {quoted(self.rule)}: expected one of the sidecar's rules, {have}"


class ReservationError(SidegateError, ValueError):
    """An id that is no reservation's, or not that of this one: the fault of the caller.

    The text says why. `is_over` tells that it was one, whose time has been over for too long.
    """

    def __init__(self, why: str, *, is_over: bool = False) -> None:
        super().__init__(why)
        self.is_over = is_over


class CheckError(SidegateError):
    """A check that the sidecar could read but not decide; the text is the sidecar's reason."""


class TooManySlots(CheckError):  # noqa: N818 - named for what is wrong
    """A slot that can't be had, since whoever decides can't keep account of any more."""

    def __init__(self, slots: int, size: int) -> None:
        super().__init__(slots, size)
        self.slots = slots
        self.size = size

    def __str__(self) -> str:
        return f"{self.slots:,} slots are held ({self.size >> 20} MiB), no more fit"


class NoSlot(SidegateError):  # noqa: N818 - named for what is missing
    """All slots of a key are held, after the timeout too; or nobody can be asked for one.

    - `at_most`: how many may be held; where this process decides alone, its share of them.
    - `in_flight`: how many were, 0 where nobody knows.
    - `source`: who says so; "closed" where nobody can be asked.
    - `retry_after`: seconds before which there is none, 0.0 where nobody knows.
    """

    def __init__(
        self, key: str, at_most: int, in_flight: int, source: str, retry_after: float = 0.0
    ) -> None:
        super().__init__(key, at_most, in_flight, source, retry_after)
        self.key = key
        self.at_most = at_most
        self.in_flight = in_flight
        self.source = source
        self.retry_after = retry_after

    def __str__(self) -> str:
        if self.source == "closed":
            return f"key {quoted(self.key)}: nobody can be asked for a slot"
        return f"key {quoted(self.key)}: {self.in_flight} of {self.at_most} slots are in flight"


def quoted(text: str, most: int = 80) -> str:
    """Text in double quotes, cut to `most` characters and safe to print anywhere."""
    return json.dumps(text if len(text) <= most else text[: most - 3] + "...")


def shown(value: object) -> str:
    """Return how a value is shown to people, in one line, cut short; it may be anything."""
    cut = Repr()
    cut.maxstring = cut.maxother = 120
    text: str = cut.repr(value)
    line = " ".join(text.split()) if "\n" in text else text
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


def require_known(
    what: str,
    given: Iterable[str],
    known: Iterable[str],
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Raise TypeError for a name that isn't among the options of something, with what was meant.

    That is how ours is written for a name that other libraries have (`elsewhere`), or the closest.
    """
    options = list(known)
    for option in given:
        if option not in options:
            ours = elsewhere.get(option)
            meant = f"; here it is {ours}" if ours else did_you_mean(option, options)
            raise TypeError(f"{option} is no option of {what}{meant}")


def did_you_mean(wrong: str, names: Iterable[str], prefix: str = "", alike: float = 0.6) -> str:
    """Return the end of a line about a name that there isn't: which one was meant, if one is alike.

    `prefix` stands before each of the names, and `alike` is from 0 to 1.
    """
    close = get_close_matches(wrong.removeprefix(prefix), [*names], 1, alike)
    return f"; did you mean {prefix}{close[0]}?" if close else ""
