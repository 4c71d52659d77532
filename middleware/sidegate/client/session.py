"""A session: what a client has in one event loop, from its first check there to the loop's end."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from sidegate.client.denials import Denials
from sidegate.client.events.in_loop import LoopEvents
from sidegate.client.inquiries.in_loop import LoopInquiries
from sidegate.client.leases.in_loop import LoopLeases
from sidegate.client.loop_end import LoopEnd
from sidegate.client.memory import STANDING, held_here
from sidegate.client.turn import LoneTurns, Turn
from sidegate.client.waiting.in_loop import LoopWaiting
from sidegate.link.health import LinkState
from sidegate.link.link import Link
from sidegate.protocol.codec import refuse
from sidegate.protocol.holds.slot_messages import SLOT_MESSAGES
from sidegate.protocol.messages import MAX_REFUNDS, NOBODY, Forget, Hello, Refund, Roster
from sidegate.protocol.outcome_messages import Outcomes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.rules.in_loop import LoopRules
    from sidegate.client.rules.pushed_rules import PushedRules
    from sidegate.client.slots.slots_in_loop import LoopSlots
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
    from sidegate.protocol.messages import Check, UnaskedMessage
    from sidegate.reports.event_counts import Recorded
    from sidegate.ruleset.ruleset import RuleSet

_TELL_EVERY = 1.0  # seconds between two words to the sidecar about denials that were recalled
# Seconds that a check may wait for its own busy loop, beyond its budget. A loop that is later than
# that serves nobody: whoever sent the request has hung up.
_MAX_LATE = 10.0


class Session:
    """A link of its own, the checks of the loop's present turn, and the denials that still hold.

    `ended` is called when the loop ends, with this session. With a fault in the options there is
    no link, and nobody is asked.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: Endpoint,
        alone: Alone,
        ended: Callable[[Session], None],
        *,
        remembers: bool,
    ) -> None:
        self.loop = loop
        self.turn: Turn | None = None
        self.thread = 0  # where the loop ran when the turn was opened
        self._refunds: list[Check] = []  # what this turn gives back
        self.denials = Denials()
        self.waiting = LoopWaiting(loop)
        self._rules: LoopRules | None = None  # once somebody wants the sidecar's rules
        self._slots: LoopSlots | None = None  # once somebody wants one
        self._events = LoopEvents(loop)
        self.denied = self.denials.table  # empty most of the time, which costs nothing to see
        self.budget = options.budget
        self.options = options
        self.alone = alone
        self._ended = ended
        self._remembers = remembers
        self._will_tell = False  # is _tell_recalled going to be called?
        no_link = options.fault or options.instead
        self.link = None if no_link else Link.of_app(options, self, _MAX_LATE)
        self.inquiries = LoopInquiries(loop, self.link, options, self)
        self.leases = LoopLeases(loop, self.link, options, remembers=remembers)
        self.leased = self.leases.table  # as `denied`
        self.spend = self.leases.spend
        self._new_turn: Callable[[Session], Turn] = Turn
        self.lone_turns = LoneTurns(self.link)
        self._loop_end = LoopEnd(self._end)

    # --- asking

    def open_turn(self) -> Turn:
        """Open the turn that takes the checks of this loop until its next callbacks run.

        So while it is open, and the loop is running, the loop runs in `thread`, and is in the
        midst of the callbacks among which this one was.
        """
        self.thread = threading.get_ident()
        self.turn = turn = self._new_turn(self)
        self.loop.call_soon(self.flush)
        return turn

    def ask_first(self, check: Check, limits: Limits, future: asyncio.Future[Decision]) -> None:
        """Take the first check of a turn; send it at once where those before came one by one."""
        is_lone = self.lone_turns.go_on
        turn = self._new_turn(self) if is_lone else self.open_turn()
        turn.checks.append(check)
        turn.limits.append(limits)
        turn.futures.append(future)
        if is_lone:
            self._send(turn)

    def flush(self) -> None:
        """Send the checks of this turn."""
        turn, self.turn = self.turn, None
        if turn is not None:
            self.lone_turns.note(len(turn.checks))
            self._send(turn)

    def _send(self, turn: Turn) -> None:
        """Send checks, behind what the sidecar is to know of those before."""
        turn.asked_at = time.monotonic_ns()
        link = None if STANDING.decide else self.link
        if self.alone.has_outcomes:
            self._tell_outcomes()
        if self._refunds:
            self._tell_refunds(link)
        if not turn.checks:
            return
        if link is None or not link.ask(turn.checks, 0, self.budget, turn, (0, None), turn.traces):
            turn.unanswered(None)
        else:
            self.leases.saw(turn.checks, turn.limits, turn.asked_at)

    def _tell_outcomes(self) -> None:
        link = self.link
        if link is not None and link.state is LinkState.UP and (told := self.alone.outcomes()):
            link.tell(told)

    def refund(self, check: Check) -> None:
        """Give back what a check has charged: in this turn, in front of its checks, or never.

        One that was sent at once is before it.
        """
        if len(self._refunds) >= MAX_REFUNDS:
            self._tell_refunds(None if STANDING.decide else self.link)
        self._refunds.append(check)
        if self.turn is None:
            self.open_turn()

    def _tell_refunds(self, link: Link | None) -> None:
        refunds, self._refunds = self._refunds, []
        if link is not None:
            link.tell(Refund(0, refunds))

    def note_refund(self, key: str, decision: Decision) -> None:
        """Have this check asked about again, and by who waits for its key."""
        refunded = (key, decision.limits.text, decision.cost)
        self.denials.forget_check(refunded, time.monotonic_ns())
        self.leases.ask_again(key, decision.limits)
        self.waiting.queues.forget(key)

    async def hold(self, question: Callable[[int], Reserve | Commit]) -> Reserved | None:
        """Return what a sidecar, or who stands in for it, says of a reservation; None: nothing."""
        if instead := STANDING.decide or self.options.instead:
            return held_here(instead, question(0))
        link = self.link
        found = None if link is None else await link.hold(question, self.budget)
        return None if found is None or found.source == NOBODY else found

    def rules(self, pushed: PushedRules) -> RuleSet | None:
        """Return the sidecar's rules, and hear of them from now on; see `Client.rules`."""
        if STANDING.decide or self.options.instead:
            pushed.nobody()
            return None
        if self._rules is None and self.link is not None:
            from sidegate.client.rules.in_loop import LoopRules  # noqa: PLC0415 - few want it

            self._rules = LoopRules(pushed)
            self._rules.watch(self.link)
        return pushed.value

    def slots(self) -> LoopSlots | None:
        """Return what asks for slots, None where there is no link."""
        if self._slots is None and self.link is not None:
            from sidegate.client.slots.slots_in_loop import LoopSlots  # noqa: PLC0415 - few want it

            self._slots = LoopSlots(self.loop, self.link, self.budget)
        return self._slots

    def record(self, event: Recorded) -> None:
        """Count an event of the app; nothing is kept where no sidecar is asked."""
        if self.link is not None and not STANDING.decide:
            self._events.record(event, self.link)

    def recall(self, key: str, limits: Limits, cost: int) -> Decision | None:
        """Return the denial of this check, if one holds."""
        if STANDING.decide:  # what a sidecar said has no say
            return None
        if not self._will_tell:
            self._will_tell = True
            self.loop.call_later(_TELL_EVERY, self._tell_recalled)
        return self.denials.recall(key, limits, cost, time.monotonic_ns())

    def _tell_recalled(self) -> None:
        """Tell how often denials were recalled, if the sidecar is there; else nobody."""
        self._will_tell = False
        rows, link = self.denials.take_recalled(), self.link
        if rows and link is not None and link.state is LinkState.UP:
            link.tell(Outcomes([], rows))

    def note_denial(self, key: str, denial: Decision, asked_at: int) -> None:
        """Remember a denial, if this client does, as of when it was asked: never for too long."""
        if self._remembers:
            self.denials.remember(key, denial, asked_at)

    def decides_alone(self) -> Callable[[Check, Limits], Decision]:
        """Return what decides checks that get no answer.

        Whoever stands in for all sidecars, or for this one. The policy for unreachable, if the
        sidecar is away or silent, or if we have closed the link. Else checks only waited for this
        process, which then answers for them by its share.
        """
        if instead := STANDING.decide or self.options.instead:
            return instead
        link = self.link
        if link is None:
            return partial(self.alone.unreachable, why=self.options.fault)
        if link.state is LinkState.CLOSED:
            return self.alone.closed
        if link.takes_checks:
            return partial(self.alone.share, why="its event loop is too busy, or asks too much")
        return partial(self.alone.unreachable, why=self.why_unanswered(link, self.budget))

    def why_unanswered(self, link: Link, budget: float) -> str:
        """Say why no answer has come within so many seconds."""
        if link.refusal and link.state is LinkState.DOWN:
            return link.refusal
        return f"no answer within {budget * 1e3:g} ms"

    # --- the end

    @property
    def is_closed(self) -> bool:
        """Is there no link any more, or none at all?"""
        return self.link is None or self.link.state is LinkState.CLOSED

    async def _end(self) -> None:
        self._ended(self)
        await self.close()

    async def close(self) -> None:
        """Close the link; checks in flight are answered by `on_unreachable`."""
        self._loop_end.forget()
        self.flush()
        if self.link is not None:
            self.leases.close()
            await self._events.tell_last(self.link, self.budget)
            await self.link.close()

    # --- what the link tells

    def link_up(self, link: Link, _peer: Hello) -> None:
        """Ask for the rules of the sidecar, if they are wanted; checks flow from here on."""
        if self._rules is not None:
            self._rules.link_up(link)
        if self._slots is not None:
            self._slots.link_up(link)

    def link_down(self, link: Link) -> None:
        """Wait for no slots; the link refuses checks until it is back."""
        if self._slots is not None:
            self._slots.link_down(link)

    def link_trusted(self, _link: Link) -> None:
        """Do nothing: checks flow again."""

    def link_refused(self, _link: Link, why: str) -> None:
        """Say so where rules are waited for; else when a check goes without an answer for it."""
        if self._rules is not None:
            self._rules.unheard(why)

    def link_ended(self, _link: Link) -> None:
        """End with the loop."""
        self._loop_end.forget()
        self._ended(self)

    def on_message(self, _link: Link, message: UnaskedMessage) -> None:
        """Forget the denials of a key that was reset, and have those who wait for it ask.

        Answers about slots are for who has asked.
        """
        if self._slots is not None and isinstance(message, SLOT_MESSAGES):
            self._slots.on_message(message)
            return
        if not isinstance(message, Forget):
            refuse(message)
        self.forget(message.key, begins=message.begins == 1)

    def forget(self, key: str, *, begins: bool = False) -> None:
        """Forget what was said of a key that was reset, or of all that begin with it."""
        self.denials.forget(key, time.monotonic_ns(), begins=begins)
        self.leases.forget(key, begins=begins)
        self.waiting.queues.forget(key, begins=begins)

    def roster(self, _link: Link, roster: Roster) -> None:
        """Keep the size of the ring, for this process's share of a limit."""
        self.alone.nodes = max(len(roster.members), 1)
