"""Whatever is lent, spent, lost, late or given back: no interval admits more than B + rT."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import parse_limits
from sidegate.client.leases.leases import AppLeases
from tests.middleware.client.leases.lender import Lender

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.client.leases.borrower import Borrower
    from sidegate.protocol.holds.lease_messages import Lent


MS = 1_000_000
NOW = 10**15
LIMITS = parse_limits("400/second")
LIMIT = LIMITS.items[0]


class Fleet:
    """Apps that ask one owner, over a network that loses and holds up."""

    def __init__(self, apps: int) -> None:
        self.now = NOW
        self.lender = Lender(LIMIT, NOW)
        self.apps = [AppLeases(remembers=True) for _ in range(apps)]
        self.admitted: list[tuple[int, int]] = []  # when, and how many tokens
        self._under_way: list[tuple[int, Callable[[], None]]] = []

    def check(self, app: AppLeases, cost: int) -> None:
        made = app.spend("k", LIMITS, cost, self.now)
        allowed = made.allowed if made else self.lender.check(cost, self.now)[0]
        if allowed:
            self.admitted.append((self.now, cost))
        if made is None:
            checks = [("k", LIMITS.asked, cost)] * 20
            app.saw(checks, [LIMITS] * 20, self.now)

    def talk(self, app: AppLeases, there: int, back: int, *, is_lost: bool) -> None:
        """Say what an app has to say, which takes so long."""
        rows, wishes = app.take_returned(), list(app.wishes)
        app.wishes.clear()
        if is_lost:
            return

        def arrive() -> None:
            for row in rows:
                self.lender.take_back(row, self.now)
            for it, wanted in wishes:
                lent = self.lender.lend(wanted, self.now)
                self.later(back, partial(self.hear, app, it, lent))

        self.later(there, arrive)

    def hear(self, app: AppLeases, it: Borrower, lent: Lent) -> None:
        app.lent(it, lent, self.now)

    def later(self, delay: int, call: Callable[[], None]) -> None:
        self._under_way.append((self.now + delay, call))

    def go_on(self, until: int) -> None:
        while due := [it for it in self._under_way if it[0] <= until]:
            first = min(due, key=lambda it: it[0])
            self._under_way.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = until

    def excess(self) -> int:
        """Return by how many parts of a token the worst interval has had too many."""
        worst = -LIMIT.capacity
        for at, (began, _) in enumerate(self.admitted):
            total = 0
            for when, cost in self.admitted[at:]:
                total += cost * LIMIT.interval
                worst = max(worst, total - LIMIT.capacity - (when - began) * LIMIT.scale)
        return worst


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),  # which app
        st.integers(0, 60),  # how many checks
        st.integers(1, 3),  # of which cost
        st.integers(0, 40 * MS),  # after so long
        st.integers(0, 30 * MS),  # by a network as slow as that
        st.booleans(),  # which loses this
        st.booleans(),  # an app looks after its leases
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_no_interval_admits_more_than_one_bucket_would(
    steps: list[tuple[int, int, int, int, int, bool, bool]],
) -> None:
    fleet = Fleet(3)
    for which, checks, cost, gap, delay, is_lost, ticks in steps:
        app = fleet.apps[which]
        for _ in range(checks):
            fleet.check(app, cost)
        fleet.talk(app, delay, delay, is_lost=is_lost)
        fleet.go_on(fleet.now + gap)
        if ticks:
            app.tick(fleet.now)
        assert fleet.lender.lent <= LIMIT.burst // 20
    assert fleet.excess() <= 0


def test_a_lease_that_is_spent_too_long_would_be_found() -> None:
    """Else the test above would say nothing."""
    fleet = Fleet(1)
    fleet.admitted = [(NOW, LIMIT.burst), (NOW + MS, 1)]
    assert fleet.excess() > 0


def test_what_has_lapsed_isn_t_spent_beside_a_bucket_that_is_full_again() -> None:
    """Also by an app that stood still, and so gave nothing back."""
    fleet = Fleet(1)
    (app,) = fleet.apps
    for _ in range(3):
        fleet.check(app, 1)
    fleet.talk(app, 0, 0, is_lost=False)
    fleet.go_on(fleet.now)
    assert fleet.lender.lent > 0
    fleet.go_on(fleet.now + 1_000 * MS)
    for _ in range(2 * LIMIT.burst):
        fleet.check(app, 1)
    assert len(fleet.admitted) == 3 + LIMIT.burst
    assert fleet.excess() <= 0
