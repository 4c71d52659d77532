"""Confirmed answers: of an owner, that leave when another node knows what they charged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import OnUnreachable, Source
from sidegate.buckets.limits import parse_limits
from sidegate.buckets.windows import windows_in
from sidegate.protocol.messages import NOBODY, Answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.protocol.messages import Answer, Check, Checks
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.counts import Counts
    from sidegate_sidecar.node.forward import Send


class ConfirmedAnswers:
    """Answers to checks with `sync`. Those of one frame leave in parts, none waits for another."""

    def __init__(
        self,
        cluster: Cluster,
        fallback: Fallback,
        counts: Counts,
        deadline: Callable[[Checks, int], int],
        clock: Callable[[], int],
    ) -> None:
        self._cluster = cluster
        self._fallback = fallback
        self._counts = counts
        self._deadline = deadline
        self._clock = clock

    def send_again(
        self, frame: Checks, found: dict[int, Answer], source: Source, send: Send, now: int
    ) -> None:
        """Send answers to checks that were decided before, by their positions, as `send` does."""
        positions, answers = list(found), list(found.values())
        awaited = [
            at
            for at, (position, answer) in enumerate(found.items())
            if answer[0] == 1 and parse_limits(frame.checks[position][1]).sync
        ]
        if source is Source.OWNER and awaited:
            self.send(frame, positions, answers, awaited, send, now)
        else:
            send(Answers(frame.id, source, self._cluster.name, positions, answers))

    def send(
        self,
        frame: Checks,
        positions: list[int] | None,
        answers: list[Answer],
        awaited: list[int],
        send: Send,
        now: int,
    ) -> None:
        """Send answers to checks of a frame at these positions (None: all).

        Those of which the places are `awaited` leave once another node knows of them. Where none
        does in time, or none can be told, they are handed back to the node that has forwarded them,
        which asks the backup; to an app the policy for unreachable answers.
        """
        every = range(len(answers)) if positions is None else positions
        decided = dict(zip(every, answers, strict=True))
        waiting = {every[at] for at in awaited}

        def done(positions: list[int], is_known: bool) -> None:
            known = [decided[position] for position in positions]
            if is_known:
                self._counts.tally("node" if frame.hops else "app", Source.OWNER).add(known)
                some = positions if len(positions) < len(frame.checks) else None
                send(Answers(frame.id, Source.OWNER, self._cluster.name, some, known))
            elif frame.hops:
                none: list[Answer] = [[0]] * len(positions)
                send(Answers(frame.id, NOBODY, self._cluster.name, positions, none))
            else:
                self._by_policy(frame, positions, known, send)

        wanted = [(position, frame.checks[position]) for position in decided if position in waiting]
        self._cluster.confirm(wanted, self._deadline(frame, now), done, now)
        rest = [position for position in decided if position not in waiting]
        if rest:
            known = [decided[position] for position in rest]
            send(Answers(frame.id, Source.OWNER, self._cluster.name, rest, known))

    def _by_policy(
        self, frame: Checks, positions: list[int], decided: list[Answer], send: Send
    ) -> None:
        """Answer an app: all is charged here, but nobody else knows of it.

        `local` has nobody better to ask than this node, and `closed` gives back what it refuses.
        """
        answers: list[Answer] = decided
        match self._fallback.policy:
            case OnUnreachable.OPEN:
                answers = [[1] for _ in positions]
            case OnUnreachable.CLOSED:
                answers = [[0] for _ in positions]
                for position, answer in zip(positions, decided, strict=True):
                    self._give_back(frame.checks[position], answer)
            case OnUnreachable.LOCAL:
                pass
        self._counts.tally("app", self._fallback.source).add(answers)
        source, node = self._fallback.source, self._cluster.name
        send(Answers(frame.id, source, node, positions, answers))

    def _give_back(self, check: Check, answer: Answer) -> None:
        """Give back what a check has charged, but of windows that have ended meanwhile."""
        if isinstance(answer, str):  # an error has charged nothing
            return
        key, text, cost = check
        limits = parse_limits(text)
        windows = windows_in(limits, answer[1:])
        self._cluster.sync.refund(key, limits, cost, self._clock(), windows)
