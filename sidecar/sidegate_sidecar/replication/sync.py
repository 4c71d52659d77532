"""Sync: every bucket gets to the nodes that should hold it. Pure: messages in, messages out.

There is one message, "here are buckets", and since merging two copies of a bucket takes the
larger debt, it may be sent twice, late or in any order without harm. What it can't tell, checks
that two nodes have decided and resets, is in `corrections/`. Buckets serve four purposes:

- backup: buckets that were charged here go to the next node on the ring, 100 ms after the last
  time at the latest, and at once (`early/`) before much of a burst is unsent;
- join: a newcomer asks for all that it will own (`Pull`), and then gets each change of it too;
- leave: what has changed since the last time goes out before the node leaves the ring;
- repair: when the ring has changed, a walk through all buckets finds those that others hold now.

What is to be sent waits in the outbox of a node until that can be reached, or is off the ring:
`flush.py` puts changes there, `rebalance.py` what a walk finds, `sending.py` takes it out. A walk
waits for outboxes to empty, and `work` does a piece at a time: so no check waits for a million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.holds.reservation_messages import ReservationRows
from sidegate.protocol.messages import (
    Buckets,
    Charged,
    Check,
    Confirm,
    Confirmed,
    Merged,
    Part,
    Pull,
    Pulled,
    Resets,
    Settled,
)
from sidegate_sidecar.replication.copies import Copies
from sidegate_sidecar.replication.corrections.decided import Decided
from sidegate_sidecar.replication.corrections.resets import KnownResets
from sidegate_sidecar.replication.corrections.resetting import Resetting
from sidegate_sidecar.replication.corrections.settling import Settling
from sidegate_sidecar.replication.corrections.stand_in_ledgers import StandInLedgers
from sidegate_sidecar.replication.early.early import Early
from sidegate_sidecar.replication.flush import Flush
from sidegate_sidecar.replication.holds.row_copies import RowCopies
from sidegate_sidecar.replication.inquiries import Inquiries
from sidegate_sidecar.replication.lacking import Lacking
from sidegate_sidecar.replication.merging import MAX_BUCKETS, Merging
from sidegate_sidecar.replication.outgoing.outbox import RESEND_AFTER
from sidegate_sidecar.replication.outgoing.outboxes import Outboxes
from sidegate_sidecar.replication.outgoing.sending import Sending
from sidegate_sidecar.replication.outgoing.sync_counts import SyncCounts
from sidegate_sidecar.replication.pulling import Pulling
from sidegate_sidecar.replication.rebalance import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Charge, NodeMessage
    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.replication.outgoing.sending import Sends
    from sidegate_sidecar.replication.rebalance import Rows

SHORT = 50 * 10**6  # ns: a debt that is paid by the time a crash is noticed isn't backed up


class Sync:
    """The buckets of one node, and who else is to have them. `now` is in ns.

    `usable` says whether a node can be reached. Who decides checks of its own keys puts them into
    `changed`; who decides them in place of another node says `stood_in`.
    """

    def __init__(
        self,
        name: str,
        table: BucketTable,
        usable: Callable[[str], bool],
        ring: Ring,
        on_reset: Callable[[str, bool], None] = lambda _key, _begins: None,
    ) -> None:
        self.name = name
        self.counts = SyncCounts()
        self.resets = KnownResets()
        self.decided = Decided()
        self._merging = Merging(table, self.resets)
        self.copies = Copies(name)
        self._settling = Settling(table, self.decided, self.resets, self.copies)
        self.ring = ring
        self.keep_short = False  # send short debts too, since this node is about to leave
        self._usable = usable
        self._outboxes = Outboxes(table, usable, self.counts)
        self._ledgers = StandInLedgers(table, usable)
        self._resetting = Resetting(table, self.resets, self._ledgers, self._owns, on_reset)
        self._walk = Walk(name, ring, usable, table)
        boxes, newcomers = self._outboxes, self._walk.pullers
        self._flush = Flush(name, ring, usable, boxes, newcomers)
        self.changed, self.unsent = self._flush.changed, self._flush.unsent
        self.pulling = Pulling(usable)
        self._sending = Sending(boxes, self._ledgers, self.resets, newcomers, usable)
        self.early = Early(self._flush, self._sending, usable)
        self._inquiries = Inquiries()
        self.rows = RowCopies(
            *(table, self._settling, self._flush, self._sending, self._owns, self.stood_in)
        )
        self._lacking = Lacking(boxes, self._ledgers, self.resets, self.rows)

    # --- what others ask about it

    @property
    def over_admitted(self) -> float:
        """Return how many tokens were admitted beyond a limit, as far as others told of them."""
        return self._settling.over_admitted

    @property
    def idle(self) -> bool:
        """Is everything where it should be, as far as nodes can be reached?"""
        busy = self._resetting.is_walking or self.rows.is_busy or any(self._outboxes.reachable())
        busy |= self._ledgers.busy or any(map(self._usable, self.resets.hearers))
        return not (self._flush or busy or self._walk.to_do)

    @property
    def caught_up(self) -> bool:
        """Is nothing left but the latest changes, as far as nodes can be reached?"""
        return not (self._outboxes.are_late or self._walk.to_do or self.rows.to_do)

    @property
    def working(self) -> bool:
        """Is there something to do right now, without waiting for a message?"""
        walks = self._walk.to_do and not self._outboxes.hold_up
        walks = walks or self._resetting.is_walking or self.rows.is_due
        return self._flush.is_under_way or walks or self._sending.is_due

    @property
    def has_changes(self) -> bool:
        """Has something changed since the last flush?"""
        return self._flush.has_changes

    @property
    def is_quiet(self) -> bool:
        """Is there nothing to do, to send, to hear from others or to give back soon?"""
        waits = self._flush.has_changes or self.rows.has_open or self.early.confirming.waits
        return self.copies.is_settled and not waits and not self.working

    @property
    def is_urgent(self) -> bool:
        """Is somebody to hear of a change at once?"""
        return self._flush.is_urgent

    @property
    def waiting(self) -> set[str]:
        """Return the nodes that were asked for our part, and that aren't done."""
        return self.pulling.waiting

    @property
    def left_to_pull(self) -> Part:
        """What is left to ask others for: all, while somebody hasn't sent all, or broke off."""
        return self.pulling.left

    @property
    def is_pulled(self) -> bool:
        """Is there a newcomer that asked for all that it will own, and isn't on the ring yet?"""
        return any(puller.whole for puller in self._walk.pullers.values())

    def owed(self) -> set[tuple[str, str]] | None:
        """Return what others haven't merged yet, by text of the limit and key; None if unknown."""
        return None if self._walk.to_do else self._lacking.owed(self._flush.all_unsent)

    def flush_due(self, now: int) -> int:
        """Return in how many ns changes are to be sent, or somebody answered; 0 for now."""
        return min(self._flush.due(now), self.early.due(now))

    def lag(self, now: int) -> int:
        """Return how long the oldest change waits to be merged by a node, in ns; or a bit more."""
        return max(self._outboxes.lag(now), self._ledgers.lag(now), self._flush.lag(now))

    # --- events

    def stood_in(self, owner: str, check: Check, limits: Limits, charge: Charge, now: int) -> None:
        """Called when a check was decided here in place of its owner, to tell it soon.

        At once, if it can be reached: it is about to decide again. Of too many only the bucket.
        """
        self._flush.is_urgent |= self._usable(owner)
        if not self._ledgers.add(owner, check[0], limits, charge, now):
            for text, key in self._ledgers.overflow(owner):
                self._outboxes.of(owner).add(text, (key,), now)
            self.changed.add(check)
        elif charge[2]:
            self._flush.stood_in(owner, check)

    def refund(
        self, key: str, limits: Limits, cost: int, now: int, windows: Sequence[int] = ()
    ) -> None:
        """Give back tokens of a key of ours. Others hear of it only when nothing of it is owed."""
        self._settling.refund(key, limits, cost, now, windows)

    def reset(self, key: str, number: int, now: int) -> Sends:
        """Make the buckets of a key full here, and on all nodes whenever they are met."""
        self._resetting.reset(key, number, now)
        return self._send(now)

    def reset_all(self, prefix: str, number: int, now: int) -> Sends:
        """Begin to do the same for all keys that begin so; others hear once it is done here."""
        self._resetting.reset_all(prefix, number, now)
        return self._send(now)

    def forgotten(self, number: int) -> int | None:
        """Return how many buckets of ours `reset_all` has made full, None until it is done."""
        return self._resetting.forgotten(number)

    def _owns(self, key: str) -> bool:
        return self.ring.pair_at(self.ring.place(key))[0] == self.name

    def ring_changed(self, ring: Ring) -> None:
        """Find out in the next ticks which buckets belong elsewhere; and which are held here."""
        self.copies.ring_changed(ring, self.aim(ring))

    def aim(self, ring: Ring) -> set[str]:
        """Have buckets sent by a ring; what this node holds is as before, wherever they go.

        Return who is new on it, and never asked for what is its own.
        """
        strangers = self._walk.ring_changed(ring)
        self.ring = self._flush.ring = ring
        self._outboxes.keep({*ring.nodes, *self._walk.pullers})  # others hold nothing any more
        self._ledgers.ring_changed(ring)
        self.rows.ring_changed(ring)
        self.rows.keep({*ring.nodes, *self._walk.pullers})
        return strangers

    @property
    def may_settle(self) -> bool:
        """Has all been sent by the present ring, on which all may agree?"""
        return self._walk.may_settle

    def settle(self) -> None:
        """Called when all nodes hold the present ring."""
        self._walk.settle()

    def gone(self, name: str) -> None:
        """Expect nothing from a node any more, and send it nothing."""
        self.pulling.on_disconnected(name)
        for it in (self._outboxes, self.rows, self._inquiries, self._ledgers, self._resetting):
            it.drop(name)
        self.early.unreachable(name)
        self.resets.on_disconnected(name)
        self._walk.gone(name)
        self.copies.gone(name)

    def unreachable(self, name: str, now: int) -> None:
        """Called when what was on its way to a node is lost."""
        self.early.unreachable(name)
        self.pulling.on_disconnected(name)
        self.copies.unreachable(name)
        self._outboxes.unreachable(name, now)
        self.rows.unreachable(name, now)
        self.resets.on_disconnected(name)
        self._resetting.drop(name)
        if name in self.ring:
            self._ledgers.unreachable(name, now)
        else:
            self._ledgers.drop(name)

    def pull(self, names: Iterable[str], part: Part) -> Sends:
        """Ask nodes for what will be ours; `waiting` is empty when all have sent it."""
        if part is Part.ALL:
            self.copies.pull(self.ring.with_node(self.name))
        return [*self.pulling.ask(names, part, self._sending.next_id())]

    def step(self, sender: str, message: NodeMessage, now: int) -> Sends:
        """Handle a message. ValueError for buckets that make no sense."""
        match message:
            case Buckets():
                self.merge_part(sender, message, now)
                return [(sender, Merged(message.id))]
            case Merged():
                return self._landed(sender, message.id)
            case ReservationRows():
                return self.rows.merge(sender, message, now, self.resets.unheard(sender))
            case Resets():
                return [*self._resetting.learn(sender, message, now), *self._send(now)]
            case Charged():
                return [(sender, self._settle(sender, message, now))]
            case Settled():
                self._ledgers.settle(sender, message, now)
            case Pull():
                self._pulled_by(sender, message, now)
            case Pulled() if self.pulling.answered(sender, message.id):
                self.copies.pulled(sender)
            case Confirm() | Confirmed():
                self._hear_of_copies(sender, message)
            case _:
                pass
        return self._send(now)

    def _landed(self, sender: str, number: int) -> Sends:
        for waits in (self._outboxes, self.resets, self.rows, self.early):
            waits.landed(sender, number)
        return self._tell_done()  # the next messages wait for their turn

    def _pulled_by(self, sender: str, message: Pull, now: int) -> None:
        self._sending.asked(sender)
        self._walk.pulled_by(sender, message.id, message.part)
        self.rows.walk_all()
        self._flush.place_all(now)

    def merge_part(self, sender: str, message: Buckets, now: int) -> None:
        """Merge some buckets of a message; what is left of it comes by `step`. ValueError as by it.

        Who sent it is told when all of it is merged.
        """
        self.pulling.came(now)
        self.counts.merged += self._merging.merge(sender, message, now)

    def _hear_of_copies(self, sender: str, message: Confirm | Confirmed) -> None:
        if isinstance(message, Confirmed):
            self.copies.confirmed(sender, message.ring, lacks=bool(message.lacks))
            return
        if message.new:
            self._walk.renew(sender)
            self.rows.walk_all()
        self._sending.asked(sender)
        self._inquiries.add(sender, message.ring)

    def _settle(self, sender: str, message: Charged, now: int) -> Settled:
        """Count what a node has decided in our place, and have our backups hear of it."""
        if (count := sum(max(len(row[3]), 1) for row in message.rows)) > MAX_BUCKETS:
            raise ValueError(f"{count:,} charges: expected at most {MAX_BUCKETS:,}")
        settled = Settled(message.id, self._settling.settle_all(sender, message.rows, now))
        for key, text, *_ in message.rows:
            if self.ring.pair(key)[1] not in {sender, ""}:
                self.changed.add((key, text, 0))
        return settled

    def tick(self, now: int) -> Sends:
        """Do what is due, and the first piece of work."""
        self.decided.tick(now)
        self.resets.tick(now)
        self.resets.give_back(now, RESEND_AFTER)
        self.rows.tick(now)
        self._ledgers.give_back(now, RESEND_AFTER)
        for name in self._ledgers.overflown:
            if not (self._flush.has_unsent or self._outboxes.get(name)):
                self._ledgers.caught_up(name)
        self._outboxes.give_back(now)
        outgoing = [*self._resetting.answers(), *self.work(now)]
        for name in self._outboxes.bound():
            self._walk.lacks(name)
        outgoing += self.copies.questions(now, self._usable)
        return outgoing + self.pulling.ask_again(now)

    def work(self, now: int) -> Sends:
        """Do a piece of work, of 0.1 ms: send what the windows have room for, or walk on.

        Whoever has more time in this turn calls it again. What can't wait goes out in any case.
        """
        outgoing = self.early.tick(now)
        self._resetting.walk(now)
        self.rows.work()
        self._flush.tick(now)
        if outgoing := outgoing + self._send(now):
            return outgoing
        if not self._outboxes.hold_up:
            self._add(self._walk.slice(), now)
        return [] if self._walk.to_do else self._tell_done()

    def flush(self, now: int, *, at_once: bool = False) -> Sends:
        """Send all changes now; `at_once` without waiting for answers, since they are the last."""
        self._flush.place_all(now)
        return self._send(now, at_once=at_once)

    def rest(self) -> None:
        """Called when this node has handed over what it held, and owes it to nobody any more."""
        self.keep_short = False
        self._walk.rest()

    def _add(self, rows: Rows, now: int) -> None:
        for target, texts in rows.items():
            if target in self.ring or target in self._walk.pullers:  # else gone since it began
                for text, keys in texts.items():
                    self._outboxes.of(target).add(text, keys, now, found=True)
                    self.counts.handed += len(keys)

    def _send(self, now: int, *, at_once: bool = False) -> Sends:
        least = 0 if self.keep_short else SHORT
        more = self._walk.to_do or self._flush.is_under_way
        buckets = self._sending.send(now, least, at_once=at_once, more=more)
        return [*buckets, *self.rows.send(now, at_once=at_once), *self._tell_done()]

    def _tell_done(self) -> Sends:
        """Say so to those who asked for something, and for whom nothing is left."""
        if self.rows.to_do:
            return []
        if self._walk.to_do:
            return [*self._walk.early_answers(self._lacking.has_changes)]
        has, lacks = self._lacking.has_buckets, self.copies.lacks
        answers = self._inquiries.answers(self.ring.digest, has, lacks=lacks)
        return [*self._walk.answers(self._lacking.has_all), *answers]
