"""A node: is the key mine? Then decide. Else ask its owner. Else its backup. Else the policy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sidegate.decision import Source
from sidegate.errors import SidegateError
from sidegate.limits import known_limits, parse_limits
from sidegate.wire import (
    MOST_HOPS,
    MOST_KEY_BYTES,
    SURELY_SHORT_KEY,
    Answer,
    Answers,
    Check,
    Checks,
    Forget,
    Holdings,
    require_key,
)
from sidegate_sidecar.backlog import Backlog, NewLimitsError, Waiting
from sidegate_sidecar.cluster import Stage
from sidegate_sidecar.counts import Counts
from sidegate_sidecar.forward import OWNERS_SHARE, Asked, Forward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol, TypeAlias

    from sidegate.buckets import Buckets
    from sidegate.fallback import Fallback
    from sidegate.flight import Asker
    from sidegate.limits import Limits
    from sidegate_sidecar.cluster import Cluster

    Send: TypeAlias = Callable[[Answers], None]
    Split: TypeAlias = dict[str, list[int]]

    class Link(Protocol):
        """What a node needs of a link to another one."""

        @property
        def takes_checks(self) -> bool:
            """Would `ask` take a check now?"""
            ...

        def ask(self, checks: list[Check], hops: int, budget: float, asker: Asker) -> bool:
            """Send checks, whose answers the asker gets within `budget` seconds, if they come."""
            ...

        async def inspect(
            self, key: str, *, reset: bool, hops: int, budget: float
        ) -> Holdings | None:
            """Return the buckets of a key there, None if there is no answer."""
            ...

    class Links(Protocol):
        """The links to the other nodes."""

        def link_to(self, name: str, /) -> Link | None:
            """Return the link to a node, None if there is none."""
            ...

        def forget(self, message: Forget, /) -> None:
            """Have all other nodes forget a key."""
            ...


MOST_ERROR = 240  # characters of an error in an answer: those of 4,096 checks fit into a frame
MOST_HELD = 1_000  # buckets of a key that are told: for people, and to fit into a frame
ANSWERS_SHARE = 0.8  # of an asker's budget: the rest is for our answer to reach it in time


class Node:
    """Decides checks, or has them decided by the nodes that own their keys."""

    def __init__(
        self,
        name: str,
        buckets: Buckets,
        cluster: Cluster,
        links: Links,
        fallback: Fallback,
        *,
        budget: float,
        clock: Callable[[], int] = time.monotonic_ns,
        wake: Callable[[], None] = lambda: None,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.name = name
        self.buckets = buckets
        self.cluster = cluster
        self.links = links
        self.fallback = fallback
        self.budget = budget
        self.clock = clock
        self.wake = wake  # called when changes wait to be sent
        self.later = later  # calls in the next turn of the loop; without it, all is read at once
        self.backlog = Backlog()
        self._goes_on = False  # is _go_on going to be called?
        self.asked = 0  # frames
        self.counts = Counts()
        self._tally_own = self.counts.tally("app", Source.OWNER)
        self._tally_forwarded = self.counts.tally("node", Source.OWNER)

    def decide(self, frame: Checks, send: Send) -> None:
        """Answer a frame of checks, in as many parts as there are nodes that decide some of it."""
        self.asked += 1
        now = self.clock()
        if now > self.cluster.late_at:
            self.cluster.notice(now)
        mine, elsewhere = self._split(frame)
        if mine is None or mine:
            self._decide_here(frame, mine, send, now)
        if elsewhere:
            budget = min(self.budget * 1e9, frame.budget * 1e3) * ANSWERS_SHARE
            asked = Asked(frame, send, now, now + int(budget))
            for owner, positions in elsewhere.items():
                self._ask(Forward(self, asked, owner, positions, now))

    def _split(self, frame: Checks) -> tuple[list[int] | None, Split]:
        """Return the positions of checks whose keys are mine (None: all), and those of others.

        Those of nobody are under "".
        """
        ring, me = self.cluster.route, self.name
        elsewhere: Split = {}
        if len(ring.nodes) == 1 and ring.nodes[0] == me:
            return None, elsewhere
        mine: list[int] = []
        pair = ring.pair
        for position, check in enumerate(frame.checks):
            key = check[0]
            owner = pair(key)[0] if len(key) <= MOST_KEY_BYTES else me  # too long: say so here
            if owner == me:
                mine.append(position)
            elif owner in elsewhere:
                elsewhere[owner].append(position)
            else:
                elsewhere[owner] = [position]
        return mine if elsewhere else None, elsewhere

    def _decide_here(  # noqa: C901  # one loop, without a call of our own for each check
        self, frame: Checks, positions: list[int] | None, send: Send, now: int
    ) -> None:
        """Decide checks of mine: one reading of the clock, one loop without a call of our own."""
        take = self.buckets.take
        checks = frame.checks
        if positions is not None:
            checks = [checks[position] for position in positions]
        answers: list[Answer] = []
        denied = errors = 0
        for key, text, cost in checks:
            try:
                if len(key) > SURELY_SHORT_KEY:
                    require_key(key)
                limits = known_limits(text) or self._read(text)
                allowed, debts = take(key, limits, cost, now)
            except NewLimitsError:
                positions = self._put_off(frame, positions, len(answers), send, now)
                checks = checks[: len(answers)]
                break
            except SidegateError as error:
                answers.append(str(error)[:MOST_ERROR])
                errors += 1
            else:
                if allowed:
                    answers.append([1, *debts])
                else:
                    answers.append([0, *debts])
                    denied += 1
        if not answers:  # all were put off
            return
        send(Answers(frame.id, "owner", self.name, positions, answers))
        if denied or errors:
            checks = [check for check, it in zip(checks, answers, strict=True) if it[0] == 1]
        if len(self.cluster.ring.nodes) > 1:
            self._note_changed(checks)
        tally = self._tally_forwarded if frame.hops else self._tally_own
        tally.allowed += len(answers) - denied - errors
        tally.denied += denied
        tally.error += errors

    def _read(self, text: str) -> Limits:
        """Read limits that nobody has used before; NewLimitsError for one too many at once."""
        if self.later is None:
            return parse_limits(text)
        if not self._goes_on:
            self._goes_on = True
            self.later(self._go_on)
        if not self.backlog.may_read(text):
            raise NewLimitsError(text)
        return parse_limits(text)

    def _put_off(
        self, frame: Checks, positions: list[int] | None, done: int, send: Send, now: int
    ) -> list[int]:
        """Have the checks after those that are done wait for a later turn; return the former."""
        all_of_them = positions if positions is not None else list(range(len(frame.checks)))
        rest = all_of_them[done:]
        until = now + int(min(self.budget * 1e9, frame.budget * 1e3))
        if not self.backlog.add(Waiting(frame, rest, send, until)):
            self._refuse(frame, rest, send)
        return all_of_them[:done]

    def _refuse(self, frame: Checks, positions: list[int], send: Send) -> None:
        """Answer checks whose limits weren't read in time."""
        answers: list[Answer] = [str(NewLimitsError(""))] * len(positions)
        tally = self._tally_forwarded if frame.hops else self._tally_own
        tally.error += len(positions)
        send(Answers(frame.id, "owner", self.name, positions, answers))

    def _go_on(self) -> None:
        """Decide some of what was put off: of one frame, as much as fits into this turn."""
        self.backlog.new_turn()
        now = self.clock()
        if now > self.cluster.late_at:
            self.cluster.notice(now)
        while waiting := self.backlog.next():
            if now <= waiting.until:
                self._decide_here(waiting.frame, waiting.positions, waiting.send, now)
                break
            self._refuse(waiting.frame, waiting.positions, waiting.send)
        self._goes_on = not self.backlog.is_untouched
        if self._goes_on and self.later is not None:
            self.later(self._go_on)

    def _note_changed(self, checks: Iterable[Check]) -> None:
        """Have the buckets of these checks sent to their backups soon."""
        sync = self.cluster.sync
        if not sync.changed or sync.is_urgent:
            self.wake()
        sync.changed.update(checks)  # one call for all: half the cost of adding each

    # --- others decide

    def _ask(self, forward: Forward) -> None:
        """Ask the node that a forward is for, or, if that one can't be asked, the next."""
        hops = forward.asked.frame.hops
        if forward.to and hops < MOST_HOPS:
            link = self.links.link_to(forward.to)
            if link and link.ask(forward.checks, hops + 1, forward.patience, forward):
                return
            self.counts.unanswered[forward.to] += len(forward.checks)
        self.ask_next(forward, range(len(forward.positions)))

    def ask_next(self, forward: Forward, failed: Iterable[int]) -> None:
        """Have the next nodes on the ring decide the checks of a forward that got no answer.

        `failed` are positions in the forward. Whoever comes next may be this node itself.
        """
        now = self.clock()
        tried = {*forward.tried, forward.to}
        in_time = now < forward.asked.deadline
        is_behind = self.cluster.stage is Stage.RETURNING
        by_next: dict[tuple[str, bool], list[int]] = {}
        for at in failed:
            position = forward.positions[at]
            key = forward.asked.frame.checks[position][0]
            following = self._next(key, tried, forward, in_time)
            mine = following == self.name == self.cluster.ring.pair(key)[0]
            by_next.setdefault((following, mine), []).append(position)
        for (name, mine), positions in by_next.items():
            again = forward.onward(name, positions, now)
            if name and not mine:
                self.counts.failovers += len(positions)
            if name == self.name and forward.asked.frame.hops and is_behind:
                again.hand_back()  # to one that stood in for us, and asks us since we woke
            elif name == self.name:
                source = Source.OWNER if mine else Source.BACKUP
                again.answer(source, self.stand_in(again.checks, now), self.name)
            elif name:
                self._ask(again)
            elif forward.asked.frame.hops:  # we may not decide yet, but whoever forwarded it may
                again.hand_back()
            else:
                self._give_up(again)

    def _next(self, key: str, tried: set[str], forward: Forward, in_time: bool) -> str:
        """Return who is asked about a key after those that were: "" when there is nobody."""
        may_ask = in_time and forward.asked.frame.hops < MOST_HOPS
        for name in self.cluster.ring.walk(key):
            if name == self.name:
                return name
            if may_ask and name not in tried:
                link = self.links.link_to(name)
                if link is not None and link.takes_checks:
                    return name
        return self.name if self.cluster.decides_alone and forward.asked.frame.hops else ""

    def stand_in(self, checks: Sequence[Check], now: int) -> list[Answer]:
        """Decide checks in place of their owner, which is told later what was charged."""
        return [self._stand_in(check, now) for check in checks]

    def _stand_in(self, check: Check, now: int) -> Answer:
        key, text, cost = check
        sync = self.cluster.sync
        try:
            require_key(key)
            limits = known_limits(text) or self._read(text)
            allowed, debts = self.buckets.take(key, limits, cost, now)
        except SidegateError as error:
            return str(error)[:MOST_ERROR]
        if allowed and cost:
            owner = sync.ring.pair(key)[0]
            if owner and owner != self.name:
                sync.charge(owner, key, limits, cost)
            self._note_changed((check,))
        return [int(allowed), *debts]

    def _give_up(self, forward: Forward) -> None:
        """Answer by the policy for unreachable."""
        answers = self.fall_back(forward.checks)
        parts = self.fallback.parts(self.cluster.parts)
        forward.answer(self.fallback.source, answers, forward.owner or self.name, parts)

    def fall_back(self, checks: Sequence[Check]) -> list[Answer]:
        """Answer checks that nobody else could be asked about, by the policy for unreachable."""
        now = self.clock()
        return [self._fall_back(key, text, cost, now) for key, text, cost in checks]

    def _fall_back(self, key: str, text: str, cost: int, now: int) -> Answer:
        try:
            require_key(key)
            limits = known_limits(text) or self._read(text)
            if not 0 <= cost <= limits.smallest_burst:
                self.buckets.take(key, limits, cost, now)  # says what is wrong with the cost
            return self.fallback.answer(key, limits, cost, self.cluster.parts, now)
        except SidegateError as error:
            return str(error)[:MOST_ERROR]

    # --- for people

    async def inspect(self, key: str, *, reset: bool = False, hops: int = 0) -> Holdings | None:
        """Return the buckets of a key on its owner, or those it forgot; None if it can't be asked.

        While the owner is out of reach its backup answers. KeyTooLong for a key that no node can
        hold.
        """
        require_key(key)
        deadline = self.clock() + int(self.budget * 1e9)
        for name in self.cluster.route.walk(key):
            if name == self.name or hops >= MOST_HOPS:
                return self._inspect_here(key, reset=reset)
            link = self.links.link_to(name)
            left = (deadline - self.clock()) * 1e-9
            if link is None or not link.takes_checks or left <= 0:
                continue
            budget = left * OWNERS_SHARE  # the rest is for the backup
            found = await link.inspect(key, reset=reset, hops=hops + 1, budget=budget)
            if found is not None:
                return found
        return None

    def _inspect_here(self, key: str, *, reset: bool) -> Holdings:
        held = [(str(limit), debt) for limit, debt in self.buckets.held(key, self.clock())]
        if reset:
            self.buckets.reset(key)
            self.links.forget(Forget(key))
        mine = self.cluster.ring.pair(key)[0] == self.name
        return Holdings(0, Source.OWNER if mine else Source.BACKUP, self.name, held[:MOST_HELD])
