"""Key faults: what the log says of functions for keys and costs that fail or are slow. Pure.

The functions are the app's own, so a fault in one is a fault in code: it is said at once with its
rule, what it was and where, and then once a minute with a count.
"""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

from sidegate.errors import quoted

REMIND_EVERY = 60.0  # seconds
MAX_KINDS = 256  # of faults: rules times kinds of exceptions; more are of a kind that is known

_HERE = str(Path(__file__).parents[1])  # a line of ours tells nobody where a fault in the app is


class KeyFaults:
    """Counts faults by rule and kind, and says when to log one. `now` is in seconds."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], tuple[int, float]] = {}  # since it was said, and when

    def failed(self, rule: str, what: object, error: BaseException, done: str, now: float) -> str:
        """Count a failure; return the line to log, mostly none ("").

        `what` is the function that failed, or a text; `done` what becomes of the request.
        """
        count = self._due(rule, type(error).__name__, now)
        if not count:
            return ""
        requests = "the request was" if count == 1 else f"{count:,} requests were"
        return f"rule {rule!r}: {_named(what)} failed: {_told(error)}; {requests} {done}"

    def slow(self, rule: str, function: object, took: float, budget: float, now: float) -> str:
        """Count a key that took longer than a check may; return the line to log, mostly none."""
        count = self._due(rule, "slow", now)
        if not count:
            return ""
        times = "" if count == 1 else f", {count:,} times since this was last said"
        return (
            f"rule {rule!r}: {_named(function)} took {took * 1e3:.0f} ms{times}; requests wait"
            f" for it, and then up to {budget * 1e3:.0f} ms for the check"
        )

    def _due(self, rule: str, kind: str, now: float) -> int:
        """Count one; return how many to tell of now, 0 if it is too early."""
        if len(self._counts) >= MAX_KINDS and (rule, kind) not in self._counts:
            kind = ""
        count, said_at = self._counts.get((rule, kind), (0, now - REMIND_EVERY))
        due = now - said_at >= REMIND_EVERY
        self._counts[rule, kind] = (0, now) if due else (count + 1, said_at)
        return count + 1 if due else 0


def _named(function: object) -> str:
    """Return the name of a function and where it stands in the app's code."""
    if isinstance(function, str):
        return function
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


def _told(error: BaseException) -> str:
    """Return kind, text and place of an exception, on one line whatever is in its text."""
    text = f": {quoted(str(error), 200)}" if str(error) else ""
    frames = extract_tb(error.__traceback__, limit=-1)
    is_ours = not frames or frames[0].filename.startswith(_HERE)
    place = "" if is_ours else f" (line {frames[0].lineno} of {frames[0].filename})"
    return f"{type(error).__name__}{text}{place}"
