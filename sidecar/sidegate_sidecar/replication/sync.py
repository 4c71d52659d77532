"""Sync: every bucket gets to the nodes that should hold it. Pure: messages in, messages out.

There is one message, "here are buckets", and since merging two copies of a bucket takes the
larger debt, it may be sent twice, late or in any order without harm. Two things it can't tell:
which checks two nodes have both decided (`ledger.py`), and that a key was reset (`resets.py`); each
has its own. Buckets serve four purposes:

- backup: buckets that were charged here go to the next node on the ring, 100 ms after the last
  time at the latest, and at once when nothing was sent for that long;
- join: a newcomer asks for all that it will own (`Pull`), and from then on is sent each change
  of it too, until it is on the ring;
- leave: what has changed since the last time goes out before the node leaves the ring;
- repair: when the ring has changed, all buckets are walked through, and those whose holders are
  others than before are sent to them.

What is to be sent to a node waits in its outbox. A node that can't be reached keeps its outbox
until it can, or is off the ring; meanwhile its part goes to the next node that can be reached.
Messages are small, only a few are under way to one node, and the walk goes in slices and waits
for the outboxes to empty: so a million buckets move without a check waiting for more than one
slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
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
from sidegate_sidecar.replication.corrections.ledger import Ledgers
from sidegate_sidecar.replication.corrections.resets import Resets as KnownResets
from sidegate_sidecar.replication.corrections.resetting import Resetting
from sidegate_sidecar.replication.corrections.settling import Settling
from sidegate_sidecar.replication.counts import SyncCounts
from sidegate_sidecar.replication.inquiries import Inquiries
from sidegate_sidecar.replication.merging import MAX_BUCKETS, Merging
from sidegate_sidecar.replication.outbox import RESEND_AFTER, Outbox
from sidegate_sidecar.replication.rebalance import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from sidegate.buckets.buckets import Buckets as Table
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Charge, NodeMessage
    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.replication.rebalance import Puller, Rows

    Outgoing: TypeAlias = list[tuple[str, NodeMessage]]

FLUSH_EVERY = 100 * 10**6  # ns: what a crash may lose; half as much would double the cost
FLUSH_SLICE = 400  # changes flushed between two looks at the sockets: 0.3 ms
AT_A_TIME = 2  # messages to a node between two looks at the sockets: 0.3 ms
SHORT = 50 * 10**6  # ns: a debt that is paid by the time a crash is noticed isn't backed up
WALK_WAITS_AT = 8_192  # buckets in an outbox before a walk waits for it: a megabyte
# Buckets in all outboxes, what comes in seconds. Their keys may be gone from the table, and so are
# not counted there: 10 MB, and 85 MB of the longest keys.
MAX_WAITING = 65_536
BACKLOG_SHARE = 8  # of changes that wait to be flushed, at once: else many made-up keys pile up


class Sync:
    """The buckets of one node, and who else is to have them. `now` is in ns.

    `usable` says whether a node can be reached. Who decides checks of its own keys puts them into
    `changed`; who decides them in place of another node says `stood_in`.
    """

    def __init__(
        self,
        name: str,
        table: Table,
        usable: Callable[[str], bool],
        ring: Ring,
        on_reset: Callable[[str], None] = lambda _key: None,
    ) -> None:
        self.name = name
        self.changed: set[Check] = set()
        self.counts = SyncCounts()
        self.resets = KnownResets()
        self.decided = Decided()
        self._merging = Merging(table, self.resets)
        self._settling = Settling(table, self.decided, self.resets)
        self.waiting: set[str] = set()  # nodes that we asked for our part, and that aren't done
        self.is_urgent = False  # is somebody to hear of a change at once?
        self.missed = False  # did one of them break off?
        self.ring = ring
        self.keep_short = False  # send short debts too, since this node is about to leave
        self._table = table
        self._usable = usable
        self._outboxes: dict[str, Outbox] = {}
        self._ledgers = Ledgers(table, usable)
        self._resetting = Resetting(table, self.resets, self._ledgers, on_reset)
        self._stood_in: set[tuple[str, Check]] = set()  # for whom, until it is flushed
        self._walk = Walk(name, ring, usable, table)
        self._unplaced: list[Check] = []  # changes that are being flushed
        self._flushed_at = -FLUSH_EVERY
        self._last_id = 0
        self._pulled_as = 0
        self._part = Part.REST  # that was pulled last
        self._pull_since: int | None = None  # when something came of it last; None before a tick
        self.copies = Copies(name)
        self._inquiries = Inquiries()

    # --- what others ask about it

    @property
    def over_admitted(self) -> float:
        """Return how many tokens were admitted beyond a limit, as far as others told of them."""
        return self._settling.over_admitted

    @property
    def idle(self) -> bool:
        """Is everything where it should be, as far as nodes can be reached?"""
        busy = any(box and self._usable(name) for name, box in self._outboxes.items())
        busy |= self._ledgers.busy or any(map(self._usable, self.resets.hearers))
        changed = self.changed or self._stood_in or self._unplaced
        return not (changed or busy or self._walk.to_do)

    @property
    def caught_up(self) -> bool:
        """Is nothing left but the latest changes, as far as nodes can be reached?"""
        late = any(
            box.window_is_full and box.waiting and self._usable(name)
            for name, box in self._outboxes.items()
        )
        return not (late or self._walk.to_do)

    @property
    def working(self) -> bool:
        """Is there something to do right now, without waiting for a message?"""
        if self._unplaced or (self._walk.to_do and not self._is_held_up()):
            return True
        if self._ledgers.due or any(
            self.resets.is_due(name) and self._usable(name) for name in self.resets.hearers
        ):
            return True
        boxes = self._outboxes.items()
        return any(
            it.waiting and not it.window_is_full and self._usable(name) for name, it in boxes
        )

    @property
    def is_pulled(self) -> bool:
        """Is there a newcomer that asked for all that it will own, and isn't on the ring yet?"""
        return any(puller.whole for puller in self._walk.pullers.values())

    def owed(self) -> set[tuple[str, str]] | None:
        """Return the buckets that others haven't merged yet, by text of the limit and key.

        None if that can't be told, since a walk has still to find who lacks what, or more waited
        than may.
        """
        if self._walk.to_do or any(box.overflowed for box in self._outboxes.values()):
            return None
        owed = {it for box in self._outboxes.values() for it in box.unmerged()}
        owed |= self._ledgers.unsettled()
        for key, texts, _ in (*self.changed, *self._unplaced):
            owed |= {(limit.text, key) for limit in parse_limits(texts).items}
        return owed

    def flush_due(self, now: int) -> int:
        """Return in how many ns changes are to be sent, 0 for now."""
        return 0 if self.is_urgent else max(self._flushed_at + FLUSH_EVERY - now, 0)

    def lag(self, now: int) -> int:
        """Return how long the oldest change waits to be merged by a node, in ns; or a bit more."""
        lags = [box.lag(now) for name, box in self._outboxes.items() if self._usable(name)]
        lags.append(self._ledgers.lag(now))
        if (
            self.changed or self._unplaced
        ):  # since the last flush at the most: the first one after a pause goes out
            lags.append(min(now - self._flushed_at, FLUSH_EVERY))
        return max(lags, default=0)

    # --- events

    def stood_in(self, owner: str, check: Check, limits: Limits, charge: Charge, now: int) -> None:
        """Note that a check was decided here in place of its owner, to tell it soon.

        At once, if it can be reached: it is about to decide again. Of too many checks it is only
        sent the bucket, of which the larger debt counts.
        """
        self.is_urgent |= self._usable(owner)
        if not self._ledgers.add(owner, check[0], limits, charge, now):
            for text, key in self._ledgers.overflow(owner):
                self._outbox(owner).add(text, (key,), now)
            self.changed.add(check)
        elif charge[2]:
            self._stood_in.add((owner, check))

    def reset(self, key: str, number: int, now: int) -> Outgoing:
        """Make the buckets of a key full here, and on all nodes whenever they are met."""
        self._resetting.reset(key, number, now)
        return self._send(now)

    def ring_changed(self, ring: Ring) -> None:
        """Find out in the next ticks which buckets belong elsewhere; and which are held here."""
        self.copies.ring_changed(ring, self.aim(ring))

    def aim(self, ring: Ring) -> set[str]:
        """Have buckets sent by a ring; what this node holds is as before, wherever they go.

        Return who is new on it, and never asked for what is its own.
        """
        strangers = self._walk.ring_changed(ring)
        self.ring = ring
        for name in self._outboxes.keys() - {*ring.nodes, *self._walk.pullers}:
            del self._outboxes[name]  # it holds nothing any more
        self._ledgers.ring_changed(ring)
        return strangers

    @property
    def is_settled(self) -> bool:
        """Is the present ring known to be the one that all agree on?"""
        return self._walk.is_settled

    def settle(self) -> None:
        """Note that all nodes hold the present ring."""
        self._walk.settle()

    def gone(self, name: str) -> None:
        """Expect nothing from a node any more, and send it nothing."""
        self._miss(name)
        self._outboxes.pop(name, None)
        self._inquiries.drop(name)
        self._ledgers.drop(name)
        self.resets.lost(name)
        self._walk.gone(name)
        self.copies.gone(name)

    def unreachable(self, name: str, now: int) -> None:
        """Note that what was on its way to a node is lost."""
        self._miss(name)
        self.copies.unreachable(name)
        if box := self._outboxes.get(name):
            self.counts.resent += box.give_back(now)
        self.resets.lost(name)
        if name in self.ring:
            self._ledgers.unreachable(name, now)
        else:
            self._ledgers.drop(name)

    def _miss(self, name: str) -> None:
        self.missed |= name in self.waiting
        self.waiting.discard(name)

    def pull(self, names: Iterable[str], part: Part) -> Outgoing:
        """Ask nodes for what will be ours; `waiting` is empty when all have sent it."""
        self._pulled_as = self._next_id()
        self._part = part
        self._pull_since = None
        if part is Part.ALL:
            self.copies.pull(self.ring.with_node(self.name))
        self.missed = False
        self.waiting = {name for name in names if self._usable(name)}
        return [(name, Pull(self._pulled_as, part)) for name in sorted(self.waiting)]

    def step(self, sender: str, message: NodeMessage, now: int) -> Outgoing:
        """Handle a message. ValueError for buckets that make no sense."""
        match message:
            case Buckets():
                self._pull_since = now
                self.counts.merged += self._merging.merge(sender, message, now)
                return [(sender, Merged(message.id))]
            case Merged():
                if box := self._outboxes.get(sender):
                    box.landed(message.id)
                self.resets.landed(sender, message.id)
                return self._tell_done()  # the next messages wait for their turn
            case Resets():
                self._resetting.learn(sender, message, now)
                return [(sender, Merged(message.id)), *self._send(now)]
            case Charged():
                return [(sender, self._settle(sender, message, now))]
            case Settled():
                self._ledgers.settle(sender, message, now)
            case Pull():
                self._walk.pulled_by(sender, message.id, message.part)
                self._flush(now)
            case Pulled():
                self._pulled_from(sender, message)
            case Confirm() | Confirmed():
                self._hear_of_copies(sender, message)
            case _:
                pass
        return self._send(now)

    def _pulled_from(self, sender: str, message: Pulled) -> None:
        if message.id == self._pulled_as:
            self.waiting.discard(sender)
            if self._part is Part.ALL:
                self.copies.pulled(sender)

    def _hear_of_copies(self, sender: str, message: Confirm | Confirmed) -> None:
        if isinstance(message, Confirmed):
            self.copies.confirmed(sender, message.ring, lacks=bool(message.lacks))
            return
        if message.new:
            self._walk.renew(sender)
        self._inquiries.add(sender, message.ring)

    def _settle(self, sender: str, message: Charged, now: int) -> Settled:
        """Count what a node has decided in our place, and have our backups hear of it."""
        if (count := sum(max(len(row[3]), 1) for row in message.rows)) > MAX_BUCKETS:
            raise ValueError(f"{count:,} charges: expected at most {MAX_BUCKETS:,}")
        for key, text, *_ in message.rows:
            if self.ring.pair(key)[1] not in {sender, ""}:
                self.changed.add((key, text, 0))
        return Settled(message.id, self._settling.settle_all(sender, message.rows, now))

    def tick(self, now: int) -> Outgoing:
        """Do what is due: flush changes, walk a slice, send what the windows have room for."""
        self.decided.tick(now)
        self.resets.tick(now)
        self.resets.give_back(now, RESEND_AFTER)
        if (self.changed or self._stood_in) and not self.flush_due(now):
            self._begin_flush(now)
        self._place_some(now)
        if not self._is_held_up():
            self._add(self._walk.slice(), now)
        self._ledgers.give_back(now, RESEND_AFTER)
        for name in self._ledgers.overflown:
            if not (self.changed or self._unplaced or self._outboxes.get(name)):
                self._ledgers.caught_up(name)
        for box in self._outboxes.values():
            self.counts.resent += box.give_back(now, RESEND_AFTER)
        self._bound_outboxes()
        return [*self._send(now), *self.copies.questions(now, self._usable), *self._pull_again(now)]

    def _pull_again(self, now: int) -> Outgoing:
        """Ask again those from whom nothing has come, on a link that didn't break."""
        since = now if self._pull_since is None or not self.waiting else self._pull_since
        due = now - since >= RESEND_AFTER
        self._pull_since = now if due else since
        return [(name, Pull(self._pulled_as, self._part)) for name in sorted(self.waiting) if due]

    def flush(self, now: int, *, at_once: bool = False) -> Outgoing:
        """Send all changes now; `at_once` without waiting for answers, since they are the last."""
        self._flush(now)
        return self._send(now, at_once=at_once)

    def rest(self) -> None:
        """Note that this node has handed over what it held, and owes it to nobody any more."""
        self.keep_short = False
        self._walk.rest()

    def _bound_outboxes(self) -> None:
        """Begin anew with a node that can't be reached for long, or doesn't keep up."""
        while sum(box.waiting for box in self._outboxes.values()) > MAX_WAITING:
            max(self._outboxes.values(), key=lambda it: it.waiting).overflow()
            self.counts.overflows += 1
        for name, box in self._outboxes.items():
            if box.overflowed and self._usable(name):
                box.overflowed = False
                self._walk.lacks(name)

    # --- out

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _outbox(self, name: str) -> Outbox:
        box = self._outboxes.get(name)
        if box is None:
            box = self._outboxes[name] = Outbox()
        return box

    def _flush(self, now: int) -> None:
        """Put all changes into the outboxes of those who are to hold them."""
        self._begin_flush(now)
        while self._unplaced:
            self._place_some(now)

    def _begin_flush(self, now: int) -> None:
        self._flushed_at = now
        self.is_urgent = False
        self._unplaced += self.changed
        self.changed.clear()
        for owner, check in self._stood_in:
            if self.ring.pair(check[0])[0] == owner:
                self._place_but(owner, check, now)
            else:
                self._unplaced.append(check)
        self._stood_in.clear()

    def _place_but(self, owner: str, check: Check, now: int) -> None:
        """Put a bucket into the outboxes of others than its owner, whom our ledger tells.

        The owner has its backup know, if it can be reached; else that one and the next have it.
        """
        key, texts, _ = check
        targets = [it.name for it in self._walk.pullers.values() if it.ring.owner(key) == it.name]
        if not self._usable(owner):
            holders = [name for name in self.ring.pair(key) if name not in {"", self.name}]
            targets += [*holders, *self._further_targets(key, holders, ())]
        for target in {*targets} - {owner, self.name}:
            for limit in parse_limits(texts).items:
                self._outbox(target).add(limit.text, (key,), now)

    def _place_some(self, now: int) -> None:
        count = max(FLUSH_SLICE, len(self._unplaced) // BACKLOG_SHARE)
        some = self._unplaced[-count:]
        del self._unplaced[-count:]
        groups: dict[tuple[tuple[str, str], str], list[str]] = {}  # keys by holders and limits
        pair = self.ring.pair
        for key, texts, _ in some:
            place = pair(key), texts
            if place in groups:
                groups[place].append(key)
            else:
                groups[place] = [key]
        for (holders, texts), keys in groups.items():
            for limit in parse_limits(texts).items:
                self._flush_group(holders, limit.text, keys, now)

    def _flush_group(self, holders: tuple[str, str], text: str, keys: list[str], now: int) -> None:
        targets = [name for name in holders if name and name != self.name]
        for target in targets:
            self._outbox(target).add(text, keys, now)
        pullers = self._walk.pullers.values()
        if pullers or not all(map(self._usable, targets)):  # then it depends on the key
            for key in keys:
                for target in self._further_targets(key, targets, pullers):
                    self._outbox(target).add(text, (key,), now)

    def _further_targets(
        self, key: str, targets: list[str], pullers: Iterable[Puller]
    ) -> Iterator[str]:
        """Yield who else is to be sent a key: a newcomer, and who is next where one is away."""
        for puller in pullers:
            if puller.ring.owner(key) == puller.name and puller.name not in targets:
                yield puller.name
        if not all(map(self._usable, targets)):
            for name in self.ring.walk(key):
                if name != self.name and name not in targets and self._usable(name):
                    yield name
                    return

    def _add(self, rows: Rows, now: int) -> None:
        for target, texts in rows.items():
            if target not in self.ring and target not in self._walk.pullers:
                continue  # gone since the walk began
            for text, keys in texts.items():
                self._outbox(target).add(text, keys, now)

    def _send(self, now: int, *, at_once: bool = False) -> Outgoing:
        outgoing: Outgoing = []
        deaf = {*self.resets.hearers} if self.resets else set[str]()
        for name in deaf:
            if self.resets.is_due(name) and self._usable(name):
                outgoing.append((name, self.resets.take(name, self._next_id(), now)))
        for name in self._ledgers.due:
            if name not in deaf:
                outgoing.append((name, self._ledgers.take(name, self._next_id(), now)))
        least = 0 if self.keep_short else SHORT
        for name, box in self._outboxes.items():
            if not box or not self._usable(name) or name in deaf:
                continue  # who doesn't know of a reset would take a later bucket for an older one
            of_box = 0 if name in self._walk.pullers else least
            room = AT_A_TIME
            while at_once or (room and not box.window_is_full):
                room -= 1
                message = box.take(self._next_id(), self._table, now, of_box)
                if message is None:
                    break
                self.counts.sent += sum(len(keys) for _, keys, _ in message.groups)
                outgoing.append((name, message))
        outgoing += self._tell_done()
        return outgoing

    def _tell_done(self) -> Outgoing:
        """Say so to those who asked for something, and for whom nothing is left."""
        return self._tell_pullers() + self._tell_inquirers()

    def _tell_inquirers(self) -> Outgoing:
        if self._walk.to_do:
            return []
        boxes, lacks = self._outboxes, self.copies.lacks
        return [
            *self._inquiries.answers(
                self.ring.digest, lambda name: not boxes.get(name), lacks=lacks
            )
        ]

    def _tell_pullers(self) -> Outgoing:
        """Say Pulled to those for whom nothing is left."""
        outgoing: Outgoing = []
        pullers = self._walk.pullers
        for name, puller in list(pullers.items()):
            waits = self._outboxes.get(name) or name in self._ledgers or self.resets.is_deaf(name)
            if puller.told or self._walk.to_do or waits:
                continue  # not yet
            puller.told = True
            outgoing.append((name, Pulled(puller.number)))
            if not puller.whole or name in self.ring:
                del pullers[name]
        return outgoing

    def _is_held_up(self) -> bool:
        """Is it for the outboxes to empty before more is put into them?"""
        return any(
            box.waiting > WALK_WAITS_AT and self._usable(name)
            for name, box in self._outboxes.items()
        )
