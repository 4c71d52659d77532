"""A conversation: what the leader of a process says to its sidecar, and hears from it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from sidegate.link.blocking.contention import is_contended
from sidegate.link.blocking.exchange import Exchange
from sidegate.link.blocking.line import FAULTS, Line
from sidegate.link.blocking.trouble import Trouble
from sidegate.protocol.codec import Refused, decode, encode, refuse
from sidegate.protocol.holds.lease_messages import Borrow, Lent
from sidegate.protocol.levels import OlderSide
from sidegate.protocol.messages import Answers, Forget, Message, Ping, Pong, Refund, Roster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.link.blocking.exchange import Question
    from sidegate.link.blocking.waiting import Waiting
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.codec import Bytes

# Seconds. A question that comes up in the middle of a step waits for its end to be written. Most
# steps end with an answer long before. At most an eighth of a budget, so that a budget has some.
LONGEST_STEP = 0.001
# How long a check may wait while the CPU or the hub is at fault: four budgets, and 2 seconds where
# budgets are short, in which a process with 3,000 threads and half a core gets round to each. Who
# waits that long has a response that is late by far more than by its limiter.
PATIENT_BUDGETS = 4
LEAST_PATIENCE = 2.0
# Seconds between two looks for another connection when the sidecar is going: it says so 2 seconds
# before it closes, and until then nobody else may be there, or the same one answers.
RELIEF_EVERY = 0.1


class ConversationWatcher(Protocol):
    """Who hears from the leader of a process what happens besides answers."""

    def told(self, message: Roster | Forget | Lent, /) -> None:
        """Take what the sidecar says to all apps, or what it lends."""

    def answered(self) -> None:
        """Take note that checks were answered."""

    def failed(self, error: Exception, /) -> None:
        """Take note that the sidecar is at fault: checks fail."""

    def report(self) -> bytes:
        """Return frames that a sidecar should get now in front of checks, mostly none."""
        ...

    @property
    def has_words(self) -> bool:
        """Is there something to say of leases?"""
        ...

    def words(self) -> Sequence[Message]:
        """Return what there is to say of leases: now, or never."""
        ...


def patience(budget: float) -> float:
    """Return how many seconds a check may wait in all while this process is at fault."""
    return max(PATIENT_BUDGETS * budget, LEAST_PATIENCE)


class Conversation:
    """One connection after the other, and what was asked on it. Only the leader may use it."""

    def __init__(self, options: Endpoint, waiting: Waiting, watcher: ConversationWatcher) -> None:
        self._options = options
        self._waiting = waiting
        self._watcher = watcher
        self._budget = options.budget
        self._patience = patience(options.budget)
        self._step = min(LONGEST_STEP, options.budget / 8)
        self._line: Line | None = None
        self._exchange = self._new_exchange()
        self._expire_at = 0.0
        self._relief: Line | None = None  # being dialled, to take the line's place
        self._relief_due = 0.0

    @property
    def is_resolving(self) -> bool:
        """Does the leader wait for the system's resolver, which nobody can interrupt?"""
        line = self._line
        return line is not None and line.is_resolving

    def step(self, mine: Question) -> None:
        """Take one step, in which answers may come, and expire what has waited for too long."""
        began = time.monotonic()
        try:
            line = self._line or self._dial()
            heard = self._converse(line, began) if line.is_up else line.advance()
            if heard:
                self._exchange.listening.heard()
            if not heard or began >= self._expire_at:
                self._expire(mine, began)
            self._exchange.listening.add(time.monotonic() - began, heard=heard)
        except FAULTS as error:
            self._lose(error)

    def _new_exchange(self) -> Exchange:
        return Exchange(self._step, traces=self._options.telemetry is not None)

    def _dial(self) -> Line:
        self._exchange = self._new_exchange()
        self._line = line = Line(self._options, self._step)
        return line

    # --- talking

    def _converse(self, line: Line, now: float) -> bool:
        """Write what is queued, read what is there; was there anything?"""
        if line.is_clogged:
            line.send(b"")
        elif not line.is_left or now < self._relief_due:
            self._write(line, now)
        elif self._exchange.is_idle:  # else what is in flight comes first
            line = self._relieve(line, now)
            self._write(line, now)
        bodies = line.receive()
        for body in bodies:
            self._hear(line, body)
        return bool(bodies)

    def _write(self, line: Line, now: float) -> None:
        """Write checks with the whole budget: until now their askers have waited for ourselves."""
        if self._waiting.refunds:
            self._give_back(line)
        if self._watcher.has_words:
            self._say_words(line)
        if questions := self._waiting.take():
            report = self._watcher.report() if self._exchange.has_answered else b""
            frames = self._exchange.write(questions, self._budget, now + 2 * self._patience)
            line.send(report + frames)

    def _give_back(self, line: Line) -> None:
        with suppress(OlderSide):  # then they are lost, which is safe
            line.tell(Refund(0, self._waiting.take_refunds()))

    def _say_words(self, line: Line) -> None:
        words = self._watcher.words()
        if words and not line.lacks(Borrow):
            line.send(b"".join(map(encode, words)))

    def look(self) -> None:
        """Say what there is to say of leases, and hear what has come, without waiting."""
        line = self._line
        if line is None or not line.is_up or line.is_clogged:
            return
        try:
            if self._watcher.has_words:
                self._say_words(line)
            while line.is_readable():
                for body in line.receive():
                    self._hear(line, body)
        except FAULTS as error:
            self._lose(error)

    def say_refunds(self) -> None:
        """Say what is to be given back, if the line can take it now; else drop it."""
        line = self._line
        if line is None or not line.is_up or line.is_clogged:
            self._waiting.take_refunds()
            return
        try:
            self._give_back(line)
        except FAULTS as error:
            self._lose(error)

    def _hear(self, line: Line, body: Bytes) -> None:
        message = decode(body)
        if type(message) is Answers:  # by far the most frequent
            self._waiting.wake(self._exchange.land(message))
            self._watcher.answered()
        else:
            self._hear_rarer(line, message)

    def _hear_rarer(self, line: Line, message: Message) -> None:
        match message:
            case Roster() | Forget() | Lent():
                self._watcher.told(message)
                line.is_left |= isinstance(message, Roster) and message.leaving == 1
            case Ping():
                line.tell(Pong(message.id))
            case Pong():
                pass
            case _:
                refuse(message)

    def _relieve(self, line: Line, now: float) -> Line:
        """Return another line in the place of one whose sidecar is going; that one if none is.

        Nothing is in flight then. Half of a budget is for it, the other half for the old line.
        """
        self._relief_due = now + RELIEF_EVERY
        self._relief = relief = Line(self._options, self._step)
        try:
            while not relief.is_up and time.monotonic() < now + self._budget / 2:
                relief.advance()
        except FAULTS as error:
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
        self._line, self._exchange = relief, self._new_exchange()
        return relief

    # --- what goes wrong

    def _expire(self, mine: Question, began: float) -> None:
        """Give up what isn't answered, and had waited for too long when the last read `began`.

        TimeoutError if the sidecar is at fault.
        """
        self._expire_at = began + self._step
        if self._line is None or self._line.has_more:
            return
        self._expire_by_silence(self._line, began)
        if not mine.is_settled and began - mine.asked_at >= self._patience:
            mine.give_up(Trouble.BUSY)
        while oldest := self._waiting.oldest:
            if began - oldest.asked_at < self._patience:
                break
            self._give_up([oldest], Trouble.BUSY)

    def _expire_by_silence(self, line: Line, began: float) -> None:
        exchange, enough = self._exchange, self._budget
        waited = exchange.waited if line.is_up else exchange.listening.now
        if waited < enough:
            return
        if is_contended():
            enough = self._patience / 2  # the sidecar may wait for the CPU
        silence = exchange.silence if line.is_up else exchange.listening.silence(0.0)
        if silence >= enough:
            raise TimeoutError("no answer within the budget")
        self._give_up(exchange.overdue(enough, began), Trouble.UNANSWERED)

    def _give_up(self, questions: list[Question], trouble: Trouble) -> None:
        for question in questions:
            question.give_up(trouble)
        self._waiting.wake(questions)

    def _lose(self, error: Exception) -> None:
        """Ask again, on another line, what was in flight; or fail it, and what is queued."""
        line, self._line = self._line, None
        if line is not None:
            line.fail(error)
        self._waiting.take_refunds()
        stranded = self._exchange.abandon()
        broke = isinstance(error, (OSError, Refused)) and not isinstance(error, TimeoutError)
        if broke and self._exchange.has_answered:
            failed = self._waiting.ask_again(stranded)
        else:
            failed = stranded + self._waiting.take_all()
        if failed:
            self._watcher.failed(error)
        for question in failed:
            question.fail(error)
        self._waiting.wake(failed)

    def break_off(self) -> None:
        """Leave everything such that another one can go on: the leader is killed.

        What was asked on a line that may not be whole any more is asked again.
        """
        line = self._line
        if line is not None and not (line.is_up and line.is_cooperative):
            self.drop()
            self._give_up(self._waiting.ask_again(self._exchange.abandon()), Trouble.BUSY)

    # --- the end

    def drop(self) -> None:
        """Close the connection."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def abandon(self) -> None:
        """Close this process's copies of what belongs to the one that we were forked from."""
        for line in (self._line, self._relief):
            if line is not None:
                line.close()
