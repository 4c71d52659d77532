"""Deciding here: checks by this node's own table, as the owner, in its place, or by a share.

No clock: times are in ns, and `later` calls in the next turn of the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import known_limits, parse_limits, require_cost
from sidegate.errors import SidegateError
from sidegate.protocol.messages import SURELY_SHORT_KEY, Answer, Answers, require_key
from sidegate_sidecar.cluster.split.part import taking
from sidegate_sidecar.node.backlog import Backlog, NewLimitsError, PutOff
from sidegate_sidecar.node.confirmed.confirmed_answers import ConfirmedAnswers
from sidegate_sidecar.node.confirmed.hearers import Hearers
from sidegate_sidecar.node.forward import places_of
from sidegate_sidecar.node.share import take_share
from sidegate_sidecar.replication.corrections.decided import charges_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.protocol.messages import Check, Checks
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.cluster.split.part import Take
    from sidegate_sidecar.node.counts import Counts
    from sidegate_sidecar.node.forward import Forwarded, Send
    from sidegate_sidecar.replication.corrections.decided import Charges
    from sidegate_sidecar.reports.counting import Counting

    Split: TypeAlias = dict[str, list[int]]
    Later: TypeAlias = Callable[[Callable[[], None]], object]

MAX_ERROR = 240  # characters of an error in an answer: those of 4,096 checks fit into a frame
ANSWERS_SHARE = 0.8  # of an asker's budget: the rest is for our answer to reach it in time
LOOKED_UP = 512  # of the checks of one frame that were put off, in a turn of the loop: 0.5 ms


class Local:
    """The table of one node, and the checks that it decides. `wake` is called with each change.

    Without `later` all limits are read at once, however many are new.
    """

    def __init__(
        self,
        buckets: BucketTable,
        cluster: Cluster,
        fallback: Fallback,
        counts: Counts,
        *,
        budget: float,
        clock: Callable[[], int],
        wake: Callable[[], None],
        later: Later | None,
        counting: Counting | None = None,
    ) -> None:
        self.name = cluster.name
        self.later = later
        self.backlog = Backlog()
        self._buckets = buckets
        self._take: Take = buckets.take
        self._cluster = cluster
        self._fallback = fallback
        self._budget = budget
        self._clock = clock
        self.hearers = Hearers(buckets, cluster, wake)
        self._counting = counting
        self._goes_on = False  # is _go_on going to be called?
        self._decided = cluster.sync.decided
        self._confirmed = ConfirmedAnswers(cluster, fallback, counts, self.deadline, clock)
        self._tally_own = counts.tally("app", Source.OWNER)
        self._tally_forwarded = counts.tally("node", Source.OWNER)

    def side_moved(self) -> None:
        """Called when this side of a split serves more of each limit, or less."""
        self._take = taking(self._buckets, self._cluster.side.part)

    # --- as the owner

    def decide(  # noqa: C901, PLR0912, PLR0915  # one loop, without a call of our own for each check
        self, frame: Checks, positions: list[int] | None, send: Send, now: int, until: int = 0
    ) -> None:
        """Decide the checks at these positions (None: all), which are ours.

        Those whose limits are new may wait: `until` then, or (0) for the budget of the frame.
        """
        take = self._take
        checks = frame.checks
        if positions is not None:
            checks = [checks[position] for position in positions]
        answers: list[Answer] = []
        denied = errors = 0
        is_backed_up = self.hearers.exist
        awaited: dict[int, None] = {}  # places of those that are answered when the backup has them
        for check in checks:
            key, text, cost = check
            try:
                if len(key) > SURELY_SHORT_KEY:
                    require_key(key)
                limits = known_limits(text)
                if limits is None:  # `or` would call its __len__: 5 % of all this
                    limits = self.read(text)
                allowed, debts = take(key, limits, cost, now)
            except NewLimitsError:
                positions = self._put_off(
                    frame, positions, len(answers), send, until or self.deadline(frame, now)
                )
                checks = checks[: len(answers)]
                break
            except SidegateError as error:
                answers.append(str(error)[:MAX_ERROR])
                errors += 1
            else:
                if allowed:
                    answers.append([1, *debts])
                    if is_backed_up and limits.sync and cost:
                        awaited[len(answers) - 1] = None
                else:
                    answers.append([0, *debts])
                    denied += 1
        if not answers:  # all were put off
            return
        if is_backed_up:  # first: see `early/`
            charged = checks
            if denied or errors or awaited:
                charged = [
                    check
                    for at, check in enumerate(checks)
                    if answers[at][0] == 1 and at not in awaited
                ]
            if charged:
                self.hearers.charged(charged, now)
        if awaited:
            self._confirmed.send(frame, positions, answers, [*awaited], send, now)
        else:
            send(Answers(frame.id, "owner", self.name, positions, answers))
        if frame.serial:
            charges: Charges
            if denied or errors:
                charges = charges_of(checks, answers)
            else:  # still plain: half the time
                charges = [check[2] for check in checks]
            places = frame.places if positions is None else places_of(frame, positions)
            self._decided.note(frame.serial, places, charges)
        if self._counting is not None:
            self._counting.owned(checks, answers if denied or errors else None)
        if awaited:
            self.hearers.changed([checks[at] for at in awaited])
            self.hearers.wake()  # there is something to do before a flush
        if self._buckets.carried:
            self.hearers.carried()
        tally = self._tally_forwarded if frame.hops else self._tally_own
        tally.allowed += len(answers) - denied - errors - len(awaited)
        tally.denied += denied
        tally.error += errors

    def decide_again(
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
            self._confirmed.send_again(frame, found, source, send, now)
        rest = [position for position in (every if mine is None else mine) if position not in found]
        others = {
            owner: [it for it in some if it not in found] for owner, some in elsewhere.items()
        }
        return rest, {owner: some for owner, some in others.items() if some}

    def knows(self, frame: Checks) -> bool:
        """Was any check of this frame decided before?"""
        return self._decided.knows(frame.serial)  # 0, of no forward, never is

    def _known(self, serial: int, place: int, check: Check, now: int) -> Answer | None:
        """Return the answer to a check that was decided before, None if it wasn't."""
        charged = self._decided.charged(serial, place)
        if charged is None:
            return None
        key, text, cost = check
        try:
            _, debts = self._buckets.take(key, parse_limits(text), 0, now)
        except SidegateError as error:
            return str(error)[:MAX_ERROR]
        return [int(charged == cost), *debts]

    # --- limits that are new wait their turn

    def deadline(self, frame: Checks, now: int) -> int:
        """Return until when a frame is to be answered, so that its asker hears it in time."""
        return now + int(min(self._budget * 1e9, frame.budget * 1e3) * ANSWERS_SHARE)

    def read(self, text: str) -> Limits:
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
        self, frame: Checks, positions: list[int] | None, done: int, send: Send, until: int
    ) -> list[int]:
        """Put the checks after those that are done off to a later turn; return the former."""
        all_of_them = positions if positions is not None else list(range(len(frame.checks)))
        self._keep(PutOff(frame, all_of_them[done:], send, until))
        return all_of_them[:done]

    def _keep(self, waiting: PutOff) -> None:
        """Have checks wait for a later turn, if there is room for them."""
        if not self.backlog.add(waiting):
            self._refuse(waiting)

    def _refuse(self, waiting: PutOff) -> None:
        """Answer checks whose limits weren't read in time."""
        frame, positions, send, _ = waiting
        answers: list[Answer] = [str(NewLimitsError(""))] * len(positions)
        tally = self._tally_forwarded if frame.hops else self._tally_own
        tally.error += len(positions)
        if self._counting is not None:
            refused = [frame.checks[position] for position in positions]
            self._counting.owned(refused, answers)
        send(Answers(frame.id, "owner", self.name, positions, answers))

    def _go_on(self) -> None:
        """Decide some of what was put off: of one frame, as much as fits into this turn."""
        self.backlog.new_turn()
        now = self._clock()
        if now > self._cluster.late_at:
            self._cluster.notice(now)
        while waiting := self.backlog.next():
            if now <= waiting.until:
                self._decide_late(waiting, now)
                break
            self._refuse(waiting)
        self._goes_on = not self.backlog.is_untouched
        if self._goes_on and self.later is not None:
            self.later(self._go_on)

    def _decide_late(self, waiting: PutOff, now: int) -> None:
        """Decide what was put off, unless another node has done so meanwhile.

        Of a frame that was forwarded only some is looked up and decided: the rest waits for
        the next turns.
        """
        frame, positions, send, until = waiting
        if self.knows(frame):
            if rest := positions[LOOKED_UP:]:
                self._keep(PutOff(frame, rest, send, until))
            positions, _ = self.decide_again(frame, positions[:LOOKED_UP], {}, send, now)
        if positions:
            self.decide(frame, positions, send, now, until)

    # --- in place of the owner

    def stand_in(self, forward: Forwarded, source: Source, now: int) -> list[Answer]:
        """Decide checks in place of their owner, which is told later what was charged.

        Or as the owner after all: then nobody is told.
        """
        serial, checks = forward.serial, forward.checks
        answers: list[Answer] = []
        for check, place in forward.each():
            answer = self._known(serial, place, check, now)
            if answer is None:
                answer = self._stand_in(check, serial, place, now)
                self._count(source, check, answer)
            answers.append(answer)
        self._decided.note(serial, forward.places, charges_of(checks, answers))
        return answers

    def _stand_in(self, check: Check, serial: int, place: int, now: int) -> Answer:
        key, text, cost = check
        try:
            require_key(key)
            limits = known_limits(text) or self.read(text)
            allowed, debts = self._take(key, limits, cost, now)
        except SidegateError as error:
            return str(error)[:MAX_ERROR]
        if cost:
            self.hearers.stood_in(check, limits, (serial, place, cost if allowed else 0), now)
        return [int(allowed), *debts]

    # --- nobody who knows can be asked

    def by_share(self, forward: Forwarded, parts: int, now: int) -> list[Answer]:
        """Decide checks by this node's share, as one of so many; their owner is told of it.

        It may still come to the same checks.
        """
        serial = forward.serial
        answers: list[Answer] = []
        for check, place in forward.each():
            answer = self._share(check, (serial, place), parts, now)
            answers.append(answer)
            if self._decided.charged(serial, place) is None:
                self._count(Source.LOCAL, check, answer)
        self._decided.note(serial, forward.places, charges_of(forward.checks, answers))
        return answers

    def _share(self, check: Check, number: tuple[int, int], parts: int, now: int) -> Answer:
        key, text, cost = check
        try:
            require_key(key)
            limits = known_limits(text) or self.read(text)
            require_cost(cost, limits)
            if (charged := self._decided.charged(*number)) is not None:  # while it waited here
                _, debts = self._buckets.take(key, limits.divided(parts), 0, now)
                return [int(charged == cost), *debts]
            answer = take_share(self._buckets, key, limits, cost, parts, now)
        except SidegateError as error:
            return str(error)[:MAX_ERROR]
        if cost:
            self.hearers.stood_in(check, limits, (*number, cost if answer[0] == 1 else 0), now)
        return answer

    def fall_back(self, checks: Sequence[Check], now: int) -> list[Answer]:
        """Answer checks that nobody else could be asked about, by the policy for unreachable."""
        answers = [self._fall_back(key, text, cost, now) for key, text, cost in checks]
        if self._counting is not None:
            self._counting.answered(self._fallback.source, checks, answers)
        return answers

    def _fall_back(self, key: str, text: str, cost: int, now: int) -> Answer:
        try:
            require_key(key)
            limits = known_limits(text) or self.read(text)
            require_cost(cost, limits)
            return self._fallback.answer(key, limits, cost, self._cluster.parts, now)
        except SidegateError as error:
            return str(error)[:MAX_ERROR]

    # --- for reports

    def _count(self, source: Source, check: Check, answer: Answer) -> None:
        if self._counting is not None:
            self._counting.answered(source, (check,), (answer,))
