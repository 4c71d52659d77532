"""A side: which nodes this one reaches of those that there were, and what that lets it do. Pure.

A node is here that is alive and has told its voters; a suspect isn't, or each side would decide
everything until it takes the other for dead, seconds later. Times are in ns.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import SECOND
from sidegate.protocol.standing_messages import MAX_VERSION, MAX_VOTERS, OnSplit, Voters
from sidegate_ring.membership.membership import Life
from sidegate_sidecar.cluster.split.part import WHOLE, SidePart
from sidegate_sidecar.cluster.split.voter_sets import (
    NONE_YET,
    Told,
    VoterSet,
    VoterSets,
    has_majority,
)
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate_ring.membership.membership import Membership

    Outgoing: TypeAlias = list[tuple[str, Voters]]

HOLD: Final = 10 * SECOND
"""Nodes that are lost for so long count no more, on a side that goes on."""

SETTLE: Final = SECOND
"""After nobody has come or left for so long the next voters are proposed: one set for a roll's
step, not one for each word of it."""

LOOK_EVERY: Final = SECOND // 4  # while nothing happens: it costs a microsecond for each node
PROBE_EVERY: Final = SECOND  # all nodes, while one is suspected
ASK_AGAIN: Final = SECOND  # an answer is lost with its link, which seldom breaks
MAX_NAMED: Final = 5  # nodes in a line of the log

log = logging.getLogger("sidegate")


class Side:
    """The side of one node. `lacks` tells if a node is of a release that has no voters.

    `moved` is called when it `decides`, or its `part`, has changed; with True where nodes are back
    that it has missed, which may have decided something meanwhile.
    """

    def __init__(
        self,
        on_split: OnSplit,
        membership: Membership,
        lacks: Callable[[str], bool],
        moved: Callable[[bool, int], None],
        now: int,
    ) -> None:
        self.on_split = on_split
        self.decides = True  # or is it the smaller side of a quorum?
        self.part: SidePart = WHOLE  # of each limit, in a hold-down
        self.lost: tuple[str, ...] = ()  # nodes that count, and aren't here
        self.losses = 0  # how often it came to be a part, or to decide nothing
        self.sets = VoterSets()
        self._membership = membership
        self._lacks = lacks
        self._moved = moved
        self._told: dict[str, Told] = {}
        self._asked: dict[str, int] = {}
        self._here: tuple[str, ...] = ()
        self._binding: list[VoterSet] = []  # of each of which a side needs a majority
        self._off: set[str] = set()  # names in these that are off the ring just now
        self._placed: dict[str, int] = {}  # the claim with which each was on it last
        self._present: frozenset[str] = frozenset()  # the same, to look up a name among many
        self._here_since = self._lost_since = now
        self._are_back = False  # some that were lost, and what they decided isn't asked for yet
        self._alive: set[str] = set()
        self._was_less = False  # than whole, since it has missed anybody
        self._said: Voters | None = None
        self._look_at = self._probe_at = now

    @property
    def share(self) -> float:
        """Return the share of each limit that this side serves: 0 where it decides nothing."""
        return self.part.nodes / self.part.of if self.decides else 0.0

    @property
    def counted(self) -> int:
        """Return how many nodes count: those agreed on that haven't left."""
        return len(self.sets.agreed.names) - len(self._gone_of(self.sets.agreed))

    @property
    def away(self) -> int:
        """Return how many of the lost aren't among the living."""
        living = self._membership.members
        return sum(not (it in living and living[it].living) for it in self.lost)

    @property
    def is_quiet(self) -> bool:
        """Has nobody to look again soon? Where nodes are counted a split is noticed in time."""
        return self.on_split is OnSplit.OPTIMISTIC

    # --- what happens

    def hear(self, sender: str, voters: Voters) -> Outgoing:
        """Take in by whom another node counts; return what it is answered."""
        member = self._membership.members.get(sender)
        if member is None or not member.living:
            return []
        if sender not in self._told and voters.on_split != self.on_split:
            words = "node %s has --on-split %s, this one %s: each goes by its own"
            log.warning(words, visible(sender), visible(voters.on_split), self.on_split)
        if self.on_split is OnSplit.OPTIMISTIC:  # nobody counts here
            self._forget_the_dead()
            self._told[sender] = Told(voters.on_split, NONE_YET, ())
        else:
            sets = self.sets
            proposed = tuple(map(sets.known, voters.proposed))
            self._told[sender] = Told(voters.on_split, sets.known(voters.agreed), proposed)
            sets.note_gone(voters.gone, (VoterSet(*voters.agreed), *proposed))
            self._look_at = 0
        return [(sender, self._words())] if voters.asks else []

    def tell(self, name: str) -> Outgoing:
        """Return what a node is told with which a link came up, or was lost and came again."""
        return [] if self.on_split is OnSplit.OPTIMISTIC else [(name, self._words(asks=1))]

    def forget(self, name: str) -> str:
        """Count a node no more that is lost; return why not, for people, "" if it is done."""
        if self.on_split is OnSplit.OPTIMISTIC:
            return "--on-split is optimistic: nobody is missed here"
        if name not in self.lost:
            missed = ", ".join(map(visible, self.lost[:MAX_NAMED])) or "nobody"
            return f"node {visible(name)!r}: expected one that is missed here: {missed}"
        self.sets.note_gone((name,), self._binding)
        self._look_at = 0
        log.warning("node %s: counts no more, as it was told", visible(name))
        return ""

    def tick(self, now: int) -> Outgoing:
        """Look again if something was told, or it is time; return what others are to be told."""
        return self.look(now) if now >= self._look_at else []

    def look(self, now: int) -> Outgoing:
        """Find out where this node stands; called whenever somebody comes, goes or is suspected."""
        self._look_at = now + LOOK_EVERY
        if self.on_split is OnSplit.OPTIMISTIC:
            return []
        self._forget_the_dead()
        self._find_back()
        here = self._find_here()
        if here != self._here:
            self._here, self._present, self._here_since = here, frozenset(here), now
        present = self._present
        binding = self.sets.binding(it for name, it in self._told.items() if name in present)
        self.sets.agree(binding[0])
        self._binding = binding
        self._note_gone(binding)
        self._count_lost(binding[0], now)
        self._judge(binding, now)
        if self._membership.me.name in present:
            self._go_on(now)
        return [*self._say(), *self._ask(now)]

    def is_in_doubt(self, now: int) -> bool:
        """Should all be probed now? Once a second while one is suspected: others may be away.

        Else each is probed in its turn, and a node alone takes its time: with twelve, up to 20 s.
        """
        if self.on_split is OnSplit.OPTIMISTIC or now < self._probe_at:
            return False
        if all(it.state is Life.ALIVE for it in self._membership.core()):  # leaves come and go
            return False
        self._probe_at = now + PROBE_EVERY
        return True

    # --- who is here, and who isn't

    def _forget_the_dead(self) -> None:
        living = {it.name for it in self._membership.living()}
        for name in [name for name in self._told if name not in living]:
            del self._told[name]
        for name in [name for name in self._asked if name not in living]:
            del self._asked[name]

    def _find_back(self) -> None:
        """Find out if any of the lost are back, told or not: they may be asked what they decided.

        Only where this side has been less than whole since it missed them.
        """
        alive = {it.name for it in self._membership.core() if it.owner and it.state is Life.ALIVE}
        if self._was_less and not (alive - self._alive).isdisjoint(self.lost):
            self._are_back = True
        self._alive = alive

    def _find_here(self) -> tuple[str, ...]:
        me, known = self._membership.me, self._told
        others = (it for it in self._membership.core() if it.owner and it.state is Life.ALIVE)
        names = [it.name for it in others if it.name in known or self._lacks(it.name)]
        if me.owner and me.living:
            names.append(me.name)
        return tuple(sorted(names))

    def _note_gone(self, binding: list[VoterSet]) -> None:
        """Remember who has left of those that count, and see who is off the ring.

        Who starts again after it was killed has another claim, and counts when it is on the ring.
        """
        me, known = self._membership.me, {**self._membership.members}
        known[me.name] = me
        names = {name for voters in binding for name in voters.names if name in known}
        self._off = {name for name in names if not known[name].owner}
        placed = {it: self._placed.get(it, -1) for it in self._off}
        left = (it for it in self._off if known[it].claim == placed[it])
        self.sets.note_gone(left, binding)
        self.sets.keep_gone(binding)
        self._placed = {it: placed.get(it, known[it].claim) for it in names}

    def _gone_of(self, voters: VoterSet) -> set[str]:
        return self.sets.gone_of(voters) | self._off.intersection(voters.names)

    def _count_lost(self, agreed: VoterSet, now: int) -> None:
        others = self._present | self._gone_of(agreed)
        lost = tuple(it for it in agreed.names if it not in others)
        if lost != self.lost:
            self.lost, self._lost_since = lost, now

    # --- what that lets it do

    def _judge(self, binding: list[VoterSet], now: int) -> None:
        decides, part = True, WHOLE
        if self.on_split is OnSplit.QUORUM:
            here, gone_of = self._present, self._gone_of
            decides = all(has_majority(it.names, here, gone_of(it)) for it in binding)
        elif self.lost:
            part = SidePart(max(self.counted - len(self.lost), 1), self.counted)
        is_whole = decides and part.is_whole
        are_back = is_whole and self._are_back
        has_changed = (decides, part) != (self.decides, self.part)
        self.decides, self.part = decides, part
        if has_changed:
            self.losses += not is_whole
            self._log()
        if has_changed or are_back:
            self._moved(are_back, now)
        self._are_back = self._are_back and not is_whole
        self._was_less = not is_whole or (self._was_less and bool(self.lost))

    def _log(self) -> None:
        name = self._membership.me.name
        lost = ", ".join(map(visible, self.lost[:MAX_NAMED]))
        more = len(self.lost) - MAX_NAMED
        lost += f" and {more:,} more" if more > 0 else ""
        if not self.decides:
            words = "node %s: on the smaller side of a split, decides nothing; it misses %s"
            log.warning(words, name, lost or "who counts on another side")
        elif not self.part.is_whole:
            words = "node %s: serves %d/%d of each limit, for it misses %s"
            log.warning(words, name, *self.part, lost)
        else:
            log.warning("node %s: decides by whole limits again", name)

    # --- who counts next

    def _go_on(self, now: int) -> None:
        """Have those who are here be those who count, once it is time."""
        sets = self.sets
        if sets.agreed == NONE_YET:
            if self._nobody_counts:
                sets.agree(VoterSet(self._next_version(), self._here))  # above all that leaves know
            return
        is_time = now - self._here_since >= SETTLE and (
            not self.lost or now - self._lost_since >= HOLD
        )
        is_other = sets.last.names != self._here or bool(sets.gone_of(sets.last))
        new = is_other and len(self._here) <= MAX_VOTERS
        if self.on_split is OnSplit.HOLD_DOWN:
            if new and is_time:
                sets.agree(VoterSet(self._next_version(), self._here))
            return
        if new and is_time and self.decides:
            sets.propose(VoterSet(self._next_version(), self._here))
        if self.decides:
            self._agree_if_promised()

    @property
    def _nobody_counts(self) -> bool:
        """Have all that may be on the ring told, and none of those that are of a set?

        What leaves remember of a ring that is no more is nobody's.
        """
        told, core = self._told, self._membership.core()
        if not all(it.name in told or self._lacks(it.name) for it in core):
            return False
        return not any(told[it.name].agreed.version for it in core if it.owner and it.name in told)

    def _next_version(self) -> int:
        sets = (self.sets.agreed, *self.sets.proposed)
        theirs = [it for told in self._told.values() for it in (told.agreed, *told.proposed)]
        return min(1 + max(version for version, _ in (*sets, *theirs)), MAX_VERSION)

    def _agree_if_promised(self) -> None:
        """Count by those who are here alone, once all of them have promised it."""
        gone = self.sets.gone
        above = max((gone.get(name, 0) for name in self._here), default=0) if gone else 0
        proposed = (version for version, it in self.sets.proposed if it == self._here)
        mine = max(proposed, default=0)
        if mine <= above:
            return
        others = [it for it in self._here if it != self._membership.me.name]
        heard = [self._told[it].promised(self._here, above) for it in others if it in self._told]
        if all(heard):
            self.sets.agree(VoterSet(max([mine, *heard]), self._here))

    # --- what others are told

    def _words(self, *, asks: int = 0) -> Voters:
        sets = self.sets
        return Voters(
            self.on_split.value,
            sets.agreed,
            [*sets.proposed],
            sets.told_gone,
            asks,
        )

    def _say(self) -> Outgoing:
        words = self._words()
        if words == self._said:
            return []
        self._said = words
        return [(member.name, words) for member in self._membership.living()]

    def _ask(self, now: int) -> Outgoing:
        """Ask those again whose word we lack."""
        untold = [
            it.name
            for it in self._membership.living()
            if it.name not in self._told and now - self._asked.get(it.name, now - HOLD) >= ASK_AGAIN
        ]
        self._asked.update(dict.fromkeys(untold, now))
        return [(name, self._words(asks=1)) for name in untold]
