"""The blocking client: for threads, for gevent, and for processes that fork after they were set up.

It has no event loop and, but while recorded events wait or tokens are borrowed, no thread of its
own: those who ask share one connection and do the work for each other (`multiplexer.py`). All
waiting is in calls that gevent's patching can replace.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, overload

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import BY_NAME
from sidegate.client.answers import all_or_none
from sidegate.client.checks import plain_key, question, questions, refund_of, synced, waited_for
from sidegate.client.denials import Denials
from sidegate.client.holds.in_threads import ThreadHolds
from sidegate.client.keys.key_questions import list_question, reset_question
from sidegate.client.memory import STANDING
from sidegate.client.shared import Shared
from sidegate.client.slots.slots import SlotsInThreads
from sidegate.client.traced.in_threads import TracedShared
from sidegate.client.waiting.in_threads import ThreadWaiting
from sidegate.client.waiting.wait_queue import deadline_of
from sidegate.errors import UnknownRule
from sidegate.link.blocking.exchange import Question
from sidegate.reports.event_counts import recorded
from sidegate.reports.event_report import event_instead, event_query, known_event
from sidegate.reports.questions import report_query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.checks import Wanted
    from sidegate.client.keys.key_lists import KeyList, KeysForgotten
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.endpoint import Endpoint
    from sidegate.reports.event_report import EventReport
    from sidegate.reports.questions import Last
    from sidegate.reports.report import Report


class BlockingClient(ThreadHolds, SlotsInThreads):
    """Asks the local sidecar, from any thread.

    The options are those of `Configured`, whose `__init__` stands below.
    """

    def _set_up(self, options: Endpoint, alone: Alone, *, remembers: bool) -> None:
        self._options = options
        self._shared = self._new_shared(alone, Denials() if remembers else None)
        self._waiting = ThreadWaiting()

    def _new_shared(self, alone: Alone, denials: Denials | None) -> Shared:
        kind = Shared if self._options.telemetry is None else TracedShared
        return kind(self._options, alone, denials)

    def check(
        self,
        key: str,
        limits: str | Limits,
        cost: int = 1,
        *,
        default: str | Limits | None = None,
        sync: bool = False,
    ) -> Decision:
        """Charge `cost` tokens to the key's buckets, if all have them; return the Decision.

        It comes within the budget, whatever happens to the sidecar. Only a process that gets no
        CPU, or whose gevent hub is busy, may wait for longer, and is then answered by its own share
        of the limit, with source `local`. A cost of 0 only looks.
        What can't be asked raises at once: limits that don't parse, a cost above a burst, a key of
        over 512 bytes. CheckError if the sidecar can't decide it. For `"@api"` in the place of
        limits, for `default` and for `sync`, see `Client.check`.
        """
        if sync:
            limits = synced(limits)
        if default is not None or (isinstance(limits, str) and limits.startswith(BY_NAME)):
            return self._check_by_name(key, str(limits), cost, default)
        check, limits = question(key, limits, cost)
        shared = self._here()
        asked_at = time.monotonic_ns()
        if shared.leased and (made := shared.spend(key, limits, cost, asked_at)):
            return made
        if shared.denials and (denial := shared.recall(key, limits, cost, asked_at)):
            return denial
        decided = shared.decide(Question(check, asked_at * 1e-9), limits)
        if not decided.allowed:
            shared.remember(key, decided, asked_at)
        shared.saw(check, limits, asked_at)
        return decided

    def _check_by_name(
        self, key: str, name: str, cost: int, default: str | Limits | None
    ) -> Decision:
        from sidegate.client.rules.by_name import (  # noqa: PLC0415 - few want it
            NamedCheck,
            in_thread,
        )

        return in_thread(self, NamedCheck(key, name, cost, default), self._options.budget)

    def check_all(self, checks: Sequence[Wanted]) -> list[Decision | None]:
        """Make several checks, each (key, limits, cost), in one frame: all are charged, or none.

        As `Client.check_all`.
        """
        if len(checks) == 1:
            return [self.check(*checks[0])]
        asked = questions(checks)
        if not asked:
            return []
        shared = self._here()
        asked_at = time.monotonic_ns()
        recalled = [shared.recall(key, limits, cost, asked_at) for (key, _, cost), limits in asked]
        if any(recalled):
            return recalled
        leased = [
            shared.spend(key, limits, cost, asked_at) if shared.leased else None
            for (key, _, cost), limits in asked
        ]
        rest = [it for it, one in zip(asked, leased, strict=True) if one is None]
        answers = iter(
            shared.decide_all([(Question(it, asked_at * 1e-9), limits) for it, limits in rest])
        )
        made = [next(answers) if one is None else one for one in leased]
        keys = [key for (key, _, _), _ in asked]
        for key, decided in zip(keys, made, strict=True):
            if not isinstance(decided, BaseException) and not decided.allowed:
                shared.remember(key, decided, asked_at)
        for check, limits in rest:
            shared.saw(check, limits, asked_at)
        return all_or_none(keys, made, self.refund)

    def refund(self, key: str, decision: Decision, limits: Limits | None = None) -> None:
        """Give back the tokens that this decision has charged to the key, none beyond full.

        As `Client.refund`. Another thread that talks to the sidecar just now says it too; else this
        one does, which takes a millisecond at most.
        """
        if (given := refund_of(key, decision, limits)) is None:
            return
        check, limits = given
        shared = self._here()
        if decision.source is Source.MEMORY:
            STANDING.memory.refund(check, limits)
        elif decision.source is not Source.LEASE or not shared.leases.refund(
            key, limits, decision.cost
        ):
            shared.refund(check)
        shared.note_refund(key, decision)
        self._waiting.forget(key)

    def peek(self, key: str) -> dict[str, int]:
        """Return the tokens that a key has spent and not got back yet, by the text of the limit.

        As `Client.peek`. Each call dials the sidecar, so as not to hold up the checks of others.
        """
        return self._here().inspect(plain_key(key), reset=False)

    def reset(self, key: str) -> dict[str, int]:
        """Make all buckets of a key full again; return what was forgotten, as `peek` does.

        As `Client.reset`.
        """
        forgotten = self._here().inspect(plain_key(key), reset=True)
        self._waiting.forget(key)
        return forgotten

    def keys(
        self,
        prefix: str = "",
        *,
        identity: str | None = None,
        order: str = "debt",
        most: int = 50,
    ) -> KeyList:
        """Return the first keys in debt that begin so, over all nodes, each from its owner.

        As `Client.keys`.
        """
        return self._here().list_keys(list_question(prefix, identity, order, most))

    def reset_prefix(self, prefix: str, *, everything: bool = False) -> KeysForgotten:
        """Make all buckets full of all keys that begin so, on all nodes; return how many they were.

        As `Client.reset_prefix`.
        """
        forgotten = self._here().reset_keys(reset_question(prefix, everything=everything))
        self._waiting.forget(prefix, begins=True)
        return forgotten

    @overload
    def report(
        self, rule: None = None, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> Report: ...

    @overload
    def report(
        self, rule: str, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> Report | EventReport: ...

    def report(
        self, rule: str | None = None, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> Report | EventReport:
        """Return what all nodes have decided of late, as far as they answer within 250 ms.

        As `Client.report`. Each call dials the sidecar, so as not to hold up the checks of others.
        """
        shared = self._here()
        try:
            return shared.read_report(report_query(rule, last, by, top))
        except UnknownRule as unknown:
            query = event_instead(unknown, last, by, top)
            return known_event(shared.read_events(query), unknown)

    def record(self, event: str, key: str = "", value: float = 1) -> None:
        """Count an event of the app's own, by key, and add the value to its sum.

        As `Client.record`. A thread that lives while something waits tells it to the sidecar, twice
        a second at most, over a connection of its own.
        """
        self._here().record(recorded(event, key, value))

    def events(
        self, event: str | None = None, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> EventReport:
        """Return what the apps of all nodes have recorded of late, counts and sums.

        As `Client.events`.
        """
        return self._here().read_events(event_query(event, last, by, top))

    def acquire(
        self, key: str, limits: str | Limits, cost: int = 1, timeout: float | None = None
    ) -> Decision:
        """Charge `cost` tokens as soon as all buckets have them; return the Decision that did it.

        As `Client.acquire`: the threads that wait for the same key and limits are served in the
        order in which they came.
        """
        (key, _, cost), limits = waited_for(key, limits, cost)
        self._here()
        deadline = deadline_of(timeout, time.monotonic())
        return self._waiting.acquire(self.check, (key, limits, cost), deadline)

    def _without_sidecar(self) -> Alone:
        return self._shared.alone

    def count(self, outcome: str) -> None:
        """Count one of the protocol's OUTCOMES, decided without us, so that the sidecar hears."""
        self._here().alone.count(outcome)

    def _here(self) -> Shared:
        """Return what this process shares; a new one in a process that was forked since.

        There, locks may be held and buckets half changed by threads that don't exist. This is
        found out by the process id at the next check, and not by os.register_at_fork, which never
        lets go of what was registered.
        """
        shared = self._shared
        if shared.pid != os.getpid():
            shared.close()
            self._shared = shared = self._new_shared(shared.alone.afresh(), shared.denials)
            self._waiting = ThreadWaiting()
        return shared

    def close(self) -> None:
        """Close the connection; a later check opens one again."""
        shared = self._shared
        self._shared = self._new_shared(shared.alone, shared.denials)
        shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
