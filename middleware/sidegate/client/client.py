"""The asyncio client: checks go to the local sidecar, all those of one loop turn in one write.

This is a hot path: `check` is a plain function that returns a future, so a check costs no
coroutine, no task and no timer of its own. That buys a factor of three over the obvious form.
"""

from __future__ import annotations

import threading
import time
from asyncio import Future, gather, get_running_loop
from threading import get_ident
from typing import TYPE_CHECKING, overload

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import BY_NAME, Limits, known_limits, parse_limits
from sidegate.client.answers import all_or_none
from sidegate.client.checks import plain_key, question, questions, refund_of, synced, waited_for
from sidegate.client.holds.in_loop import LoopHolds
from sidegate.client.keys.key_questions import list_question, reset_question
from sidegate.client.memory import STANDING
from sidegate.client.session import Session
from sidegate.client.slots.slots import SlotsInLoops
from sidegate.client.traced.in_loops import TracedCheck, TracedSession
from sidegate.client.waiting.wait_queue import deadline_of
from sidegate.errors import NoEventLoop, UnknownRule
from sidegate.forks import begins_in_children
from sidegate.protocol.messages import SURELY_SHORT_KEY
from sidegate.reports.event_counts import recorded
from sidegate.reports.event_report import event_instead, event_query, known_event
from sidegate.reports.questions import report_query

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from typing import Self

    from sidegate.buckets.decision import Decision
    from sidegate.client.checks import Wanted
    from sidegate.client.keys.key_lists import KeyList, KeysForgotten
    from sidegate.client.turn import Turn
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.endpoint import Endpoint
    from sidegate.reports.event_report import EventReport
    from sidegate.reports.questions import Last
    from sidegate.reports.report import Report


class Client(LoopHolds, SlotsInLoops):
    """Asks the local sidecar, from any number of event loops and threads at the same time.

    Each loop gets a connection at its first check, which ends with the loop, or by `close`.
    The options are those of `Configured`, whose `__init__` stands below.
    """

    def _set_up(self, options: Endpoint, alone: Alone, *, remembers: bool) -> None:
        self._options = options
        self._alone = alone
        self._remembers = remembers
        self.latest: Session | None = None  # of the loop that asked last, mostly the only one
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}  # of loops that live
        self._lock = threading.Lock()  # over the two above, when they change
        self._closing: set[asyncio.Task[None]] = set()
        self._committing: set[asyncio.Task[None]] = set()
        # To look for a fork at each check would take a system call, 70 ns of 1,700 under load.
        begins_in_children(self)
        if options.telemetry is not None:  # else a check costs no more than it did
            vars(self)["check"] = TracedCheck(self.check, self._open_turn, options.telemetry)

    def check(
        self,
        key: str,
        limits: str | Limits,
        cost: int = 1,
        *,
        default: str | Limits | None = None,
        sync: bool = False,
    ) -> Future[Decision]:
        """Charge `cost` tokens to the key's buckets, if all have them; await the Decision.

        It comes within the budget, whatever happens to the sidecar, unless the loop is too busy to
        look. A cost of 0 only looks. Limits that don't parse, a cost above a burst, a key of over
        512 bytes and a caller outside of asyncio (NoEventLoop) raise at once.

        `"@api"` in place of limits is the rule of that name in the sidecar's rules file. `default`
        are the limits where there is none; else it's a RuleNotInForce, at once or when awaited.
        With `sync` a charge is answered when the key's backup has it too, so that no kill of one
        sidecar loses it; where that takes too long, by `on_unreachable`.
        """
        limits = synced(limits) if sync else limits
        if type(limits) is str:
            if default is not None or (known := known_limits(limits)) is None:
                return self._check_by_text(key, limits, cost, default)
            limits = known
        if (  # the plain case of question(), which is a tenth of a check under load
            type(limits) is Limits
            and type(key) is str
            and type(cost) is int
            and (cost == 1 or 0 <= cost <= limits.smallest_burst)
            and len(key) <= SURELY_SHORT_KEY
            and key.isascii()
        ):
            asked = (key, limits.asked, cost)
        else:
            asked, limits = question(key, limits, cost)
        session = self.latest
        # An open turn is of this loop if that runs in this thread: 50 ns (get_running_loop 140).
        if (
            session is None
            or (turn := session.turn) is None
            or session.thread != get_ident()
            or not session.loop.is_running()
        ):
            turn = (session := self._here()).turn
        future: Future[Decision] = Future(loop=session.loop)
        if (session.leased and (made := session.spend(key, limits, cost))) or (
            session.denied and (made := session.recall(key, limits, cost))
        ):
            future.set_result(made)
            return future
        if turn is None:
            session.ask_first(asked, limits, future)
            return future
        turn.checks.append(asked)
        turn.limits.append(limits)
        turn.futures.append(future)
        return future

    async def check_all(self, checks: Sequence[Wanted]) -> list[Decision | None]:
        """Make several checks, each (key, limits, cost), in one frame: all are charged, or none.

        Unless all are allowed, what the others have charged is given back as by `refund`. Where one
        was denied a moment ago nobody is asked: that one has its decision, the others have None.
        What can't be asked raises before anything is charged; where the sidecar can't decide one
        (CheckError), the others are given back. Up to 64; who is cancelled meanwhile may have paid.
        """
        if len(checks) == 1:
            return [await self.check(*checks[0])]
        asked = questions(checks)
        session = self._here()
        if session.denied:
            recalled = [session.recall(key, limits, cost) for (key, _, cost), limits in asked]
            if any(recalled):
                return recalled
        if session.turn is None:
            session.open_turn()  # which none of these leaves alone
        futures = [self.check(key, limits, cost) for (key, _, cost), limits in asked]
        made: list[Decision | BaseException] = []
        try:
            for future in futures:  # all come at once: half the time of gather
                try:
                    made.append(await future)
                except Exception as error:  # noqa: BLE001 - raised below
                    made.append(error)
        finally:
            for future in futures[len(made) :]:  # of who is cancelled
                future.cancel()
        return all_or_none([key for (key, _, _), _ in asked], made, self.refund)

    def refund(self, key: str, decision: Decision, limits: Limits | None = None) -> None:
        """Give back the tokens that this decision has charged to the key, none beyond full.

        To all of its limits, or to these of them. It isn't waited for, and never tried again: what
        gets lost stays charged. Nothing is given back of a denial, of a cost of 0, and where no
        owner or backup has decided (sources open, closed, local, remembered). Call it once, and
        soon: time gives tokens back as well, and what it has given isn't taken off.
        """
        if (given := refund_of(key, decision, limits)) is None:
            return
        check, limits = given
        session = self._here()
        if decision.source is Source.MEMORY:
            STANDING.memory.refund(check, limits)
        elif decision.source is not Source.LEASE or not session.leases.refund(
            key, limits, decision.cost
        ):
            session.refund(check)
        session.note_refund(key, decision)

    async def peek(self, key: str) -> dict[str, int]:
        """Return the tokens that a key has spent and not got back yet, by the text of the limit.

        A token that is partly back counts as spent. Limits of which nothing is spent are left out.
        It comes within the budget, or as Unreachable; a key that no check may have raises as there.
        It is for people and scripts: it takes a sidecar more than a check, and 64 are asked at a
        time.
        """
        return await self._here().inquiries.inspect(plain_key(key), reset=False)

    async def reset(self, key: str) -> dict[str, int]:
        """Make all buckets of a key full again; return what was forgotten, as `peek` does.

        Whoever waits for the key asks again, and nobody is told that it was denied, here at once
        and elsewhere as soon as it is known there. Unreachable if no answer has come: then it may
        have been done all the same.
        """
        return await self._here().inquiries.inspect(plain_key(key), reset=True)

    async def keys(
        self,
        prefix: str = "",
        *,
        identity: str | None = None,
        order: str = "debt",
        most: int = 50,
    ) -> KeyList:
        """Return the first keys in debt that begin so, over all nodes, each from its owner.

        In the order "debt" those come first that take longest to be full again; the other one is
        "key". With `identity` in place of a prefix it is the keys of which the part after the first
        ":" is that: one client over all rules. Up to 1,000. It is for people and scripts: every
        node walks through its buckets. The answer comes within half a second, whatever the budget,
        and says which nodes have given none; Unreachable if the sidecar doesn't.
        """
        return await self._here().inquiries.list_keys(list_question(prefix, identity, order, most))

    async def reset_prefix(self, prefix: str, *, everything: bool = False) -> KeysForgotten:
        """Make all buckets full of all keys that begin so, on all nodes; return how many they were.

        It lasts as `reset` does: nodes that are away are told when they are back. An empty prefix
        is an error, unless `everything` is said. The answer may take seconds, 11 at most. Then
        Unreachable is raised, and it may have been done all the same.
        """
        return await self._here().inquiries.reset_keys(
            reset_question(prefix, everything=everything)
        )

    @overload
    async def report(
        self, rule: None = None, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> Report: ...

    @overload
    async def report(
        self, rule: str, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> Report | EventReport: ...

    async def report(
        self, rule: str | None = None, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> Report | EventReport:
        """Return what all nodes have decided of late, as far as they answer within 250 ms.

        `last` is how far back ("90s", "5m", "1h30m", or seconds): up to 3 hours, of keys up to 10
        minutes. `by` is of what the rows are: "key", "rule", "source", "node" or "time"; those of
        keys that were denied most come first. `top` is how many rows at most (up to 1,000). Bad
        input is a ValueError, and NoReport if the sidecar doesn't answer. A name that no node has
        as a rule is asked for as that of an event, see `events`; an UnknownRule if it is none
        either. Where no sidecar is asked, nothing is counted.
        """
        inquiries = self._here().inquiries
        try:
            return await inquiries.report(report_query(rule, last, by, top))
        except UnknownRule as unknown:
            query = event_instead(unknown, last, by, top)
            return known_event(await inquiries.events(query), unknown)

    def record(self, event: str, key: str = "", value: float = 1) -> None:
        """Count an event of the app's own, by key, and add the value to its sum.

        It isn't waited for: what is recorded is told to the sidecar four times a second, and at
        `close`. It never fails for the sidecar's sake; while that one is away, what is recorded
        waits. ValueError for a name that is empty, has a ":" or more than 64 bytes, a key of over
        512 bytes, and a value below 0, above a billion or no number. Where no sidecar is asked,
        nothing is kept.
        """
        self._here().record(recorded(event, key, value))

    async def events(
        self, event: str | None = None, *, last: Last = "5m", by: str = "key", top: int = 20
    ) -> EventReport:
        """Return what the apps of all nodes have recorded of late, counts and sums.

        `by` is of what the rows are: "key", "event", "node" or "time"; those with the largest sum
        come first. `last` and `top` are as in `report`, and so is what it raises, but an event that
        nobody has recorded was recorded 0 times.
        """
        return await self._here().inquiries.events(event_query(event, last, by, top))

    async def acquire(
        self,
        key: str,
        limits: str | Limits,
        cost: int = 1,
        timeout: float | None = None,  # noqa: ASYNC109  # it raises before, if it can't be kept
    ) -> Decision:
        """Charge `cost` tokens as soon as all buckets have them; return the Decision that did it.

        Those of a loop who wait for the same key and limits are served in the order in which they
        came. After `timeout` seconds (None: never), and as soon as it is known that they won't do,
        it raises WaitTooLong, a TimeoutError, and nothing was charged; a check that is under way
        then is waited for. Where nobody could decide and `on_unreachable` is closed, it asks again
        after a pause; where it is open, nobody waits. What can't be asked raises as in `check`.
        """
        (key, _, cost), limits = waited_for(key, limits, cost)
        deadline = deadline_of(timeout, time.monotonic())
        return await self._here().waiting.acquire(self.check, (key, limits, cost), deadline)

    def _without_sidecar(self) -> Alone:
        return self._alone

    def _check_by_text(
        self, key: str, text: str, cost: int, default: str | Limits | None
    ) -> Future[Decision]:
        """Check by limits that weren't read before, or by the name of a rule."""
        if default is None and not text.startswith(BY_NAME):
            return Client.check(self, key, parse_limits(text), cost)  # not traced twice
        from sidegate.client.rules.by_name import NamedCheck, in_loop  # noqa: PLC0415 - few want it

        return in_loop(self, NamedCheck(key, text, cost, default), self._options.budget)

    def _open_turn(self) -> Turn | None:
        return self._here().turn

    def _here(self) -> Session:
        """Return the session of the running loop, a new one if it has none. NoEventLoop."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            raise NoEventLoop from None
        session = self.latest
        if session is not None and session.loop is loop:
            return session
        with self._lock:
            session = self._sessions.get(loop)
            if session is None:
                self._purge()
                kind = Session if self._options.telemetry is None else TracedSession
                session = self._sessions[loop] = kind(
                    loop, self._options, self._alone, self._ended, remembers=self._remembers
                )
            self.latest = session
        return session

    def begin_child(self) -> None:
        """Begin anew in a forked process; its parent keeps the loops.

        Here they don't run, though they seem to: what joined an open turn of theirs would wait for
        ever. And locks may be held by threads that don't exist.
        """
        self.latest = None
        self._sessions = {}
        self._lock = threading.Lock()
        self._alone = self._alone.afresh()

    def _purge(self) -> None:
        """Forget loops that were closed without an end to their tasks: nobody told us."""
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            del self._sessions[loop]

    def _ended(self, session: Session) -> None:
        with self._lock:
            if self._sessions.get(session.loop) is session:
                del self._sessions[session.loop]
            if self.latest is session:
                self.latest = None

    def count(self, outcome: str) -> None:
        """Count one of the protocol's OUTCOMES, which the sidecar is to show in its metrics."""
        self._alone.count(outcome)

    async def connect(self) -> bool:
        """Dial the sidecar now instead of at the first check; is it there, within the budget?"""
        decision = await self.check("sidegate", "1/second", 0)
        return decision.source not in {Source.OPEN, Source.CLOSED, Source.LOCAL}

    async def close(self) -> None:
        """Close all connections, that of the running loop before this returns.

        Checks in flight are answered by `on_unreachable`; a later check connects again.
        """
        here = get_running_loop()
        with self._lock:
            others = [session for loop, session in self._sessions.items() if loop is not here]
        for session in others:
            try:
                session.loop.call_soon_threadsafe(self._close_soon, session)
            except RuntimeError:  # that loop is closed
                self._ended(session)
        await self.close_here()

    async def close_here(self) -> None:
        """Close the connection of the running loop, and leave those of others."""
        here = get_running_loop()
        if session := self._sessions.get(here):
            self._close_soon(session)
        closing = [task for task in list(self._closing) if task.get_loop() is here]
        await gather(*closing, return_exceptions=True)

    def _close_soon(self, session: Session) -> None:
        """Begin to close a session, in its loop."""
        self._ended(session)
        task = session.loop.create_task(session.close())
        self._closing.add(task)  # a loop forgets tasks that nobody holds
        task.add_done_callback(self._closing.discard)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
