"""Forwarding: checks of others' keys on their road, from node to node until somebody decides.

No clock of its own: `clock` is in ns, and `after` calls back after some seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate.protocol.messages import MAX_HOPS
from sidegate_sidecar.node.failover import NextStep, Way, next_step
from sidegate_sidecar.node.forward import Asked, Forward
from sidegate_sidecar.node.patience import Patience
from sidegate_sidecar.node.share import gives_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.protocol.messages import Answer, Answers, Check, Checks
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.counts import Counts
    from sidegate_sidecar.node.failover import Links, Next
    from sidegate_sidecar.node.forward import Send
    from sidegate_sidecar.node.local import Local, Split

    After: TypeAlias = Callable[[float, Callable[[], None]], object]


class Forwarding:
    """The forwards of one node. Without `after` no check waits for who knows to be ready.

    `serial` is the last one; it begins where no other life of any node has been.
    """

    def __init__(
        self,
        cluster: Cluster,
        links: Links,
        local: Local,
        fallback: Fallback,
        counts: Counts,
        *,
        clock: Callable[[], int],
        after: After | None,
        serial: int,
    ) -> None:
        self.paused = 0  # forwards that wait here
        self._cluster = cluster
        self._links = links
        self._local = local
        self._fallback = fallback
        self._counts = counts
        self._clock = clock
        self._after = after
        self._patience = Patience()
        self._serial = serial

    def next_serial(self) -> int:
        """Return a number that no other forward of this cluster has."""
        self._serial += 1
        return self._serial

    def begin(self, frame: Checks, send: Send, by: str, elsewhere: Split, now: int) -> None:
        """Ask the owners of keys about checks at these positions, "" for who has none."""
        asked = Asked(frame, send, now, self._local.deadline(frame, now), by)
        for owner, positions in elsewhere.items():
            serial = frame.serial or self.next_serial()
            self._ask(Forward(self, asked, owner, positions, serial, now))

    def _ask(self, forward: Forward) -> None:
        """Ask the node that a forward is for, or, if that one can't be asked, the next."""
        hops = forward.asked.frame.hops
        if forward.to and hops < MAX_HOPS:
            link = self._links.link_to(forward.to)
            ids = forward.serial, forward.places
            asked = forward.checks, hops + 1, forward.patience, forward, ids, forward.traces
            if link and link.ask(*asked):
                return
            self._count_unanswered(forward, len(forward.checks))
        self._ask_next(forward, range(len(forward.positions)))

    # --- what comes of it

    def arrived(self, asked: Asked, answers: Answers, *, from_elsewhere: bool) -> None:
        """Send answers to whoever asked, and count them."""
        counts = self._counts
        counts.tally("node" if asked.frame.hops else "app", answers.source).add(answers.answers)
        asked.send(answers)
        if from_elsewhere:
            counts.forwarded.observe((self._clock() - asked.at) * 1e-9)

    def failed(self, forward: Forward, failed: Sequence[int]) -> None:
        """Called with the positions of checks that got no answer: the next node is asked."""
        self._count_unanswered(forward, len(failed))
        self._ask_next(forward, failed)

    def declined(self, forward: Forward, failed: Sequence[int]) -> None:
        """Called with checks that the node which was asked may not decide, though it is there."""
        if not forward.asked.has_waited:  # else that was counted
            self._counts.count_unanswered(forward.to, len(failed))
        self._ask_next(forward, failed)

    def _count_unanswered(self, forward: Forward, checks: int) -> None:
        """Count checks that a node didn't answer, and have others see whether it is there."""
        self._counts.count_unanswered(forward.to, checks)
        self._cluster.doubt(forward.to, self._clock())

    # --- the next step

    def _ask_next(self, forward: Forward, failed: Iterable[int]) -> None:
        """Take the next step for the checks at these positions of a forward."""
        now = self._clock()
        frame = forward.asked.frame
        in_time = now < forward.asked.deadline
        is_small = frame.hops and not self._cluster.side.decides  # who asks us may ask another
        hops = frame.hops if in_time and not is_small else MAX_HOPS
        way = Way(hops, {*forward.tried, forward.to, forward.asked.by}, forward.declined)
        by_step: dict[Next, list[int]] = {}
        for at in failed:
            key = frame.checks[forward.positions[at]][0]
            step = next_step(self._cluster, self._links, key, way, now)
            by_step.setdefault(step, []).append(at)
        for step, some in by_step.items():
            self._take_step(step, forward.onward(step.name, some, now), now)

    def _take_step(self, step: Next, forward: Forward, now: int) -> None:
        match step.step:
            case NextStep.ASK:
                self._ask(forward)
            case NextStep.OWN:
                answers = self._local.stand_in(forward, Source.OWNER, now)
                self._answer(forward, Source.OWNER, answers)
            case NextStep.STAND_IN:
                answers = self._local.stand_in(forward, Source.BACKUP, now)
                forward.answer(Source.BACKUP, answers, self._cluster.name)
            case NextStep.GIVE_UP if forward.asked.frame.hops:  # who forwarded it may ask another
                forward.hand_back(self._cluster.name)
            case NextStep.GIVE_UP if not self._wait(forward, now):
                self._give_up(forward, now)
            case NextStep.GIVE_UP:
                pass

    def _answer(
        self, forward: Forward, source: Source, answers: list[Answer], parts: int = 1
    ) -> None:
        """Answer as the owner, or by a share: an app of this node listens to nobody else any more.

        So what those who were asked before decide of it, too late, is heard by nobody.
        """
        if not forward.asked.frame.hops:
            self._cluster.sync.decided.note_heard(forward.serial)
        forward.answer(source, answers, self._cluster.name, parts)

    def _wait(self, forward: Forward, now: int) -> bool:
        """Have checks tried again soon, if who knows of them is there but may not decide yet.

        All of one forward have the same owner, or the same backup if that one was asked.
        """
        asked = forward.asked
        pair = self._cluster.ring.pair(forward.checks[0][0])
        if self._after is None or not self._cluster.side.decides:
            return False
        if not any(name in forward.declined for name in pair):
            return False
        pause = self._patience.pause(asked.at, asked.deadline, now)
        if pause:
            self.paused += 1
            forward.begin_anew()
            self._after(pause * 1e-9, lambda: self._try_again(forward))
        elif asked.has_waited:
            self._patience.lose(now)
        return bool(pause)

    def _try_again(self, forward: Forward) -> None:
        self.paused -= 1
        now = self._clock()
        if now > self._cluster.late_at:
            self._cluster.notice(now)
        self._ask_next(forward, range(len(forward.positions)))

    def _give_up(self, forward: Forward, now: int) -> None:
        """Answer by this node's share, or by the policy for unreachable."""
        cluster, fallback = self._cluster, self._fallback
        parts = cluster.parts
        if gives_share(cluster, fallback.policy):
            self._answer(forward, Source.LOCAL, self._local.by_share(forward, parts, now), parts)
            return
        checks: Sequence[Check] = forward.checks
        answers = self._local.fall_back(checks, now)
        owner = forward.owner or cluster.name
        forward.answer(fallback.source, answers, owner, fallback.parts(parts))
