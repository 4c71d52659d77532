"""Targets: who is sent a copy of a bucket by whom, when the ring has changed."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidegate_ring.hashring import Ring
from sidegate_sidecar.replication.targets import Move


def identity(text: str) -> int:
    """Hash "4" and the node "4", which has one point, to 4."""
    return int(text.partition("#")[0])


def ring_of(nodes: str) -> Ring:
    """Return a ring on which the key "0" is asked of the nodes, single digits, in their order.

    So on the ring 2 4 6 the owner of "0" is 2 and its backup is 4.
    """
    assert list(nodes) == sorted(nodes)
    return Ring(list(nodes), points=1, hash=identity)


@dataclass(frozen=True)
class Scenario:
    """A change of the ring, and whom each node that holds a bucket of "0" sends it to."""

    before: str
    ring: str
    heirs: dict[str, str]  # by holder: every node that may have a copy, and whom it is sent to
    asked: str = ""
    added: str = ""
    away: str = ""


SCENARIOS = {
    "nothing": Scenario("246", "246", {"2": "", "4": "", "6": ""}),
    # one comes
    "a newcomer asked for what it owns": Scenario(
        "46", "246", {"2": "", "4": "", "6": ""}, asked="2"
    ),
    "a newcomer did not ask": Scenario("46", "246", {"2": "", "4": "2", "6": ""}, added="2"),
    "a newcomer is the backup": Scenario("26", "246", {"2": "4", "6": ""}, added="4"),
    "a newcomer that asked is the backup": Scenario("26", "246", {"2": "4", "6": ""}, asked="4"),
    "a newcomer is neither": Scenario("24", "246", {"2": "", "4": ""}, asked="6"),
    "a newcomer meets a single node": Scenario("4", "24", {"2": "", "4": ""}, asked="2"),
    "a single node gets a backup": Scenario("2", "24", {"2": "4"}, added="4"),
    # who came after its holders has nothing of it but from them
    "a newcomer is the backup of one that was alone": Scenario("2", "24", {"4": ""}),
    "a newcomer takes the place of a backup that stays": Scenario("26", "246", {"4": ""}),
    "a newcomer takes the place of a backup that may lack it": Scenario(
        "26", "246", {"4": "2"}, added="6"
    ),
    # one goes; who left holds its copy still, and walks like the others
    "the owner goes": Scenario("2468", "468", {"2": "", "4": "6", "8": ""}),
    "the owner goes, and a former backup is backup again": Scenario(
        "246", "46", {"2": "", "4": "6", "6": "4"}
    ),
    # the next may have what it did for an owner that was away
    "the backup goes": Scenario("2468", "268", {"2": "6", "4": "", "6": "2", "8": ""}),
    "the backup goes, and the owner is away": Scenario(
        "2468", "268", {"6": "2", "8": "6"}, away="2"
    ),
    "another goes": Scenario("246", "24", {"2": "", "4": "", "6": ""}),
    "all but one go": Scenario("246", "6", {"2": "6", "4": "6", "6": ""}),
    "the last one goes": Scenario("2", "", {"2": ""}),
    # two at once
    "owner and backup go": Scenario("2468", "68", {"2": "68", "4": "68", "6": "8", "8": "6"}),
    "the owner goes, and a newcomer is the backup": Scenario(
        "246", "456", {"2": "", "4": "5", "6": ""}, asked="5"
    ),
    "the backup goes, and a newcomer asked for all": Scenario(
        "246", "126", {"1": "", "2": "", "4": "", "6": ""}, asked="1"
    ),
    "the owner goes, and a newcomer did not ask": Scenario(
        "246", "146", {"1": "4", "2": "1", "4": "1", "6": ""}, added="1"
    ),
    "two newcomers asked": Scenario(
        "68", "2468", {"2": "4", "4": "", "6": "4", "8": ""}, asked="24"
    ),
    "two newcomers did not ask": Scenario(
        "68", "2468", {"2": "4", "4": "2", "6": "24", "8": ""}, added="24"
    ),
    "one newcomer asked and the other did not": Scenario(
        "68", "2468", {"2": "4", "6": "4", "8": ""}, asked="2", added="4"
    ),
    "everyone is replaced": Scenario("68", "24", {"2": "4", "6": "24", "8": "24"}, added="24"),
    # back under the old name, too quickly for the ring to be another
    "the owner was restarted": Scenario("246", "246", {"4": "2", "6": ""}, added="2"),
    "the owner was restarted, and asked": Scenario("246", "246", {"4": "", "6": ""}, asked="2"),
    "the backup was restarted": Scenario("246", "246", {"2": "4", "6": ""}, added="4"),
    "the backup was restarted, and asked": Scenario("246", "246", {"2": "4", "6": ""}, asked="4"),
    "the owner was restarted and the backup is new": Scenario(
        "246", "2346", {"3": "2", "4": "23", "6": ""}, added="23"
    ),
    # one can't be reached, and may be dead
    "the owner is away, and a newcomer that asked is the backup": Scenario(
        "26", "246", {"6": "4"}, asked="4", away="2"
    ),
    "the owner is away, and all is as it was": Scenario("246", "246", {"4": "", "6": ""}, away="2"),
    "the backup is away, and the owner goes": Scenario("246", "46", {"2": "6", "6": "4"}, away="4"),
    # a split heals: each side takes the other for newcomers
    "the sides of a split meet, seen by the owner's": Scenario(
        "24", "2468", {"2": "", "4": ""}, added="68"
    ),
    "the sides of a split meet, seen by the other one": Scenario(
        "68", "2468", {"6": "24", "8": ""}, added="24"
    ),
    "the sides of a split meet, and the backup is on the other": Scenario(
        "26", "2468", {"2": "4", "6": ""}, added="48"
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_who_is_sent_a_copy_by_whom(scenario: Scenario) -> None:
    for me, heirs in scenario.heirs.items():
        # A newcomer takes no notice of itself.
        others = frozenset(scenario.asked) - {me}, frozenset(scenario.added) - {me}
        rings = ring_of(scenario.before), ring_of(scenario.ring)
        move = Move(me, *rings, *others, frozenset(scenario.away))
        assert sorted(move.heirs("0")) == sorted(heirs), f"by {me}"


# No key is lost


NOBODY: frozenset[str] = frozenset()


def ring_with(names: Iterable[str]) -> Ring:
    return Ring(list(names), points=8)


@dataclass(frozen=True)
class Upheaval:
    """Some go, some come, some come back, all at once."""

    fate: dict[str, str]  # of those on the old ring: stays, crashes, leaves, is restarted
    asked: dict[str, frozenset[str]]  # newcomers and restarted nodes, and the ring they asked by
    added: frozenset[str]  # such that haven't asked
    unaware: frozenset[str]  # of both, those that haven't seen the old ring

    @property
    def before(self) -> Ring:
        return ring_with(self.fate)

    @property
    def ring(self) -> Ring:
        stay = [name for name, fate in self.fate.items() if fate in {"stays", "is restarted"}]
        return ring_with([*stay, *self.asked, *self.added])

    def survivors(self, key: str) -> set[str]:
        """Return the nodes that held a copy and do so still."""
        holders = [name for name in self.before.pair(key) if name]
        return {name for name in holders if self.fate[name] in {"stays", "leaves"}}

    def holders(self, key: str) -> set[str]:
        """Return all that hold a copy before anyone walks."""
        asked = self.asked.items()
        were_sent = {it for it, names in asked if ring_with([it, *names]).owner(key) == it}
        return self.survivors(key) | were_sent

    def move(self, me: str) -> Move:
        """Return the change as one node sees it, of which it knows the others only."""
        if me in self.unaware:
            return Move(me, Ring(), self.ring, added=frozenset(self.ring.nodes) - {me})
        asked, added = frozenset(self.asked), self.added
        if me in asked | added:
            asked, added = NOBODY, (asked | added) - {me}
        return Move(me, self.before, self.ring, asked, added)


@st.composite
def upheavals(draw: st.DrawFn) -> Upheaval:
    fates = st.sampled_from(["stays", "stays", "crashes", "leaves", "is restarted"])
    old = [f"old{at}" for at in range(draw(st.integers(1, 5)))]
    fate = {name: draw(fates) for name in old}
    new = [f"new{at}" for at in range(draw(st.integers(0, 3)))]
    new += [name for name in old if fate[name] == "is restarted"]
    asked = set(draw(st.sets(st.sampled_from(new)))) if new else set[str]()
    unaware = draw(st.sets(st.sampled_from(new))) if new else set[str]()
    # A node counts as one that asked only while nobody is gone of those whom it asked.
    there = [name for name in old if fate[name] == "stays"]
    others = {name: sorted({*there, *new} - {name}) for name in asked}
    by = {
        name: frozenset(draw(st.sets(st.sampled_from(some)) if some else st.just(set[str]())))
        for name, some in others.items()
    }
    return Upheaval(
        fate,
        {name: frozenset(there) - {name} | names for name, names in by.items()},
        frozenset(new) - asked,
        frozenset(unaware),
    )


@given(upheavals())
@example(  # two leave at once
    Upheaval({"a": "leaves", "b": "leaves", "c": "stays", "d": "stays"}, {}, NOBODY, NOBODY)
)
@example(  # two come at once, one of which could not wait
    Upheaval({"a": "stays"}, {"b": frozenset("a")}, frozenset("c"), NOBODY)
)
@example(  # a restart while another comes
    Upheaval({"a": "is restarted", "b": "stays"}, {}, frozenset("ac"), NOBODY)
)
def test_owner_and_backup_of_every_key_hold_a_copy_after_all_have_walked(
    upheaval: Upheaval,
) -> None:
    """As long as one of those who held it survives, and though nobody waits for what comes in."""
    for key in map(str, range(40)):
        if not upheaval.survivors(key):
            continue
        holders = upheaval.holders(key)
        heirs = {it for me in holders for it in upheaval.move(me).heirs(key)}
        assert set(upheaval.ring.pair(key)) - {""} <= holders | heirs


@given(upheavals(), st.integers(0, 99))
def test_copies_go_only_to_those_who_should_hold_one_and_never_to_oneself(
    upheaval: Upheaval, key: int
) -> None:
    for me in {*upheaval.fate, *upheaval.ring.nodes}:
        heirs = upheaval.move(me).heirs(str(key))
        assert len(heirs) == len(set(heirs))
        assert set(heirs) <= set(upheaval.ring.pair(str(key))) - {me, ""}


@given(st.sets(st.integers(0, 9).map(str), min_size=1), st.integers(10, 12).map(str))
def test_a_newcomer_that_asked_costs_only_the_copies_of_which_it_is_the_backup(
    old: set[str], newcomer: str
) -> None:
    """And a node that leaves costs the owners only those for the new backups."""
    small = ring_with(old)
    large = small.with_node(newcomer)
    for key in map(str, range(40)):
        for me in small.pair(key):
            if me and newcomer in large.pair(key):
                expected = (newcomer,) if large.pair(key) == (me, newcomer) else ()
                assert Move(me, small, large, frozenset({newcomer})).heirs(key) == expected
        for me in large.pair(key):
            if me:
                backup = small.pair(key)[1]
                lacks = backup and me == small.pair(key)[0] and newcomer in large.pair(key)
                assert Move(me, large, small).heirs(key) == ((backup,) if lacks else ())
