"""What the threads of one process share to ask its sidecar, or to decide without it."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from typing import TYPE_CHECKING

from sidegate.answers import decision
from sidegate.breaker import Breaker, Entry
from sidegate.multiplexer import Multiplexer
from sidegate.outage import Outage
from sidegate.outcomes import OutcomeCounts
from sidegate.overload import Overload
from sidegate.wire import Forget, Roster, WireError, encode

if TYPE_CHECKING:
    from sidegate.decision import Decision
    from sidegate.denials import Denials
    from sidegate.exchange import Question
    from sidegate.fallback import Fallback
    from sidegate.limits import Limits
    from sidegate.options import Options

log = logging.getLogger("sidegate")


class Shared:
    """The connection, its breaker, the tables and the counts of one process, and their lock.

    It belongs to the process that made it: in another one it may only be asked for `pid`, and
    told to `close`.
    """

    def __init__(
        self, options: Options, fallback: Fallback, denials: Denials | None, nodes: int = 1
    ) -> None:
        self.pid = os.getpid()
        self.fallback = fallback
        self.denials = denials
        self.nodes = nodes  # on the ring, as the sidecar last said
        self.lock = threading.Lock()  # over the tables of denials and of the fallback, and counts
        self.breaker = Breaker(random.uniform)
        self.multiplexer = Multiplexer(options, self)
        self._options = options
        self._why = ""  # why the sidecar gave no answer the last time
        self._outage = Outage(str(options.sidecar), fallback.policy)
        self._overload = Overload()
        self._outcomes = OutcomeCounts()

    # --- checks

    def recall(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return a denial that still holds."""
        if not self.denials:  # nobody was denied of late
            return None
        with self.lock:
            return self.denials.recall(key, limits, cost, now)

    def remember(self, key: str, denial: Decision, asked_at: int) -> None:
        """Remember a denial, if denials are remembered."""
        if self.denials is not None:
            with self.lock:
                self.denials.remember(key, denial, asked_at)

    def decide(self, question: Question, limits: Limits) -> Decision:
        """Return the sidecar's decision, or what is decided here if there is none."""
        if self._options.fault:
            return self._without_sidecar(question, limits, self._options.fault)
        entry = self.breaker.enter(time.monotonic())
        if entry is Entry.REFUSED:
            return self._without_sidecar(question, limits, self._why)
        try:
            self.multiplexer.ask(question)
            if question.answers is not None:
                return decision(question.answers, question.answer, limits, question.check[2])
        except WireError as error:  # an answer to something else
            question.failure = error
            self.failed(error)
        except BaseException:
            self.breaker.abandoned(entry)
            raise
        if question.failure is None:
            self.breaker.abandoned(entry)
            return self._share(question, limits)
        if entry is Entry.PROBE:  # for the others the leader has said so, once for all
            self.breaker.failed(entry, time.monotonic())
        return self._without_sidecar(question, limits, _reason(question.failure))

    def _without_sidecar(self, question: Question, limits: Limits, why: str) -> Decision:
        """Decide by the policy for when the sidecar can't be reached."""
        key, _, cost = question.check
        now = time.monotonic_ns()
        with self.lock:
            line = self._outage.decided(why, now * 1e-9)
            decided = self.fallback.decide(key, limits, cost, self.nodes, now)
            self._outcomes.count(decided.source.value)
        if line:
            log.warning("%s", line)
        return decided

    def _share(self, question: Question, limits: Limits) -> Decision:
        """Decide by this process's share: it has trouble of its own."""
        key, _, cost = question.check
        now = time.monotonic_ns()
        with self.lock:
            line = self._overload.decided(question.trouble, now * 1e-9) if question.trouble else ""
            decided = self.fallback.share(key, limits, cost, self.nodes, now)
            self._outcomes.count(decided.source.value)
        if line:
            log.warning("%s", line)
        return decided

    def count(self, outcome: str) -> None:
        """Count what was decided elsewhere."""
        with self.lock:
            self._outcomes.count(outcome)

    # --- what the leader tells

    def told(self, message: Roster | Forget) -> None:
        """Keep the size of the ring; forget the denials of a key that was reset."""
        if isinstance(message, Roster):
            self.nodes = max(len(message.members), 1)
        elif self.denials:
            with self.lock:
                self.denials.forget(message.key)

    def answered(self) -> None:
        """Let everybody through again, and say so."""
        self.breaker.succeeded()
        if self._outage.is_on:
            with self.lock:
                line = self._outage.over(time.monotonic())
            if line:
                log.warning("%s", line)

    def failed(self, error: Exception) -> None:
        """Let nobody through for a while."""
        self._why = _reason(error)
        self.breaker.failed(Entry.FREE, time.monotonic())

    def report(self, now: float) -> bytes:
        """Return a frame with what was decided without the sidecar, at most once a second."""
        if not self._outcomes:
            return b""
        with self.lock:
            message = self._outcomes.take(now)
        return b"" if message is None else encode(message)

    # --- the end

    def close(self) -> None:
        """Close the connection, or in a forked process our copy of it."""
        if self.pid == os.getpid():
            self.multiplexer.close()
        else:
            self.multiplexer.abandon()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
