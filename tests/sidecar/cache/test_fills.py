"""Fill leases: one filler at a time, the next one when it is gone, none for ever."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.cache.fills import (
    MAX_FILLS,
    MAX_LEASE,
    MAX_WAITING,
    NO_ROOM,
    WAITS,
    Fills,
    Grant,
    LeaseAsker,
)

ITEM = ("users", "1")
LEASE = 2 * SECOND


def asker(source: str | int, number: int = 1) -> LeaseAsker:
    """Return somebody who fills within two seconds."""
    return LeaseAsker(source, number, LEASE)


def test_one_fills_and_the_others_wait() -> None:
    """When the value is there, all who wait get it."""
    fills = Fills(0)
    token = fills.ask(ITEM, asker("a"), 0)
    assert token > 0
    assert [fills.ask(ITEM, asker(it), 0) for it in "bc"] == [WAITS, WAITS]
    assert fills.holds(ITEM, token)
    assert not fills.holds(ITEM, token + 1)
    assert fills.end(ITEM, 0) == [asker("b"), asker("c")]
    assert (len(fills), fills.waiting, fills.end(ITEM, 0)) == (0, 0, [])


def test_the_next_fills_when_the_link_of_the_filler_breaks() -> None:
    """Whoever waits on the same link is gone as well."""
    fills = Fills(0)
    first = fills.ask(ITEM, asker("a"), 0)
    for source in "abc":
        fills.ask(ITEM, asker(source, 2), 0)
    assert fills.left("a", 1) == [Grant(asker("b", 2), ITEM, first + 1)]
    assert fills.left("c", 1) == []
    assert fills.left("b", 1) == []
    assert (len(fills), fills.waiting) == (0, 0)


def test_the_next_fills_when_time_is_over() -> None:
    """But one that nobody else wants is kept for a while: functions may be slow."""
    fills = Fills(0)
    first = fills.ask(ITEM, asker("a"), 0)
    assert fills.tick(LEASE) == []
    assert fills.holds(ITEM, first)
    assert fills.ask(ITEM, asker("b"), LEASE) == first + 1
    assert not fills.holds(ITEM, first)
    assert fills.ask(ITEM, asker("c"), 2 * LEASE - 1) == WAITS
    assert fills.tick(2 * LEASE) == [Grant(asker("c"), ITEM, first + 2)]
    assert fills.tick(2 * LEASE + MAX_LEASE) == []
    assert len(fills) == 0


def test_who_has_waited_too_long_gets_nothing() -> None:
    """It calls its function itself by then."""
    fills = Fills(0)
    fills.ask(ITEM, LeaseAsker("a", 1, 9 * LEASE), 0)
    fills.ask(ITEM, asker("b"), 0)
    fills.ask(ITEM, asker("c"), 2 * LEASE)
    assert fills.end(ITEM, 2 * LEASE) == [asker("c")]


def test_a_lease_is_given_back_by_its_token_alone() -> None:
    """An old one does nothing."""
    fills = Fills(0)
    token = fills.ask(ITEM, asker("a"), 0)
    fills.ask(ITEM, asker("b"), 0)
    assert fills.release(ITEM, token + 5, 0) == []
    assert fills.release(ITEM, token, 0) == [Grant(asker("b"), ITEM, token + 1)]
    assert fills.release(ITEM, token, 0) == []
    assert fills.release(ITEM, token + 1, 0) == []
    assert len(fills) == 0


def test_leases_and_places_are_bounded() -> None:
    """Beyond that nobody waits, and nobody fills."""
    fills = Fills(0)
    for at in range(MAX_FILLS):
        assert fills.ask(("n", str(at)), asker("a"), 0) > 0
    assert fills.ask(("n", "one more"), asker("a"), 0) == NO_ROOM
    for _ in range(MAX_WAITING):
        assert fills.ask(("n", "0"), asker("b"), 0) == WAITS
    assert fills.ask(("n", "0"), asker("b"), 0) == NO_ROOM


def test_keys_of_another_node_are_forgotten() -> None:
    """Who waits for them is to ask that one."""
    fills = Fills(0)
    for item in (ITEM, ("posts", "1")):
        fills.ask(item, asker("a"), 0)
        fills.ask(item, asker("b"), 0)
    assert fills.of("posts") == [("posts", "1")]
    assert fills.take(lambda item: item == ITEM, 0) == [(ITEM, asker("b"))]
    assert len(fills) == 1


SOURCES = st.sampled_from(["a", "b", 1, 2])
ITEMS = st.sampled_from([("n", "x"), ("n", "y")])


class FillsMachine(RuleBasedStateMachine):
    """At most one filler a key, and none for longer than MAX_LEASE, whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self.fills = Fills(0)
        self.now = 0
        self.holders: dict[tuple[str, str], tuple[int, int]] = {}
        self.id = 0

    def granted(self, grants: list[Grant]) -> None:
        """Note who fills now."""
        for grant in grants:
            self.holders[grant.item] = grant.token, self.now

    @rule(item=ITEMS, source=SOURCES, lease=st.integers(1, 90))
    def ask(self, item: tuple[str, str], source: str | int, lease: int) -> None:
        """Ask."""
        self.id += 1
        token = self.fills.ask(item, LeaseAsker(source, self.id, lease * SECOND), self.now)
        if token > 0:
            self.holders[item] = token, self.now

    @rule(item=ITEMS)
    def fill(self, item: tuple[str, str]) -> None:
        """Bring the value."""
        token, _ = self.holders.pop(item, (0, 0))
        if self.fills.holds(item, token):
            self.fills.end(item, self.now)

    @rule(item=ITEMS, right=st.booleans())
    def release(self, item: tuple[str, str], *, right: bool) -> None:
        """Give it back."""
        token, _ = self.holders.get(item, (0, 0))
        self.granted(self.fills.release(item, token if right else token + 1, self.now))

    @rule(source=SOURCES)
    def leave(self, source: str | int) -> None:
        """Break a link."""
        self.granted(self.fills.left(source, self.now))
        for fill in self.fills._fills.values():
            assert fill.asker.source != source
            assert all(it.source != source for it, _ in fill.waiting)

    @rule(seconds=st.integers(1, 40))
    def time_goes_by(self, seconds: int) -> None:
        """Move on."""
        self.now += seconds * SECOND
        self.granted(self.fills.tick(self.now))

    @invariant()
    def one_filler_and_none_for_ever(self) -> None:
        """Each lease is the one that was given last, not long ago; the count is that of places."""
        for item, fill in self.fills._fills.items():
            token, since = self.holders[item]
            assert fill.token == token
            assert self.now < since + MAX_LEASE
        assert self.fills.waiting == sum(len(it.waiting) for it in self.fills._fills.values())


FillsMachine.TestCase.settings = settings(max_examples=150, deadline=None)
TestFillsMachine = FillsMachine.TestCase
