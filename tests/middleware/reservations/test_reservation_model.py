"""The table of reservations against a naive model, which keeps what each has charged."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.holds.reservation_messages import Commit, Reserve
from sidegate.reservations.local_reservations import LocalReservations

LIMITS = "1000/146 years"  # nothing comes back
CAPACITY = 1_000
TTL = 10_000  # ms
S = 10**9


@dataclass
class Held:
    """A reservation, as the model has it."""

    amount: int
    ends_at: int
    own: str
    ids: list[str] = field(default_factory=list[str])
    actual: int | None = None
    is_expired: bool = False

    @property
    def charged(self) -> int:
        """What it has charged."""
        if self.actual is not None:
            return self.actual
        return 0 if self.is_expired else self.amount


class Reserving(RuleBasedStateMachine):
    """One key; the sum of what all have charged is what the bucket owes, up to twice the burst."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.buckets = BucketTable()
        self.local = LocalReservations(self.buckets, lambda: self.now, b"secret")
        self.held: list[Held] = []
        self.owed = 0
        self.number = 0

    def change(self, tokens: int) -> None:
        """Owe more or less, within bounds."""
        self.owed = max(min(self.owed + tokens, max(2 * CAPACITY, self.owed)), 0)

    @rule(amount=st.integers(0, CAPACITY))
    def reserve(self, amount: int) -> None:
        """Reserve, with an id of one's own."""
        self.number += 1
        own = f"o{self.number}"
        told = self.local.answer(Reserve(0, 0, "k", LIMITS, amount, TTL, own))
        allowed = amount == 0 or self.owed + amount <= CAPACITY
        if self.owed <= CAPACITY:
            assert (told.answer[0] == 1) == allowed
        if told.answer[0] == 1:
            self.held.append(Held(amount, self.now + TTL * 10**6, own, [told.reservation]))
            self.change(amount)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def reserve_again(self, data: st.DataObject) -> None:
        """The same id is the same reservation, and charges nothing."""
        held = data.draw(st.sampled_from(self.held))
        first = held.amount if len(held.ids) == 1 else None
        if first is None:
            return
        told = self.local.answer(Reserve(0, 0, "k", LIMITS, first, TTL, held.own))
        assert told.answer[0] == 1
        assert told.held == held.amount
        other = self.local.answer(Reserve(0, 0, "k", LIMITS, first + 1, TTL, held.own))
        assert isinstance(other.answer, str)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), more=st.integers(1, 300))
    def add(self, data: st.DataObject, more: int) -> None:
        """Hold more, unless it is over."""
        held = data.draw(st.sampled_from(self.held))
        told = self.local.answer(Reserve(0, 0, "k", LIMITS, more, TTL, more=held.ids[-1]))
        if held.actual is not None or held.is_expired:
            assert isinstance(told.answer, str)
        elif told.answer[0] == 1:
            assert self.owed + more <= CAPACITY
            held.amount += more
            held.ids.append(told.reservation)
            self.change(more)
        else:
            assert self.owed + more > CAPACITY

    @precondition(lambda self: self.held)
    @rule(data=st.data(), actual=st.integers(0, CAPACITY))
    def commit(self, data: st.DataObject, actual: int) -> None:
        """Commit, by any of its ids; the second time nothing changes."""
        held = data.draw(st.sampled_from(self.held))
        told = self.local.answer(Commit(0, 0, data.draw(st.sampled_from(held.ids)), actual))
        if held.actual is None:
            before = held.charged
            held.actual = actual
            self.change(actual - before)
            assert told.change == actual - before
        assert told.held == held.actual

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        """Let time pass; what has ended is given back."""
        self.now += seconds * S
        self.local.tick()
        for held in self.held:
            if not held.is_expired and held.ends_at <= self.now:
                if held.actual is None:
                    self.change(-held.amount)
                held.is_expired = True

    @invariant()
    def owes_what_is_charged(self) -> None:
        """The bucket owes what all have charged, as far as it can."""
        [limit] = parse_limits(LIMITS).items
        debts = [debt for _, debt in self.buckets.held("k", self.now)]
        tokens = round(sum(debts) * limit.scale / limit.interval)
        assert abs(tokens - self.owed) <= 1


TestReserving = Reserving.TestCase
TestReserving.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
