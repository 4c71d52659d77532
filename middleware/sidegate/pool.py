"""A pool: the lines of one process to its sidecar, one for each thread that is just asking."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sidegate.wire import Refused, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.line import Line
    from sidegate.wire import Answers, Check

# Lines. More threads than that don't run at once in one process; more greenlets may, and they
# take turns, 50 µs each. So a process with 10,000 of them doesn't take all the connections
# (4,096) that a sidecar has.
MOST_LINES = 64
# Seconds. A line that idles longer is left over from a burst; what the sidecar says now and then
# on a line that nobody reads would fill its buffers.
MOST_IDLE = 30.0
# Seconds between two looks for a line to take the place of one whose sidecar is going: it says so
# 2 seconds before it closes, and until then nobody else may be there, or the same one answers.
RELIEF_EVERY = 0.1


class Pool:
    """Lines made by `dial(deadline)`; deadlines are of time.monotonic. For threads."""

    def __init__(self, dial: Callable[[float], Line], most: int = MOST_LINES) -> None:
        self._dial = dial
        self._most = most
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._idle: list[Line] = []  # the latest last: it is taken first
        self._open = 0  # idle, in use and being dialled
        self._waiting = 0
        self._closed = False
        self._generation = 0  # of lines: those of an older one are lost, or may be

    def ask(self, check: Check, deadline: float) -> Answers:
        """Return the answer to a check; TimeoutError, OSError or WireError if there is none.

        A line that broke while it was idle, as all do when the sidecar is restarted, shows it
        only now. Then the check is asked once more on another one. If the sidecar had decided it
        and died before its answer left, and another node owns the key, the check is charged
        twice: at most one cost too many for each line and each death of a sidecar. After a
        timeout nothing is asked again.
        """
        line = self._take(deadline)
        was_used = line.is_used
        try:
            return self._ask_on(line, check, deadline)
        except TimeoutError:
            raise
        except (OSError, Refused):
            if not was_used:
                raise
        self._drop_idle(line.generation)
        return self._ask_on(self._take(deadline), check, deadline)

    def _ask_on(self, line: Line, check: Check, deadline: float) -> Answers:
        try:
            answers = line.ask(check, deadline)
        except BaseException as error:
            line.fail(error)
            self._leave()
            raise
        self._give(line)
        return answers

    def _take(self, deadline: float) -> Line:
        with self._lock:
            if not self._idle and self._open >= self._most:
                self._wait(deadline)
            if self._idle:
                line = self._idle.pop()
                if not line.is_left:  # the common case
                    return line
            else:
                line = None
                self._open += 1
            generation = self._generation
        try:
            if line is not None:
                return self._relieve(line, deadline)
            line = self._dial(deadline)
        except BaseException:
            self._leave()
            raise
        line.generation = generation
        return line

    def _relieve(self, line: Line, deadline: float) -> Line:
        """Return another line in the place of one whose sidecar is going; that one if none is."""
        now = time.monotonic()
        if now < line.relief_due:
            return line
        line.relief_due = now + RELIEF_EVERY
        try:
            relief = self._dial(now + (deadline - now) / 2)  # the other half is for the old line
        except (OSError, ValueError, WireError):
            return line
        except BaseException:
            line.close()
            raise
        line.close()
        relief.generation, relief.relief_due = line.generation, line.relief_due
        return relief

    def _wait(self, deadline: float) -> None:
        """Wait, with the lock, until a line is idle or may be dialled."""
        self._waiting += 1
        try:
            while not self._idle and self._open >= self._most:
                if not self._freed.wait(max(deadline - time.monotonic(), 0)):
                    raise TimeoutError(f"all {self._most} lines are in use")
        finally:
            self._waiting -= 1

    def _give(self, line: Line) -> None:
        surplus: Line | None = None
        with self._lock:
            self._idle.append(line)
            if self._closed or line.generation != self._generation:
                surplus = self._idle.pop()
            elif self._idle[0].deadline < line.deadline - MOST_IDLE:
                surplus = self._idle.pop(0)
            if self._waiting:
                self._freed.notify()
        if surplus is not None:
            surplus.close()
            self._leave()

    def _leave(self) -> None:
        """Make room for another line."""
        with self._lock:
            self._open -= 1
            if self._waiting:
                self._freed.notify()

    def _drop_idle(self, generation: int) -> None:
        """Close the lines of a generation of which one was lost, in use ones as they come back.

        Only once: those dialled since are of the next.
        """
        with self._lock:
            if generation != self._generation:
                return
            self._generation += 1
            dropped = self._idle[:]
            self._idle.clear()
        for line in dropped:
            line.close()
            self._leave()

    def close(self) -> None:
        """Close the idle lines, and those in use as they come back."""
        with self._lock:
            self._closed = True
        self._drop_idle(self._generation)

    def abandon(self) -> None:
        """Let go of the lines of the process that we were forked from.

        It goes on using them: only our copies are closed. No lock, for a thread that isn't here
        may hold it. Lines that were in use then belong to such threads, and cost us nothing but
        a descriptor.
        """
        for line in self._idle:
            line.close()
