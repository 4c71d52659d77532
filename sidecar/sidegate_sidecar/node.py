"""A node: is the key mine? Then decide. Else ask its owner. Else its backup. Else the policy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sidegate.buckets import require_cost
from sidegate.decision import Source
from sidegate.errors import SidegateError
from sidegate.fallback import OnUnreachable
from sidegate.limits import known_limits, parse_limits
from sidegate.wire import (
    MOST_HOPS,
    MOST_KEY_BYTES,
    NOBODY,
    SURELY_SHORT_KEY,
    Answer,
    Answers,
    Check,
    Checks,
    Holdings,
    require_key,
)
from sidegate_sidecar.backlog import Backlog, NewLimitsError, Waiting
from sidegate_sidecar.counts import Counts
from sidegate_sidecar.decided import charges_of
from sidegate_sidecar.failover import Step, Way, next_step
from sidegate_sidecar.forward import OWNERS_SHARE, Asked, Forward, places_of
from sidegate_sidecar.patience import Patience
from sidegate_sidecar.share import take_share
from sidegate_sidecar.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol, TypeAlias

    from sidegate.buckets import Buckets
    from sidegate.fallback import Fallback
    from sidegate.flight import Asker
    from sidegate.limits import Limits
    from sidegate.wire import Charge, Ids
    from sidegate_sidecar.cluster import Cluster
    from sidegate_sidecar.decided import Charges
    from sidegate_sidecar.failover import Next

    Send: TypeAlias = Callable[[Answers], None]
    Split: TypeAlias = dict[str, list[int]]

    class Link(Protocol):
        """What a node needs of a link to another one."""

        @property
        def takes_checks(self) -> bool:
            """Would `ask` take a check now?"""
            ...

        def ask(
            self, checks: list[Check], hops: int, budget: float, asker: Asker, ids: Ids
        ) -> bool:
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


MOST_ERROR = 240  # characters of an error in an answer: those of 4,096 checks fit into a frame
LOOKED_UP = 512  # of the checks of one frame that were put off, in a turn of the loop: 0.5 ms
MOST_HELD = 1_000  # buckets of a key that are told: for people, and to fit into a frame
_CLOSED = OnUnreachable.CLOSED
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
        serial: int = 0,
        later: Callable[[Callable[[], None]], object] | None = None,
        after: Callable[[float, Callable[[], None]], object] | None = None,
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
        self.after = after  # calls after some seconds; without it, no check waits here
        self.paused = 0  # forwards that wait here
        self._patience = Patience()
        self.backlog = Backlog()
        self._goes_on = False  # is _go_on going to be called?
        self.asked = 0  # frames
        self._serial = serial  # the last one; begins where no other life of any node has
        self._decided = cluster.sync.decided
        self.counts = Counts()
        self._tally_own = self.counts.tally("app", Source.OWNER)
        self._tally_forwarded = self.counts.tally("node", Source.OWNER)

    def decide(self, frame: Checks, send: Send, by: str = "") -> None:
        """Answer a frame of checks, in as many parts as there are nodes that decide some of it.

        `by` is the name of the node that has forwarded it, if one has.
        """
        self.asked += 1
        now = self.clock()
        if now > self.cluster.late_at:
            self.cluster.notice(now)
        if frame.hops and self.cluster.stage is Stage.RETURNING:
            self._hand_back(frame, send)  # asked before we stood still, or of who can't decide
            return
        mine, elsewhere = self._split(frame)
        if frame.serial and self._decided.knows(frame.serial):
            mine, elsewhere = self._decide_again(frame, mine, elsewhere, send, now)
        if mine is None or mine:
            self._decide_here(frame, mine, send, now)
        if elsewhere:
            asked = Asked(frame, send, now, self._deadline(frame, now), by)
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

    def _decide_here(  # noqa: C901, PLR0912  # one loop, without a call of our own for each check
        self, frame: Checks, positions: list[int] | None, send: Send, now: int, until: int = 0
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
                limits = known_limits(text)
                if limits is None:  # `or` would call its __len__: 5 % of all this
                    limits = self._read(text)
                allowed, debts = take(key, limits, cost, now)
            except NewLimitsError:
                positions = self._put_off(frame, positions, len(answers), send, now, until)
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
        if frame.serial:
            charges: Charges
            if denied or errors:
                charges = charges_of(checks, answers)
            else:  # still plain: half the time
                charges = [check[2] for check in checks]
            places = frame.places if positions is None else places_of(frame, positions)
            self._decided.note(frame.serial, places, charges)
        if denied or errors:
            checks = [check for check, it in zip(checks, answers, strict=True) if it[0] == 1]
        if len(self.cluster.ring.nodes) > 1:
            self._note_changed(checks)
        tally = self._tally_forwarded if frame.hops else self._tally_own
        tally.allowed += len(answers) - denied - errors
        tally.denied += denied
        tally.error += errors

    def _hand_back(self, frame: Checks, send: Send) -> None:
        """Have whoever forwarded a frame ask another node, if it still waits."""
        no_answers: list[Answer] = [[0]] * len(frame.checks)
        send(Answers(frame.id, NOBODY, self.name, None, no_answers))

    def _decide_again(
        self, frame: Checks, mine: list[int] | None, elsewhere: Split, send: Send, now: int
    ) -> tuple[list[int], Split]:
        """Answer the checks of a frame that are decided, as they were; return the others."""
        every = list(range(len(frame.checks)))
        places = places_of(frame, every)
        asked = (
            every if mine is None else [*mine, *(it for some in elsewhere.values() for it in some)]
        )
        found = {
            position: answer
            for position in asked
            if (answer := self._known(frame.serial, places[position], frame.checks[position], now))
        }
        if found:
            source = Source.OWNER if mine is None or mine else Source.BACKUP
            send(Answers(frame.id, source, self.name, list(found), list(found.values())))
        rest = [position for position in (every if mine is None else mine) if position not in found]
        others = {
            owner: [it for it in some if it not in found] for owner, some in elsewhere.items()
        }
        return rest, {owner: some for owner, some in others.items() if some}

    def _known(self, serial: int, place: int, check: Check, now: int) -> Answer | None:
        """Return the answer to a check that was decided before, None if it wasn't."""
        charged = self._decided.charged(serial, place)
        if charged is None:
            return None
        key, text, cost = check
        try:
            _, debts = self.buckets.take(key, parse_limits(text), 0, now)
        except SidegateError as error:
            return str(error)[:MOST_ERROR]
        return [int(charged == cost), *debts]

    def next_serial(self) -> int:
        """Return a number that no other forward of this cluster has."""
        self._serial += 1
        return self._serial

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
        self,
        frame: Checks,
        positions: list[int] | None,
        done: int,
        send: Send,
        now: int,
        until: int,
    ) -> list[int]:
        """Have the checks after those that are done wait for a later turn; return the former.

        They wait until so many ns: when they are put off for the first time, for their budget.
        """
        all_of_them = positions if positions is not None else list(range(len(frame.checks)))
        self._keep(Waiting(frame, all_of_them[done:], send, until or self._deadline(frame, now)))
        return all_of_them[:done]

    def _keep(self, waiting: Waiting) -> None:
        """Have checks wait for a later turn, if there is room for them."""
        if not self.backlog.add(waiting):
            self._refuse(waiting.frame, waiting.positions, waiting.send)

    def _deadline(self, frame: Checks, now: int) -> int:
        """Return until when a frame is to be answered, so that its asker hears it in time."""
        return now + int(min(self.budget * 1e9, frame.budget * 1e3) * ANSWERS_SHARE)

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
                self._decide_late(waiting, now)
                break
            self._refuse(waiting.frame, waiting.positions, waiting.send)
        self._goes_on = not self.backlog.is_untouched
        if self._goes_on and self.later is not None:
            self.later(self._go_on)

    def _decide_late(self, waiting: Waiting, now: int) -> None:
        """Decide what was put off, unless another node has done so meanwhile.

        Of a frame that was forwarded only some is looked up and decided: the rest waits for
        the next turns.
        """
        frame, positions, send, until = waiting
        if frame.serial and self._decided.knows(frame.serial):
            if rest := positions[LOOKED_UP:]:
                self._keep(Waiting(frame, rest, send, until))
            positions, _ = self._decide_again(frame, positions[:LOOKED_UP], {}, send, now)
        if positions:
            self._decide_here(frame, positions, send, now, until)

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
            ids = forward.serial, forward.places
            if link and link.ask(forward.checks, hops + 1, forward.patience, forward, ids):
                return
            self.note_unanswered(forward.to, len(forward.checks))
        self.ask_next(forward, range(len(forward.positions)))

    def note_unanswered(self, name: str, checks: int) -> None:
        """Count checks that a node didn't answer, and have others see whether it is there."""
        self.counts.unanswered[name] += checks
        self.cluster.doubt(name, self.clock())

    def ask_next(self, forward: Forward, failed: Iterable[int]) -> None:
        """Have the next step be taken for the checks of a forward that got no answer.

        `failed` are positions in the forward.
        """
        now = self.clock()
        frame = forward.asked.frame
        in_time = now < forward.asked.deadline
        hops = frame.hops if in_time else MOST_HOPS
        way = Way(hops, {*forward.tried, forward.to, forward.asked.by}, forward.declined)
        by_step: dict[Next, list[int]] = {}
        for at in failed:
            position = forward.positions[at]
            key = frame.checks[position][0]
            step = next_step(self.cluster, self.links, key, way, now)
            by_step.setdefault(step, []).append(at)
        for step, some in by_step.items():
            self._take_step(step, forward.onward(step.name, some, now), now)

    def _take_step(self, step: Next, forward: Forward, now: int) -> None:
        match step.step:
            case Step.ASK:
                self._ask(forward)
            case Step.OWN:
                forward.answer(Source.OWNER, self.stand_in(forward, now), self.name)
            case Step.STAND_IN:
                forward.answer(Source.BACKUP, self.stand_in(forward, now), self.name)
            case Step.GIVE_UP if forward.asked.frame.hops:  # who forwarded it may ask another
                forward.hand_back()
            case Step.GIVE_UP if not self._wait(forward, now):
                self._give_up(forward, now)
            case Step.GIVE_UP:
                pass

    def _wait(self, forward: Forward, now: int) -> bool:
        """Have checks tried again soon, if who knows of them is there but may not decide yet.

        All of one forward have the same owner, or the same backup if that one was asked.
        """
        asked = forward.asked
        pair = self.cluster.ring.pair(forward.checks[0][0])
        if self.after is None or not any(name in forward.declined for name in pair):
            return False
        pause = self._patience.pause(asked.at, asked.deadline, now)
        if pause:
            self.paused += 1
            forward.begin_anew()
            self.after(pause * 1e-9, lambda: self._try_again(forward))
        elif asked.has_waited:
            self._patience.lose(now)
        return bool(pause)

    def _try_again(self, forward: Forward) -> None:
        self.paused -= 1
        now = self.clock()
        if now > self.cluster.late_at:
            self.cluster.notice(now)
        self.ask_next(forward, range(len(forward.positions)))

    def stand_in(self, forward: Forward, now: int) -> list[Answer]:
        """Decide checks in place of their owner, which is told later what was charged."""
        serial, checks = forward.serial, forward.checks
        answers = [self._stand_in(check, serial, place, now) for check, place in forward.each()]
        self._decided.note(serial, forward.places, charges_of(checks, answers))
        return answers

    def _stand_in(self, check: Check, serial: int, place: int, now: int) -> Answer:
        key, text, cost = check
        if (known := self._known(serial, place, check, now)) is not None:
            return known
        try:
            require_key(key)
            limits = known_limits(text) or self._read(text)
            allowed, debts = self.buckets.take(key, limits, cost, now)
        except SidegateError as error:
            return str(error)[:MOST_ERROR]
        if cost:
            self._tell_owner(check, limits, (serial, place, cost if allowed else 0), now)
        return [int(allowed), *debts]

    def _tell_owner(self, check: Check, limits: Limits, charge: Charge, now: int) -> None:
        """Have the owner of a key know of a check that was decided in its place."""
        sync = self.cluster.sync
        owner = sync.ring.pair(check[0])[0]
        if owner and owner != self.name:
            sync.stood_in(owner, check, limits, charge, now)
            self.wake()
        elif charge[2]:
            self._note_changed((check,))

    # --- nobody who knows can be asked

    def _give_up(self, forward: Forward, now: int) -> None:
        """Answer by this node's share, or by the policy for unreachable.

        Who is on the ring knows how many they are, so its share is better than to let everyone
        through; the owner is told, for it may still come to the same checks. Who is to refuse what
        it can't have decided does.
        """
        parts = self.cluster.parts
        if self.cluster.has_share and parts > 1 and self.fallback.policy is not _CLOSED:
            serial = forward.serial
            answers = [
                self._share(check, (serial, place), parts, now) for check, place in forward.each()
            ]
            self._decided.note(serial, forward.places, charges_of(forward.checks, answers))
            forward.answer(Source.LOCAL, answers, self.name, parts)
            return
        answers = self.fall_back(forward.checks)
        owner = forward.owner or self.name
        forward.answer(self.fallback.source, answers, owner, self.fallback.parts(parts))

    def _share(self, check: Check, number: tuple[int, int], parts: int, now: int) -> Answer:
        key, text, cost = check
        try:
            require_key(key)
            limits = known_limits(text) or self._read(text)
            require_cost(cost, limits)
            if (charged := self._decided.charged(*number)) is not None:  # while it waited here
                _, debts = self.buckets.take(key, limits.divided(parts), 0, now)
                return [int(charged == cost), *debts]
            answer = take_share(self.buckets, key, limits, cost, parts, now)
        except SidegateError as error:
            return str(error)[:MOST_ERROR]
        if cost:
            self._tell_owner(check, limits, (*number, cost if answer[0] == 1 else 0), now)
        return answer

    def fall_back(self, checks: Sequence[Check]) -> list[Answer]:
        """Answer checks that nobody else could be asked about, by the policy for unreachable."""
        now = self.clock()
        return [self._fall_back(key, text, cost, now) for key, text, cost in checks]

    def _fall_back(self, key: str, text: str, cost: int, now: int) -> Answer:
        try:
            require_key(key)
            limits = known_limits(text) or self._read(text)
            require_cost(cost, limits)
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
        for name in self.cluster.ring.pair(key):
            link = self.links.link_to(name) if hops < MOST_HOPS else None
            left = (deadline - self.clock()) * 1e-9
            if name == self.name and self.cluster.decides(key):
                return self._inspect_here(key, reset=reset)
            if link is None or not link.takes_checks or left <= 0:
                continue
            budget = left * OWNERS_SHARE  # the rest is for the backup
            found = await link.inspect(key, reset=reset, hops=hops + 1, budget=budget)
            if found is not None and found.source != NOBODY:
                return found
        return self._inspect_here(key, reset=reset) if self.cluster.decides(key) else None

    def _inspect_here(self, key: str, *, reset: bool) -> Holdings:
        held = [(str(limit), debt) for limit, debt in self.buckets.held(key, self.clock())]
        if reset:
            self.cluster.reset(key, self.next_serial(), self.clock())
        mine = self.cluster.ring.pair(key)[0] == self.name
        return Holdings(0, Source.OWNER if mine else Source.BACKUP, self.name, held[:MOST_HELD])
