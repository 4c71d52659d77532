"""What the threads of one process share to ask its sidecar, or to decide without it."""

from __future__ import annotations

import os
import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sidegate.client.answers import decision, spent_of
from sidegate.client.events.in_threads import ThreadEvents
from sidegate.client.keys.key_lists import key_list, keys_forgotten
from sidegate.client.keys.key_questions import LIST_PATIENCE, RESET_PATIENCE, about
from sidegate.client.leases.in_threads import ThreadLeases
from sidegate.client.memory import STANDING, held_here, listed_here, reset_here, spent_here
from sidegate.client.unreachable.breaker import Breaker, Entry
from sidegate.errors import CheckError, NoReport, Unreachable
from sidegate.link.blocking.inspection import inquire
from sidegate.link.blocking.line import FAULTS
from sidegate.link.blocking.multiplexer import Multiplexer
from sidegate.link.blocking.trouble import Trouble
from sidegate.protocol.codec import WireError, encode
from sidegate.protocol.holds.lease_messages import Lent
from sidegate.protocol.holds.reservation_messages import Reserved
from sidegate.protocol.key_messages import KeysListed, KeysReset
from sidegate.protocol.levels import OlderSide
from sidegate.protocol.messages import NOBODY, Forget, Holdings, Inspect, Reset, Roster
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import REPORTED_WITHIN, ReportAnswer
from sidegate.reports.event_report import event_report_of, no_events
from sidegate.reports.report import nothing, report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.denials import Denials
    from sidegate.client.keys.key_lists import KeyList, KeysForgotten
    from sidegate.client.keys.key_questions import ListQuestion, ResetQuestion
    from sidegate.client.rules.in_threads import ThreadRules
    from sidegate.client.rules.pushed_rules import PushedRules
    from sidegate.client.slots.slots_in_threads import ThreadSlots
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.blocking.exchange import Question
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.holds.reservation_messages import Commit, Reserve
    from sidegate.protocol.messages import Check, Inquiry, InquiryAnswer, Message
    from sidegate.protocol.report_messages import EventQuery, ReportQuery
    from sidegate.reports.event_counts import Recorded
    from sidegate.reports.event_report import EventReport
    from sidegate.reports.report import Report
    from sidegate.ruleset.ruleset import RuleSet

    Answer = TypeVar("Answer", bound=InquiryAnswer)

_TELL_EVERY = 1.0  # seconds between two words to the sidecar about denials that were recalled


class Shared:
    """The connection, its breaker, the tables and the counts of one process, and their lock.

    It belongs to the process that made it: in another one it may only be asked for `pid`, and
    told to `close`.
    """

    def __init__(self, options: Endpoint, alone: Alone, denials: Denials | None) -> None:
        self.pid = os.getpid()
        self.alone = alone
        self.denials = denials
        self.breaker = Breaker(random.uniform)
        self.multiplexer = Multiplexer(options, self)
        self.leases = ThreadLeases(
            options.budget, self.multiplexer.look, remembers=denials is not None
        )
        self.leased = self.leases.table  # empty most of the time, which costs nothing to see
        self._events = ThreadEvents(options)
        self._rules: ThreadRules | None = None  # once somebody wants the sidecar's rules
        self.options = options
        self._slots: ThreadSlots | None = None  # once somebody wants one
        self._lock = threading.Lock()  # over the table of denials, and the line above
        self._instead = options.instead  # who decides, if nobody is asked
        if fault := options.fault:
            self._instead = partial(alone.unreachable, why=fault)
        self._told_at = 0.0  # of denials that were recalled
        self._why = ""  # why the sidecar gave no answer the last time

    # --- checks

    def recall(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return a denial that still holds."""
        if not self.denials or STANDING.decide:  # nobody was denied of late, by who has a say
            return None
        with self._lock:
            return self.denials.recall(key, limits, cost, now)

    def remember(self, key: str, denial: Decision, asked_at: int) -> None:
        """Remember a denial, if denials are remembered."""
        if self.denials is not None:
            with self._lock:
                self.denials.remember(key, denial, asked_at)

    def spend(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return the decision of a check that leases can make."""
        return None if STANDING.decide else self.leases.spend(key, limits, cost, now)

    def saw(self, check: Check, limits: Limits, now: int) -> None:
        """Look at a check that was asked: are tokens to be borrowed for it?"""
        if self.options.leases and not (STANDING.decide or self._instead):
            self.leases.saw(check, limits, now)

    def note_refund(self, key: str, decision: Decision) -> None:
        """Have this check asked about again."""
        self.forget_check((key, decision.limits.text, decision.cost))
        self.leases.ask_again(key, decision.limits)

    def forget_check(self, check: Check) -> None:
        """Ask about a check again: it may pass now."""
        if self.denials is not None:
            with self._lock:
                self.denials.forget_check(check, time.monotonic_ns())

    def decide(self, question: Question, limits: Limits) -> Decision:
        """Return the sidecar's decision, or what is decided here if there is none. CheckError."""
        if instead := STANDING.decide or self._instead:
            return instead(question.check, limits)
        entry = self.breaker.enter(time.monotonic())
        if entry is Entry.REFUSED:
            return self.alone.unreachable(question.check, limits, self._why)
        try:
            self.multiplexer.ask(question)
            return self._decided(question, limits, entry)
        except BaseException:
            self.breaker.abandoned(entry)
            raise

    def decide_all(
        self, asked: Sequence[tuple[Question, Limits]]
    ) -> list[Decision | BaseException]:
        """Return what `decide` does of each question, or the CheckError; all are asked as one."""
        if instead := STANDING.decide or self._instead:
            return [instead(question.check, limits) for question, limits in asked]
        if not asked:
            return []
        entry = self.breaker.enter(time.monotonic())
        if entry is Entry.REFUSED:
            return [self.alone.unreachable(it.check, limits, self._why) for it, limits in asked]
        try:
            self.multiplexer.ask_all([question for question, _ in asked])
        except BaseException:
            self.breaker.abandoned(entry)
            raise
        entries = [entry, *[Entry.FREE] * (len(asked) - 1)]  # what a probe finds counts once
        return [self._outcome(*it, by) for it, by in zip(asked, entries, strict=True)]

    def _outcome(
        self, question: Question, limits: Limits, entry: Entry
    ) -> Decision | BaseException:
        try:
            return self._decided(question, limits, entry)
        except CheckError as error:
            return error

    def _decided(self, question: Question, limits: Limits, entry: Entry) -> Decision:
        """Return the decision about a question that is settled. CheckError."""
        try:
            if question.answers is not None:
                return decision(question.answers, question.answer, limits, question.check[2])
        except WireError as error:  # an answer to something else
            question.failure = error
            self.failed(error)
        if question.failure is None:
            self.breaker.abandoned(entry)
            trouble = question.trouble or Trouble.BUSY
            return self.alone.share(question.check, limits, trouble.value)
        if entry is Entry.PROBE:  # for the others the leader has said so, once for all
            self.breaker.failed(entry, time.monotonic())
        return self.alone.unreachable(question.check, limits, _reason(question.failure))

    def refund(self, check: Check) -> None:
        """Give back what a check has charged, if the sidecar can be told now."""
        if not (STANDING.decide or self._instead):
            self.multiplexer.refund(check)

    def record(self, event: Recorded) -> None:
        """Count an event of the app; nothing is kept where no sidecar is asked."""
        if not (STANDING.decide or self._instead):
            self._events.record(event)

    def rules(self, pushed: PushedRules) -> RuleSet | None:
        """Return the sidecar's rules, and have a thread hear of them; see `Client.rules`."""
        options = self.options
        if STANDING.decide or options.instead:
            pushed.nobody()
            return None
        if self._rules is None and not options.fault:
            from sidegate.client.rules.in_threads import ThreadRules  # noqa: PLC0415 - few want it

            with self._lock:
                self._rules = self._rules or ThreadRules(options, pushed)
        if self._rules is not None:
            self._rules.watch()
        return pushed.value

    def slots(self) -> ThreadSlots | None:
        """Return what asks for slots, None where nobody can be asked."""
        if self._slots is None and not self.options.fault:
            from sidegate.client.slots.slots_in_threads import (  # noqa: PLC0415 - few want it
                ThreadSlots,
            )

            with self._lock:
                self._slots = self._slots or ThreadSlots(self.options)
        return self._slots

    # --- reservations

    def hold(self, question: Callable[[int], Reserve | Commit]) -> Reserved | None:
        """Return what a sidecar, or who stands in for it, says of a reservation; None: nothing.

        It is asked on a connection of its own, by the same breaker.
        """
        options, asked = self.options, question(1)
        if instead := STANDING.decide or options.instead:
            return held_here(instead, asked)
        if options.fault or (entry := self.breaker.enter(time.monotonic())) is Entry.REFUSED:
            return None
        try:
            found = inquire(options, asked, Reserved, options.budget)
        except OlderSide as why:  # it is there, and decides checks
            self._why = str(why)
            self.answered()
            return None
        except FAULTS as error:
            self._why = _reason(error)
            self.breaker.failed(entry, time.monotonic())
            return None
        except BaseException:
            self.breaker.abandoned(entry)
            raise
        self.answered()
        return None if found.source == NOBODY else found

    def decide_alone(self, check: Check, limits: Limits) -> Decision:
        """Decide by the policy a check about which the sidecar can't be asked."""
        if self._instead is not None:
            return self._instead(check, limits)
        return self.alone.unreachable(check, limits, self._why)

    # --- what people ask

    def inspect(self, key: str, *, reset: bool) -> dict[str, int]:
        """Return what a key has spent, and have it forgotten if `reset`; see `Client.peek`."""
        options = self.options
        if instead := STANDING.decide or options.instead:
            return spent_here(instead, key, reset=reset)
        kind = Reset if reset else Inspect
        found = self._inquire(kind(1, 0, key), Holdings, options.budget, key)
        if reset:
            self._forget(key)
        return spent_of(key, found)

    def list_keys(self, question: ListQuestion) -> KeyList:
        """Return the first keys in debt; see `Client.keys`."""
        asked = question(1)
        if instead := STANDING.decide or self.options.instead:
            return key_list(listed_here(instead, asked))
        return key_list(self._inquire(asked, KeysListed, LIST_PATIENCE, about(asked)))

    def reset_keys(self, question: ResetQuestion) -> KeysForgotten:
        """Have all keys forgotten that begin so; see `Client.reset_prefix`."""
        asked = question(1)
        if instead := STANDING.decide or self.options.instead:
            return keys_forgotten(reset_here(instead, asked))
        found = self._inquire(asked, KeysReset, RESET_PATIENCE, about(asked))
        self._forget(asked.prefix, begins=True)
        return keys_forgotten(found)

    def _inquire(
        self, question: Inquiry, kind: type[Answer], patience: float, about: str
    ) -> Answer:
        options = self.options
        if options.fault:
            raise Unreachable(about, options.fault)
        try:
            return inquire(options, question, kind, max(options.budget, patience))
        except FAULTS as error:
            raise Unreachable(about, _reason(error)) from error

    def read_report(self, query: ReportQuery) -> Report:
        """Return what all nodes have decided of late; see `Client.report`."""
        if STANDING.decide or self.options.instead:
            return nothing(query)
        return report_of(query, self._answer(query), time.time())

    def read_events(self, query: EventQuery) -> EventReport:
        """Return what the apps of all nodes have recorded of late; see `Client.events`."""
        if STANDING.decide or self.options.instead:
            return no_events(query)
        return event_report_of(query, self._answer(query), time.time())

    def _answer(self, query: ReportQuery) -> ReportAnswer:
        options = self.options
        if options.fault:
            raise NoReport(options.fault)
        try:
            return inquire(options, query, ReportAnswer, options.budget + REPORTED_WITHIN)
        except FAULTS as error:
            raise NoReport(_reason(error)) from error

    # --- what the leader tells

    @property
    def has_words(self) -> bool:
        """Is there something to say of leases?"""
        return self.leases.has_words

    def words(self) -> Sequence[Message]:
        """Return what there is to say of leases: now, or never."""
        return self.leases.words()

    def told(self, message: Roster | Forget | Lent) -> None:
        """Keep the size of the ring; forget the denials of a key that was reset; take a lease."""
        if isinstance(message, Lent):
            self.leases.told(message)
        elif isinstance(message, Roster):
            self.alone.nodes = max(len(message.members), 1)
        else:
            self._forget(message.key, begins=message.begins == 1)

    def _forget(self, key: str, *, begins: bool = False) -> None:
        self.leases.forget(key, begins=begins)
        if self.denials is not None:
            with self._lock:
                self.denials.forget(key, time.monotonic_ns(), begins=begins)

    def answered(self) -> None:
        """Let everybody through again, and say so."""
        self.breaker.succeeded()
        if self.alone.is_out:
            self.alone.answered()

    def failed(self, error: Exception) -> None:
        """Let nobody through for a while."""
        self._why = _reason(error)
        self.breaker.failed(Entry.FREE, time.monotonic())

    def report(self) -> bytes:
        """Return a frame with what was decided without the sidecar, at most once a second."""
        message = self.alone.outcomes() if self.alone.has_outcomes else None
        told = b"" if message is None else encode(message)
        if self.denials is not None and self.denials.recalled:
            told += self._recalled(self.denials, time.monotonic())
        return told

    def _recalled(self, denials: Denials, now: float) -> bytes:
        if now - self._told_at < _TELL_EVERY:
            return b""
        self._told_at = now
        with self._lock:
            return encode(Outcomes([], denials.take_recalled()))

    # --- the end

    def close(self) -> None:
        """Close the connection, or in a forked process our copy of it."""
        if self.pid == os.getpid():
            self._events.close()
            self.leases.end()
            if self._slots is not None:
                self._slots.close()
            if self._rules is not None:
                self._rules.close()
            self.multiplexer.close()
        else:
            if self._rules is not None:
                self._rules.abandon()
            self.multiplexer.abandon()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
