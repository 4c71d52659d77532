"""A node: is the key mine? Then decide. Else ask its owner. Else the policy for unreachable."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headgate.decision import Source
from headgate.errors import HeadgateError
from headgate.limits import parse_limits
from headgate.wire import (
    MOST_HOPS,
    MOST_KEY_BYTES,
    SURELY_SHORT_KEY,
    Answer,
    Answers,
    Check,
    Checks,
    Holdings,
    require_key,
)
from headgate_sidecar.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from headgate.buckets import Buckets
    from headgate.fallback import Fallback
    from headgate_sidecar.peers import Peers

    Send: TypeAlias = Callable[[Answers], None]

MOST_ERROR = 240  # characters of an error in an answer: those of 4,096 checks fit into a frame
MOST_HELD = 1_000  # buckets of a key that are told: for people, and to fit into a frame
OWNERS_SHARE = 0.8  # of an asker's budget: the rest is for our answer to reach it in time


class Node:
    """Decides checks, or has them decided by the nodes that own their keys."""

    def __init__(
        self,
        name: str,
        buckets: Buckets,
        peers: Peers,
        fallback: Fallback,
        *,
        budget: float,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self.buckets = buckets
        self.peers = peers
        self.fallback = fallback
        self.budget = budget
        self.clock = clock
        self.counts = Counts()
        self._tally_own = self.counts.tally("app", Source.OWNER)
        self._tally_forwarded = self.counts.tally("node", Source.OWNER)

    def decide(self, frame: Checks, send: Send) -> None:
        """Answer a frame of checks, in as many parts as there are nodes that own keys of it."""
        if not self.peers.joined and not frame.hops:
            self._decide_unjoined(frame, send)
            return
        mine, elsewhere = self._split(frame)
        if mine is None or mine:
            self._decide_here(frame, mine, send)
        for owner, positions in elsewhere.items():
            forward = Forward(self, frame, owner, positions, send)
            link = self.peers.link_to(owner)
            if link is None or not link.ask(
                forward.checks, frame.hops + 1, forward.budget, forward
            ):
                forward.unanswered(None)

    def _split(self, frame: Checks) -> tuple[list[int] | None, dict[str, list[int]]]:
        """Return the positions of checks whose keys are mine (None: all), and those of others."""
        ring, me = self.peers.ring, self.name
        elsewhere: dict[str, list[int]] = {}
        if len(ring.nodes) == 1 or frame.hops >= MOST_HOPS:
            return None, elsewhere
        mine: list[int] = []
        owner_of = ring.owner
        for position, check in enumerate(frame.checks):
            key = check[0]
            owner = owner_of(key) if len(key) <= MOST_KEY_BYTES else me  # too long: say so here
            if owner == me:
                mine.append(position)
            elif owner in elsewhere:
                elsewhere[owner].append(position)
            else:
                elsewhere[owner] = [position]
        return mine if elsewhere else None, elsewhere

    def _decide_here(self, frame: Checks, positions: list[int] | None, send: Send) -> None:
        """Decide checks of mine: one reading of the clock, one loop without a call of our own."""
        now, take = self.clock(), self.buckets.take
        checks = frame.checks
        if positions is not None:
            checks = [checks[position] for position in positions]
        answers: list[Answer] = []
        denied = errors = 0
        for key, limits, cost in checks:
            try:
                if len(key) > SURELY_SHORT_KEY:
                    require_key(key)
                allowed, debts = take(key, parse_limits(limits), cost, now)
            except HeadgateError as error:
                answers.append(str(error)[:MOST_ERROR])
                errors += 1
            else:
                if allowed:
                    answers.append([1, *debts])
                else:
                    answers.append([0, *debts])
                    denied += 1
        send(Answers(frame.id, "owner", self.name, positions, answers))
        tally = self._tally_forwarded if frame.hops else self._tally_own
        tally.allowed += len(answers) - denied - errors
        tally.denied += denied
        tally.error += errors

    def _decide_unjoined(self, frame: Checks, send: Send) -> None:
        """Answer by the policy for unreachable, until we have looked for the other nodes.

        Before that this node takes itself for the owner of every key, and would grant limits that
        are already spent elsewhere.
        """
        source, answers = self.fallback.source, self.fall_back(frame.checks)
        send(Answers(frame.id, source, self.name, None, answers))
        self.counts.tally("app", source).add(answers)

    def fall_back(self, checks: Sequence[Check]) -> list[Answer]:
        """Answer checks that nobody else could be asked about, by the policy for unreachable."""
        now = self.clock()
        return [self._fall_back(key, text, cost, now) for key, text, cost in checks]

    def _fall_back(self, key: str, text: str, cost: int, now: int) -> Answer:
        try:
            require_key(key)
            limits = parse_limits(text)
            if not 0 <= cost <= limits.smallest_burst:
                self.buckets.take(key, limits, cost, now)  # says what is wrong with the cost
            return self.fallback.answer(key, limits, cost, len(self.peers.ring), now)
        except HeadgateError as error:
            return str(error)[:MOST_ERROR]

    async def inspect(self, key: str, *, reset: bool = False, hops: int = 0) -> Holdings | None:
        """Return the buckets of a key on its owner, or those it forgot; None if it can't be asked.

        KeyTooLong for a key that no node can hold.
        """
        require_key(key)
        owner = self.peers.ring.owner(key)
        if owner == self.name or hops >= MOST_HOPS:
            return self._inspect_here(key, reset=reset)
        link = self.peers.link_to(owner)
        if link is None:
            return None
        return await link.inspect(key, reset=reset, hops=hops + 1, budget=self.budget)

    def _inspect_here(self, key: str, *, reset: bool) -> Holdings:
        held = [(str(limit), debt) for limit, debt in self.buckets.held(key, self.clock())]
        if reset:
            self.buckets.reset(key)
        return Holdings(0, Source.OWNER, self.name, held[:MOST_HELD])


class Forward:
    """Checks of one frame on their way to the node that owns their keys, and back."""

    __slots__ = (
        "_asker",
        "_frame_id",
        "_node",
        "_owner",
        "_positions",
        "_send",
        "_since",
        "_whole",
        "budget",
        "checks",
    )

    def __init__(
        self, node: Node, frame: Checks, owner: str, positions: list[int], send: Send
    ) -> None:
        self._node = node
        self._frame_id = frame.id
        self._owner = owner
        self._whole = len(positions) == len(frame.checks)
        self._positions = positions
        self._send = send
        self._asker = "node" if frame.hops else "app"
        self._since = node.clock()
        checks = frame.checks
        self.checks = checks if self._whole else [checks[position] for position in positions]
        self.budget = min(node.budget, frame.budget * 1e-6) * OWNERS_SHARE

    def answered(self, answers: Answers) -> None:
        """Pass answers on under the frame id and the positions of whoever asked."""
        self._pass_on(
            answers.source, answers.node, answers.positions, answers.answers, answers.parts
        )
        self._node.counts.forwarded.observe((self._node.clock() - self._since) * 1e-9)

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Answer by the policy for unreachable."""
        node = self._node
        checks = self.checks if positions is None else [self.checks[at] for at in positions]
        node.counts.unanswered[self._owner] += len(checks)
        parts = node.fallback.parts(len(node.peers.ring))
        answers = node.fall_back(checks)
        self._pass_on(node.fallback.source, self._owner, positions, answers, parts)

    def _pass_on(
        self,
        source: str,
        node: str,
        positions: Sequence[int] | None,
        answers: list[Answer],
        parts: int = 1,
    ) -> None:
        """Send answers to the checks at these positions of the forwarded ones (None: all)."""
        if positions is not None:
            back: list[int] | None = [self._positions[position] for position in positions]
        else:
            back = None if self._whole else self._positions
        self._send(Answers(self._frame_id, source, node, back, answers, parts))
        self._node.counts.tally(self._asker, source).add(answers)
