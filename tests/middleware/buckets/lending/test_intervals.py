"""Whatever happens to leases, no interval lets through more than a burst and what came back in it.

Every interval is looked at by one number: what is owed of a burst by all that was let through, as
it comes back. So at each moment what an owner holds and what is out must fit into the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import booleans, data, integers, sampled_from

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.lending import Lending
from sidegate.buckets.limits import SECOND, Limits, parse_limits

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

MS = SECOND // 1_000
KEY = "api:busy"
BEGAN = 1_000_000 * 3_600 * SECOND + 3_599 * SECOND  # a second before an hour is over
STANDING = [
    ["100/second"],
    ["1000/minute burst 100"],
    ["400/second keep 20%"],
    ["500/hour window"],
    ["200/second burst 300; 1000/hour window"],
    ["200/second burst 300; 1000/minute"],
    # These carry: one of them is in force at a time.
    ["\x1f400/second", "\x1f100/second", "\x1f2000/minute", "\x1f900/hour window"],
]
STEPS = [
    0,
    MS // 3,
    MS,
    3 * MS,
    10 * MS,
    40 * MS,
    99 * MS,
    100 * MS,
    SECOND // 4,
    SECOND,
    60 * SECOND,
]
ROUNDED = 1e-6  # of a burst


@dataclass
class Borrowed:
    """What one app has of a lease."""

    limits: Limits
    number: int
    tokens: int
    until: int


@dataclass
class Owner:
    """One node that owns the key, and its lot of what others know."""

    table: BucketTable = field(default_factory=BucketTable)

    def __post_init__(self) -> None:
        self.lending = Lending(self.table)
        self.untold = 0.0  # of a burst: what nobody else has been told of

    def tell(self, other: BucketTable, now: int) -> None:
        """Have another table know what this one does."""
        for rows in self.table.export(now):
            for key, limit, debt in rows:
                other.merge(key, limit, debt, now)
        held = self.table.keys()
        for text, keys in held:
            put_by, debts = self.table.put_by(text, keys, now)
            other.put_by_all(parse_limits(text).items[0], put_by, debts, now)


class LeasedKey(RuleBasedStateMachine):
    """One key: who owns it, who has a copy, and what apps have borrowed of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN
        self.owner = Owner()
        self.copy = BucketTable()
        self.borrowed: list[Borrowed] = []
        self.mail: list[tuple[Owner, Borrowed]] = []
        self.number = 0
        self.slack = ROUNDED

    @initialize(variants=sampled_from(STANDING))
    def begin(self, variants: list[str]) -> None:
        self.variants = [parse_limits(text) for text in variants]
        self.limits = self.variants[0]
        self.owed = [0.0] * len(self.limits.items)

    # --- what is let through

    def admit(self, tokens: int, limits: Limits) -> None:
        for at, limit in enumerate(limits.items):
            self.owed[at] += tokens * limit.interval / limit.capacity

    def shares(self, limits: Limits, tokens: int) -> list[float]:
        return [tokens * it.interval / it.capacity for it in limits.items]

    def worth(self, limits: Limits, tokens: int) -> float:
        return max(self.shares(limits, tokens))

    @property
    def out(self) -> list[Borrowed]:
        return [it for it in self.borrowed if it.tokens and self.now < it.until]

    @invariant()
    def what_is_left_and_what_is_out_fit(self) -> None:
        if not hasattr(self, "limits"):
            return
        _, debts = self.owner.table.take(KEY, self.limits, 0, self.now)
        for at, limit in enumerate(self.limits.items):
            left = 1 - debts[at] * limit.scale / limit.capacity
            out = sum(self.shares(it.limits, it.tokens)[at] for it in self.out)
            assert max(left, 0) + out <= 1 - self.owed[at] + self.slack

    # --- time

    @rule(step=sampled_from(STEPS))
    def pass_time(self, step: int) -> None:
        hours = self.now // (3_600 * SECOND)
        self.now += step
        for at, limit in enumerate(self.limits.items):
            if limit.period is None:
                self.owed[at] = max(self.owed[at] - step * limit.scale / limit.capacity, 0.0)
            elif self.now // (3_600 * SECOND) > hours:
                self.owed[at] = 0.0

    # --- who asks

    @rule(cost=sampled_from([1, 1, 5, 20, 75, 10**9]), goes_on=booleans())
    def ask(self, cost: int, goes_on: bool) -> None:
        cost = min(cost, self.limits.smallest_burst)
        for _ in range(50 if goes_on else 1):
            allowed, _ = self.owner.table.take(KEY, self.limits, cost, self.now)
            if not allowed:
                break
            self.admit(cost, self.limits)
            self.owner.untold += self.worth(self.limits, cost)

    @rule(cost=integers(1, 20))
    def refund(self, cost: int) -> None:
        for at, share in enumerate(self.shares(self.limits, cost)):
            if self.owed[at] < share:  # it wasn't charged, or has come back
                return
        self.owner.table.refund(KEY, self.limits, cost, self.now)
        for at, share in enumerate(self.shares(self.limits, cost)):
            self.owed[at] -= share

    @rule(wanted=sampled_from([1, 2, 5, 100, 10**6]), is_heard=booleans())
    def borrow(self, wanted: int, is_heard: bool) -> None:
        self.lend(self.owner, wanted, is_heard=is_heard)

    def lend(self, owner: Owner, wanted: int, *, is_heard: bool = True) -> None:
        self.number += 1
        loan = owner.lending.lend(self.number, KEY, self.limits, wanted, self.now)
        assert loan.tokens <= min(it.whole.burst for it in self.limits.items) / 20
        assert loan.lasts <= 100 * MS
        assert loan.tokens or loan.pause or wanted < 2
        if loan.tokens:
            owner.untold += self.worth(self.limits, loan.tokens)
            if is_heard:
                until = self.now + loan.lasts
                self.borrowed.append(Borrowed(self.limits, self.number, loan.tokens, until))

    @precondition(lambda self: self.out)
    @rule(data=data())
    def spend(self, data: DataObject) -> None:
        lease = data.draw(sampled_from(self.out))
        tokens = data.draw(integers(1, lease.tokens))
        lease.tokens -= tokens
        self.admit(tokens, lease.limits)

    @precondition(lambda self: self.borrowed)
    @rule(data=data())
    def give_back(self, data: DataObject) -> None:
        """An app spends no more of it; the word of that is on its way, or gets lost."""
        lease = data.draw(sampled_from(self.borrowed))
        self.borrowed.remove(lease)
        self.mail.append((self.owner, lease))

    @precondition(lambda self: self.mail)
    @rule(data=data(), again=booleans())
    def hear(self, data: DataObject, again: bool) -> None:
        at = data.draw(integers(0, len(self.mail) - 1))
        owner, lease = self.mail[at] if again else self.mail.pop(at)
        ended = owner.lending.settle(lease.number, KEY, lease.limits, lease.tokens, self.now)
        if ended is not None:
            windows = ended.windows
            owner.table.refund(KEY, ended.limits, ended.tokens, self.now, windows)

    # --- what befalls nodes

    @rule()
    def sync(self) -> None:
        self.owner.tell(self.copy, self.now)
        self.owner.untold = 0.0

    @rule()
    def hear_of_a_copy(self) -> None:
        Owner(self.copy).tell(self.owner.table, self.now)

    @rule()
    def kill(self) -> None:
        self.slack += self.owner.untold
        self.owner, self.copy = Owner(self.copy), BucketTable()
        self.sync()  # the next on the ring has been sent a copy before another one dies

    @rule()
    def hand_over(self) -> None:
        heir = Owner()
        heir.untold = self.owner.untold
        self.owner.tell(heir.table, self.now)
        self.owner = heir

    @rule(asks=integers(0, 9), loans=integers(0, 3))
    def part_and_meet(self, asks: int, loans: int) -> None:
        """Another side has a limit of its own; what it has lent is beyond when they meet."""
        other = Owner()
        self.owner.tell(other.table, self.now)
        for _ in range(asks):
            other.table.take(KEY, self.limits, 7, self.now)
        before = len(self.borrowed)
        for _ in range(loans):
            self.lend(other, 100)
        self.slack += sum(self.worth(it.limits, it.tokens) for it in self.borrowed[before:])
        other.tell(self.owner.table, self.now)

    @rule()
    def reset(self) -> None:
        self.slack += sum(self.worth(it.limits, it.tokens) for it in self.out)
        self.owner.table.reset(KEY)
        self.owed = [0.0] * len(self.owed)

    @precondition(lambda self: len(self.variants) > 1)
    @rule(data=data())
    def change(self, data: DataObject) -> None:
        self.limits = data.draw(sampled_from(self.variants))
        self.owner.untold += max(self.owed)  # a copy has it as a share that pays off faster
        self.owner.table.take(KEY, self.limits, 0, self.now)


TestLeasedKey = LeasedKey.TestCase
TestLeasedKey.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
