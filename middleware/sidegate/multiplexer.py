"""A multiplexer: the one connection of a process, shared by all threads or greenlets that ask.

There is no thread of our own and no event loop, so that a client lives through forks, under gevent
and in uWSGI without threads. Whoever asks while nobody leads becomes the *leader*: it dials, writes
what all have asked meanwhile in one frame, reads, and hands out the answers. When its own has come
it passes the lead on to another one that waits. The others, the followers, wait on a lock each.
One frame for many checks is also what makes this faster than a connection for each thread.

Trouble of our own is not the sidecar's. Threads that wait for the CPU, greenlets for a busy hub,
and a leader that could not run must not pass for a sidecar that is silent: then the breaker would
open in a burst, and let everybody through, which is when a limiter is for. Hence three rules.

1. Silence is measured in time listened, not in time gone by (`listening.py`).
2. A question is given up only after a read that found nothing more, so no answer is lost that lies
   in the socket's buffer already.
3. Who has waited for a budget by the wall clock goes on waiting unless that silence is complete,
   up to its patience. Then this process's share of the limit decides.

A step of listening is short, one millisecond, since a question that comes up in the middle of it
waits for its end to be written. Most steps end with an answer long before.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from sidegate.exchange import Exchange
from sidegate.line import Line
from sidegate.link import MOST_IN_FLIGHT
from sidegate.overload import Trouble
from sidegate.wire import (
    MOST_CHECKS,
    Answers,
    Forget,
    Message,
    Ping,
    Pong,
    Refused,
    Roster,
    WireError,
    decode,
    encode,
    refuse,
)

if TYPE_CHECKING:
    from sidegate.exchange import Question
    from sidegate.options import Options
    from sidegate.wire import Bytes

MOST_WAITING = MOST_IN_FLIGHT  # checks; beyond it, waiting longer helps no one
LONGEST_STEP = 0.001  # seconds; at most an eighth of a budget, so that eight are missed, not one
# How long a check may wait while the CPU or the hub is at fault: four budgets, and 2 seconds where
# budgets are short, in which a process with 3,000 threads and half a core gets round to each. Who
# waits that long has a response that is late by far more than by its limiter.
PATIENT_BUDGETS = 4
LEAST_PATIENCE = 2.0
# Seconds between two looks for another connection when the sidecar is going: it says so 2 seconds
# before it closes, and until then nobody else may be there, or the same one answers.
RELIEF_EVERY = 0.1
_FAULTS = (OSError, ValueError, WireError)  # ValueError: a host that can't be one


class Watcher(Protocol):
    """Who hears from the leader of a process what happens besides answers; mostly a client."""

    def told(self, message: Roster | Forget, /) -> None:
        """Take what the sidecar says to all apps."""

    def answered(self) -> None:
        """Take note that checks were answered."""

    def failed(self, error: Exception, /) -> None:
        """Take note that the sidecar is at fault: checks fail."""

    def report(self, now: float, /) -> bytes:
        """Return frames that a sidecar should get now in front of checks, mostly none."""
        ...


def patience(budget: float) -> float:
    """Return how many seconds a check may wait in all while this process is at fault."""
    return max(PATIENT_BUDGETS * budget, LEAST_PATIENCE)


class Multiplexer:
    """Settles questions over one connection at a time. For threads, or greenlets, of one process.

    `_lock` guards who leads, who follows and what is queued; the line and its exchange belong to
    the leader alone.
    """

    def __init__(self, options: Options, watcher: Watcher) -> None:
        self._options = options
        self._watcher = watcher
        self._budget = options.budget
        self._patience = patience(options.budget)
        self._step = min(LONGEST_STEP, options.budget / 8)
        self._lock = threading.Lock()
        self._leader: Question | None = None
        self._followers: dict[Question, threading.Lock] = {}  # who wait, by when they came
        self._queue: list[Question] = []  # not written yet
        self._is_closed = False
        self._line: Line | None = None
        self._relief: Line | None = None  # being dialled, to take its place
        self._relief_due = 0.0
        self._exchange = Exchange(self._budget, self._step)
        self._expire_at = 0.0

    def ask(self, question: Question) -> None:
        """Return when the question is settled: within its budget, unless this process is starved.

        A connection that broke while nobody asked, as it does when the sidecar is restarted, shows
        it only now. Then a check is asked once more on another one. If the sidecar had decided it
        and died before its answer left, and another node owns the key, it is charged twice: at
        most one cost too many for each death of a sidecar and each check then in flight. After
        silence nothing is asked again.
        """
        try:
            wake = self._join(question)
            if wake is not None:
                self._follow(question, wake)
            while self._leader is question and not question.is_settled:
                self._turn(question)
        except BaseException:
            if self._leader is question:
                self._break_off(question)
            raise
        finally:
            self._leave(question)

    # --- who leads

    def _join(self, question: Question) -> threading.Lock | None:
        """Become the leader, or a follower with a lock that is released when it is to wake up."""
        with self._lock:
            if self._leader is None:
                self._leader = question
                self._queue.append(question)
                return None
            wake = threading.Lock()
            if len(self._followers) >= MOST_WAITING:
                question.give_up(Trouble.FULL)
                return wake
            wake.acquire()
            self._followers[question] = wake
            self._queue.append(question)
            return wake

    def _follow(self, question: Question, wake: threading.Lock) -> None:
        """Wait until the question is settled, or for the lead.

        It is the leader who sees to it that nobody waits too long. It can't while the system looks
        up a name for it; and twice the patience is for a leader that is stuck for good.
        """
        if question.is_settled or wake.acquire(timeout=self._budget):
            return
        trouble = Trouble.RESOLVING
        if not self._is_resolving:
            if wake.acquire(timeout=2 * self._patience - self._budget):
                return
            trouble = Trouble.BUSY
        with self._lock:
            if self._leader is not question and not question.is_settled:
                question.give_up(trouble)

    @property
    def _is_resolving(self) -> bool:
        line = self._line
        return line is not None and line.is_resolving

    def _leave(self, question: Question) -> None:
        """Pass the lead on if we have it; be nobody's follower, however this ended."""
        if self._leader is question:
            self._pass_on(question)
        elif question in self._followers:
            with self._lock:
                if self._leader is not question:
                    self._followers.pop(question, None)
                    question.is_settled = True
                    return
            self._pass_on(question)

    def _pass_on(self, question: Question) -> None:
        with self._lock:
            question.is_settled = True  # if it was killed: nobody waits for it any more
            self._leader = None
            # The latest: it isn't asleep yet, and its own answer comes last, so it leads longest.
            while self._followers and self._leader is None:
                successor, wake = self._followers.popitem()
                if not successor.is_settled:
                    self._leader = successor
                wake.release()
            if self._leader is None and self._is_closed:
                self._drop()

    def _break_off(self, question: Question) -> None:
        """Leave everything such that another one can go on, when the leader is killed.

        It need not be asked again what was asked on a line that is still whole.
        """
        question.is_settled = True
        line = self._line
        if line is not None and not (line.is_up and line.is_cooperative):
            self._drop()
            self._give_up(self._ask_again(self._exchange.abandon()), Trouble.BUSY)

    # --- what a leader does

    def _turn(self, mine: Question) -> None:
        """Take one step, in which answers may come, and expire what has waited for too long."""
        began = time.monotonic()
        try:
            line = self._line or self._dial()
            heard = self._converse(line, began) if line.is_up else line.advance()
            if heard:
                self._exchange.listening.heard()
            if not heard or began >= self._expire_at:
                self._expire(mine, began)
            if not heard:
                self._exchange.listening.add(time.monotonic() - began)
        except _FAULTS as error:
            self._lose(error)

    def _dial(self) -> Line:
        self._exchange = Exchange(self._budget, self._step)
        self._line = line = Line(self._options, self._step)
        return line

    def _converse(self, line: Line, now: float) -> bool:
        """Write what is queued, read what is there; was there anything?"""
        if line.is_clogged:
            line.send(b"")
        elif not line.is_left or now < self._relief_due:
            self._write(line, now)
        elif self._exchange.is_idle:
            line = self._relieve(line, now)
            self._write(line, now)
        bodies = line.receive()
        for body in bodies:
            self._hear(line, body)
        return bool(bodies)

    def _write(self, line: Line, now: float) -> None:
        if not self._queue:
            return
        with self._lock:
            queued = self._queue[:MOST_CHECKS]
            self._queue = self._queue[MOST_CHECKS:]
        asking = [question for question in queued if not question.is_settled]
        if asking:
            report = self._watcher.report(now) if self._exchange.has_answered else b""
            line.send(report + self._exchange.write(asking, now + 2 * self._patience))

    def _hear(self, line: Line, body: Bytes) -> None:
        message = decode(body)
        if type(message) is Answers:  # by far the most frequent
            self._wake(self._exchange.land(message))
            self._watcher.answered()
        else:
            self._hear_rarer(line, message)

    def _hear_rarer(self, line: Line, message: Message) -> None:
        match message:
            case Roster() | Forget():
                self._watcher.told(message)
                line.is_left |= isinstance(message, Roster) and message.leaving == 1
            case Ping():
                line.send(encode(Pong(message.id)))
            case Pong():
                pass
            case _:
                refuse(message)

    def _wake(self, settled: list[Question]) -> None:
        followers = self._followers
        for question in settled:
            wake = followers.pop(question, None)  # atomic, so it needs no lock
            if wake is not None:
                wake.release()

    def _relieve(self, line: Line, now: float) -> Line:
        """Return another line in the place of one whose sidecar is going; that one if none is.

        Nothing is in flight then. Half of a budget is for it, the other half for the old line.
        """
        self._relief_due = now + RELIEF_EVERY
        self._relief = relief = Line(self._options, self._step)
        try:
            while not relief.is_up and time.monotonic() < now + self._budget / 2:
                relief.advance()
        except _FAULTS as error:
            relief.fail(error)
        except BaseException:
            relief.close()
            raise
        finally:
            self._relief = None
        if not relief.is_up:
            relief.close()
            return line
        line.close()
        self._line, self._exchange = relief, Exchange(self._budget, self._step)
        return relief

    # --- what goes wrong

    def _expire(self, mine: Question, began: float) -> None:
        """Give up what has waited for too long when the last read `began`.

        TimeoutError if the sidecar is at fault: a budget of silence was over then already.
        """
        self._expire_at = began + self._step
        line, exchange = self._line, self._exchange
        if line is None or line.has_more:
            return
        silent = exchange.is_silent if line.is_up else self._is_dial_silent
        if silent:
            raise TimeoutError("no answer within the budget")
        self._give_up(exchange.overdue(began), Trouble.UNANSWERED)
        if began - mine.asked_at >= self._patience:
            mine.give_up(Trouble.BUSY)
        while oldest := next(iter(self._followers), None):
            if began - oldest.asked_at < self._patience:
                break
            self._give_up([oldest], Trouble.BUSY)

    @property
    def _is_dial_silent(self) -> bool:
        return self._exchange.listening.silence(0.0) >= self._budget

    def _give_up(self, questions: list[Question], trouble: Trouble) -> None:
        for question in questions:
            question.give_up(trouble)
        self._wake(questions)

    def _lose(self, error: Exception) -> None:
        """Ask again, on another line, what was in flight; or fail it, and what is queued."""
        line, self._line = self._line, None
        if line is not None:
            line.fail(error)
        stranded = self._exchange.abandon()
        broke = isinstance(error, (OSError, Refused)) and not isinstance(error, TimeoutError)
        if broke and self._exchange.has_answered:
            failed = self._ask_again(stranded)
        else:
            with self._lock:
                queued, self._queue = self._queue, []
            failed = stranded + queued
        if failed:
            self._watcher.failed(error)
        for question in failed:
            question.fail(error)
        self._wake(failed)

    def _ask_again(self, stranded: list[Question]) -> list[Question]:
        """Queue questions once more; return those that were asked again already."""
        again = [question for question in stranded if not question.is_again]
        twice = [question for question in stranded if question.is_again]
        for question in again:
            question.is_again = True
        with self._lock:
            self._queue[:0] = again
        return twice

    # --- the end

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def close(self) -> None:
        """Close the connection; if it is in use, when nobody waits on it any more."""
        with self._lock:
            self._is_closed = True
            if self._leader is None:
                self._drop()

    def abandon(self) -> None:
        """Let go of the connection of the process that we were forked from.

        It goes on using it: only our copy is closed. No lock, for a thread that isn't here may
        hold it.
        """
        for line in (self._line, self._relief):
            if line is not None:
                line.close()
