"""The place of this node on the ring: how it is taken, kept, given up and lost. Pure; times in ns.

    starting -> joining -> settling -> member <-> returning
    starting <- any of these, once all others refuse this node, or another one has claimed its name
                                       member -> flushing -> leaving -> leaf
                                       member <- waiting <-> flushing

Joining: pull all that will be mine; take the place (`announce`); settling: pull what has changed
since; it has `joined` when it has its copies of others' buckets too. Leaving: flush what has
changed, and have another owner promise to stay (`heirs.py`); give up the place; wait until everyone
has noticed. The last owner waits for another one, and goes on deciding; when none has come in time
it stays. Every other step has a deadline after which the node goes on without: a counter may be
wrong, a check may not wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.protocol.messages import Part, StayPromise
from sidegate_sidecar.cluster.place.drain import Drain
from sidegate_sidecar.cluster.place.handover import Passage
from sidegate_sidecar.cluster.place.heirs import Heirs
from sidegate_sidecar.cluster.place.stages import FLUSHING, HOLDING, ON_THE_WAY, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.protocol.messages import NodeMessage, Stay
    from sidegate_ring.membership.membership import Effects, Membership
    from sidegate_sidecar.cluster.place.backoff import Backoff
    from sidegate_sidecar.cluster.routes.transport import Transport
    from sidegate_sidecar.replication.sync import Sync

JOIN_WITHIN = 10 * SECOND  # ns, and for as long as buckets arrive
JOIN_AT_MOST = 60 * SECOND  # ns: a million buckets take less than half of it
SETTLE_WITHIN = SECOND  # ns: the last changes of each node, a few round trips
RETURN_WITHIN = 60 * SECOND  # ns: whoever doesn't tell us is taken for dead long before


def ignore(*_: object) -> None:
    """Do nothing: nobody wants to be called."""


@dataclass(slots=True)
class Place:
    """The place of one node. `leaf` nodes never take one.

    `apply` carries out what membership makes of our own words, `post` sends messages, `aim` has
    buckets sent by the ring of some nodes (all: none are named), and `moved` is called with each
    change of the stage, before anybody else is.
    """

    membership: Membership
    sync: Sync
    transport: Transport
    apply: Callable[[Effects, int], None]
    post: Callable[[Iterable[tuple[str, NodeMessage]]], None]
    aim: Callable[[tuple[str, ...]], None]
    moved: Callable[[], None]
    leaf: bool
    tag: int
    incarnation: int
    backoff: Backoff
    on_stage: Callable[[Stage], None] = ignore
    stage: Stage = Stage.STARTING
    joined: bool = False
    is_overdue: bool = False
    """Did this node leave before it was done?"""
    heirs: Heirs = field(init=False)
    passages: dict[Stage, Passage] = field(init=False)
    _drain: Drain = field(default_factory=Drain)
    _is_untold: bool = False
    """Has it stood still while it leaves, and not been told what others decided meanwhile?"""
    _deadline: int = 0
    _since: int = 0

    def __post_init__(self) -> None:
        self.heirs = Heirs(self.membership.me.name)
        self.passages = {
            stage: Passage() for stage in (Stage.JOINING, Stage.RETURNING, Stage.LEAVING)
        }

    @property
    def is_settled(self) -> bool:
        """Has this node a place, or none by its own will, and nothing to wait for or to tell?"""
        is_placed = self.joined and self.stage in {Stage.MEMBER, Stage.LEAF}
        return is_placed and not self.membership.is_busy

    @property
    def is_told(self) -> bool:
        """Has this node been told what others decided for it, as far as they know its place?"""
        stays = self._stays and not self._is_untold
        return stays or self.stage is Stage.MEMBER

    @property
    def _stays(self) -> bool:
        return self.stage in FLUSHING and self._drain.decided

    def owners(self) -> list[str]:
        """Return the names of the other nodes that have a place."""
        me = self.membership.me.name
        return [name for name in self.membership.owners() if name != me]

    # --- taking it

    def join(self, now: int) -> None:
        """Take a place, now that the others have been looked for."""
        if self.stage is not Stage.STARTING:
            return
        self.apply(self.membership.claim(self.tag, self.incarnation, now / SECOND), now)
        if self.leaf:
            self._enter(Stage.LEAF, now)
            self.joined = True
            return
        self._enter(Stage.JOINING, now, JOIN_WITHIN)
        self.post(self.sync.pull(self.owners(), Part.ALL))
        self.proceed(now)

    def note_progress(self, now: int) -> None:
        """Wait on for what still arrives, as long as there is any sense in it."""
        is_joining = self.stage in {Stage.JOINING, Stage.SETTLING}
        if is_joining or (self.stage is Stage.MEMBER and not self.joined):
            later = min(now + SETTLE_WITHIN, self._since + JOIN_AT_MOST)
            self._deadline = max(self._deadline, later)

    def _take(self, now: int) -> None:
        # Whoever stood in for a node that broke off knows only now that we lack its part.
        part = self.sync.left_to_pull
        self._enter(Stage.SETTLING, now, SETTLE_WITHIN)
        self.apply(self.membership.announce(now / SECOND, owner=True), now)
        self.post(self.sync.pull(self.owners(), part))
        self.proceed(now)

    # --- losing it

    def stood_still(self, gap: int, now: int) -> None:
        """Called after this process stood still for so long: others will have stood in for it.

        It asks them what they decided meanwhile, though they had told it before all they knew: at
        once, or as its `backoff` says. Who has no place yet is sent each change anyhow, and has
        lost but the time.
        """
        if self.stage not in HOLDING | FLUSHING | {Stage.SETTLING}:
            self.sync.copies.doubt()
            self._deadline += gap
            return
        asks_at = self.backoff.stood_still(now)
        self.sync.copies.doubt(asks_at)
        if self.stage in HOLDING:
            self._enter(Stage.RETURNING, now, RETURN_WITHIN)
        elif self.stage is Stage.SETTLING:
            self._deadline = asks_at + SETTLE_WITHIN
        else:
            self._deadline += gap
            self._is_untold = True
        self.moved()
        self.proceed(now)

    def connected(self, name: str) -> None:
        """Called when a link came up: what that node decided while we stood still, we lack."""
        if self.stage is Stage.RETURNING and self.backoff.due is None and name in self.owners():
            self.post(self.sync.pulling.ask_also(name))

    def _ask_again(self) -> None:
        """Ask the owners that can be reached what they decided for us while we stood still.

        And for all that is ours, as long as one that was asked for it hasn't sent it.
        """
        self.post(self.sync.pull(self.owners(), self.sync.left_to_pull))

    @property
    def _waits(self) -> bool:
        """Are others to say, or to be asked, what is ours and what they decided for us?"""
        return bool(self.sync.waiting) or self.backoff.due is not None

    def shut_out(self, now: int) -> bool:
        """Give up the place at once: another node has it. False if there is none; `join` again.

        It decides nothing more: the other one does, whose buckets it doesn't know.
        """
        if self.stage not in ON_THE_WAY:
            return False
        self.joined = False
        self.apply(self.membership.announce(now / SECOND, owner=False), now)
        self.membership.disclaim()
        self.backoff.due = None  # who joins anew pulls all
        self._enter(Stage.STARTING, now)
        return True

    # --- giving it up

    def leave(self, now: int, within: int, *, patient: bool = True) -> None:
        """Give up the place; `stage` is LEAF once that is done, `within` ns at most.

        It is MEMBER again if no other owner has come by then who could take the buckets, or at once
        unless `patient`. One that comes late is given two fifths of that time more to take them.
        """
        if self.stage in {Stage.LEAF, Stage.LEAVING} | FLUSHING:
            return
        decided = self.stage is Stage.MEMBER
        self._drain = Drain(now, within, patient=patient, decided=decided)
        self._is_untold = False
        self._enter(Stage.FLUSHING, now, within * 4 // 5)
        self.sync.keep_short = True
        self.proceed(now)

    def hear_of_heirs(self, sender: str, message: Stay) -> None:
        """Handle a word about who stays on the ring, or answer it."""
        if message.promise is not StayPromise.ASKED:
            self.heirs.answered(sender, message)
            return
        leaves = self.stage in FLUSHING
        holds = self.stage in HOLDING or self._stays
        answer = self.heirs.answer(sender, message, holds=holds, leaves=leaves)
        self.transport.post(sender, answer)

    def depart(self, now: int) -> None:
        """Tell everyone that this node is gone for good."""
        self.apply(self.membership.announce(now / SECOND, left=True), now)

    def _seek_heir(self, now: int, *, overdue: bool) -> None:
        """Give up the place once another owner has promised to stay; until then wait for one."""
        if self._is_untold and not (self._waits or self._out_of_reach()):
            self._is_untold = False
            self.moved()
        owners = [name for name in self.owners() if self.transport.is_up(name)]
        self._aim(owners)
        if owners and self.stage is Stage.WAITING:
            self._deadline = self._drain.extend(now, self._deadline)
            self._turn(Stage.FLUSHING)
            overdue = False
        heirs = self.heirs.promised.intersection(owners)
        has_place = self.membership.me.owner
        if not has_place or (heirs and (overdue or self.sync.caught_up)):
            self._give_up(now)
        elif self._drain.is_over(now, pulled=self.sync.is_pulled) or not (
            owners or self._drain.patient
        ):
            self._stay(now)
        else:
            if not owners and self.stage is Stage.FLUSHING:
                self._turn(Stage.WAITING)
            self.post(self.heirs.ask(owners, now))

    def _turn(self, stage: Stage) -> None:
        """Change between waiting and flushing, which have one beginning."""
        self.stage = stage
        self.on_stage(stage)

    def _aim(self, owners: list[str]) -> None:
        """Have all buckets sent to owners that can be reached, if there are any: to no others."""
        some = owners and len(owners) < len(self.owners())
        self.aim(tuple(owners) if some else ())

    def _stay(self, now: int) -> None:
        """Keep the place and the buckets, which nobody has taken."""
        self.heirs.forget()
        self.sync.keep_short = False
        self._aim([])
        self.joined = True
        if self._is_untold:
            self._enter(Stage.RETURNING, now, RETURN_WITHIN)
        else:
            self._enter(Stage.MEMBER, now)

    def _give_up(self, now: int) -> None:
        """Send the last changes, and on the same links after them that the place is free."""
        self._enter(Stage.LEAVING, now, self._drain.left(now))
        self.post(self.sync.flush(now, at_once=True))
        self.apply(self.membership.announce(now / SECOND, owner=False), now)
        living = [member.name for member in self.membership.living()]
        self.post(self.sync.pull(living, Part.NOTHING))  # answered by who has noticed
        self.proceed(now)

    def _take_back(self, now: int) -> None:
        """Take the place again: nobody is left on the ring who would have the buckets."""
        self.heirs.forget()
        self._enter(Stage.FLUSHING, now, self._drain.left(now) * 4 // 5)
        self.apply(self.membership.announce(now / SECOND, owner=True), now)

    @property
    def _has_copies(self) -> bool:
        """Is there nothing to wait for of what this node is to hold for others?"""
        return self.sync.copies.is_settled or self._out_of_reach()

    @property
    def _is_taken(self) -> bool:
        """Has everyone merged what this node sent, and noticed that it is off the ring?"""
        missing = self._drain.decided and not self._has_heir
        return self.sync.idle and not self.sync.waiting and not missing

    @property
    def _has_heir(self) -> bool:
        """Is there an owner that can be reached?"""
        return any(map(self.transport.is_up, self.owners()))

    def _out_of_reach(self) -> bool:
        """Is there an owner that can't be reached?"""
        return not all(map(self.transport.is_up, self.owners()))

    # --- from one stage to the next

    def proceed(self, now: int) -> None:
        """Go on to the next stage when this one is done, or has taken too long."""
        overdue = now >= self._deadline
        if self.backoff.take(now):
            self._ask_again()
        match self.stage:
            case Stage.JOINING if overdue or not self._waits:
                self._passed(Stage.JOINING, now, overdue=self._waits)
                self._take(now)
            case Stage.SETTLING if overdue or not self._waits:
                self._enter(Stage.MEMBER, now, 0 if overdue else SETTLE_WITHIN)
                self.proceed(now)
            case Stage.MEMBER if not self.joined and (overdue or self._has_copies):
                self.joined = True
            case Stage.RETURNING if overdue or not (self._waits or self._out_of_reach()):
                self._passed(Stage.RETURNING, now, overdue=self._waits)
                self._enter(Stage.MEMBER, now)
            case Stage.FLUSHING | Stage.WAITING:
                self._seek_heir(now, overdue=overdue)
            case Stage.LEAVING if self._drain.decided and not overdue and not self._has_heir:
                self._take_back(now)
            case Stage.LEAVING if overdue or self._is_taken:
                self.is_overdue = not self._is_taken
                self._passed(Stage.LEAVING, now, overdue=self.is_overdue)
                self._enter(Stage.LEAF, now)
                self.sync.rest()
            case _:
                pass

    def _enter(self, stage: Stage, now: int, within: int = 0) -> None:
        if stage is not Stage.LEAVING:  # which goes on where FLUSHING began
            self._since = now
        self.stage = stage
        self._deadline = now + within
        self.moved()
        self.on_stage(stage)

    def _passed(self, stage: Stage, now: int, *, overdue: bool) -> None:
        self.passages[stage].add(now - self._since, overdue=overdue)
