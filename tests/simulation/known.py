"""What was spent of each key, as far as there was the time to tell whoever is to know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.protocol.standing_messages import OnSplit

if TYPE_CHECKING:
    from sidegate.protocol.messages import Answers
    from tests.simulation.world import World

SYNC = 0.15  # seconds of peace after which what a node has decided is known to the other holder
BY_TABLE = frozenset({"owner", "backup"})
HEARD = 1.0  # seconds until a node that is back on the ring has told what it knows
CLOSE = 1.0  # seconds of debt: a token of the limits that are looked at is worth minutes


class Known:
    """Whoever answers from its table knew all that could be known to it, or a run fails.

    What a node has charged is to be known `SYNC` later, if it was left in peace for so long; and
    it can be known for as long as a node that has it is on the ring of whoever answers, and has
    been for a second: who comes back was on the other side of a split, so to speak. Once a way
    was cut in a run each side knows its own, and nothing more is looked at.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: dict[tuple[str, str], float] = {}  # when a bucket is full, at the earliest
        self.looked_at = 0

    def note(self, key: str, text: str, answers: Answers) -> None:
        """Take in an answer to a check of one limit; AssertionError if a table lacked a copy."""
        [answer] = answers.answers
        decided = answers.source in BY_TABLE and not isinstance(answer, str)
        if parse_limits(text).windows:  # what it owes says nothing of when
            return
        holds_down = self._world.on_split is OnSplit.HOLD_DOWN  # where more is told than is owed
        if not decided or self._world.network.was_cut or holds_down:
            return
        now, who = self._world.network.now, answers.node
        full_at = now + int(answer[1]) / SECOND
        self._require(key, text, who, str(answers.source), full_at)
        if answer[0]:
            self._world.network.plan(
                now + SYNC, lambda: self._known_from_now(key, text, who, full_at, now)
            )

    def lost(self) -> None:
        """Expect nothing more that no node has; called when one has died.

        Else what another charges later, and has just begun to tell, would be taken for that.
        """
        for (key, text), due in self._due.items():
            held = [self._held(name, key, text) for name in self._world.nodes]
            self._due[key, text] = min(due, max(held))

    def _known_from_now(self, key: str, text: str, who: str, full_at: float, since: float) -> None:
        if self._world.network.was_calm(who, since):
            self._due[key, text] = max(self._due.get((key, text), 0.0), full_at)

    def _require(self, key: str, text: str, who: str, source: str, full_at: float) -> None:
        self.looked_at += 1
        due = self._due.get((key, text), 0.0)
        if due - full_at < CLOSE:
            return
        long_ago = self._world.network.now - HEARD
        if self._has_somebody_come_back(who, long_ago):
            return
        # What it holds itself beyond its answer it has charged while that was on its way.
        known = self._world.nodes[who].on_ring.items()
        others = [it for it, since in known if since < long_ago and it != who]
        ran = self._world.network.ran  # who stood still has had no time to tell
        held = [self._held(it, key, text) for it in others if ran(it, long_ago)]
        best = max(held, default=0.0)
        missing = min(due, best) - full_at
        assert missing < CLOSE, self._world.say(
            f"{who} answered for {key} as {source}, and lacks {missing:.0f} s of debt"
        )

    def _has_somebody_come_back(self, who: str, since: float) -> bool:
        """Tell whether a node off the ring has woken: it tells whom it can what it once held."""
        network, on_ring = self._world.network, self._world.nodes[who].on_ring
        off = [it for it in self._world.nodes if network.is_up(it) and it not in on_ring]
        return not all(network.ran(it, since) for it in off)

    def _held(self, name: str, key: str, text: str) -> float:
        """Return until when a node that runs takes a bucket not to be full."""
        node = self._world.nodes[name]
        if not self._world.network.is_up(name):
            return 0.0
        _, debts = node.cluster.table.debts(text, (key,), node.clock(), 0)
        return self._world.network.now + sum(debts) / SECOND
