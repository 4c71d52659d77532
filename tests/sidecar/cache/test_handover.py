"""Values go with the ring: to newcomers and from who leaves, and what is filled goes on."""

import pytest

from sidegate.protocol.cache_messages import MAX_VALUE_BYTES, CacheDelete, CacheEntries, CacheState
from sidegate_sidecar.cache.handover import WINDOW
from tests.support.in_memory.caches import HOUR, LEASE, Caches

KEYS = [f"user {at}" for at in range(300)]


def filled(*names: str, size: int = 10, max_bytes: int = 1 << 24) -> Caches:
    """Return caches with a value for each of KEYS."""
    caches = Caches(*names, max_bytes=max_bytes)
    for key in KEYS:
        caches.set(names[0], 1, key, key.encode().ljust(size), stale=HOUR)
    return caches


@pytest.mark.parametrize("size", [10, 3_000])
def test_a_newcomer_is_given_what_it_owns(size: int) -> None:
    """All values are there as before, each on one node."""
    caches = filled("a", "b", size=size)
    caches.start("c", 1 << 24)
    caches.place("a", "b", "c")
    caches.tick()
    assert all(caches.value("b", 1, key) for key in KEYS)
    held = [len(node.owner.store) for node in caches.nodes.values()]
    assert sum(held) == len(KEYS)
    assert min(held) > 30
    assert all(node.handover.is_over for node in caches.nodes.values())
    assert caches.nodes["c"].owner.counts.taken_over == held[2]


def test_who_leaves_gives_all_away() -> None:
    """It has nothing in the end."""
    caches = filled("a", "b")
    caches.place("b")
    caches.tick()
    assert len(caches.nodes["a"].owner.store) == 0
    assert all(caches.value("b", 1, key) for key in KEYS)


def test_what_is_in_use_goes_first() -> None:
    """And it counts as in use where it comes to."""
    caches = filled("a")
    used = KEYS[7:12]
    for key in used:
        caches.value("a", 1, key)
    caches.start("b")
    caches.place("b")
    while not caches.wire:
        caches.nodes["a"].handover.work(caches.now)
    _, _, message = caches.wire[0]
    assert isinstance(message, CacheEntries)
    assert {row[1] for row in message.rows[:5]} == set(used)
    assert [row[5] for row in message.rows[:6]] == [True] * 5 + [False]


def test_few_messages_are_under_way() -> None:
    """The others wait until those are taken, or too long."""
    caches = filled("a", size=40_000)
    caches.start("b", 1 << 25)
    caches.place("b")
    caches.silent.add("b")
    node = caches.nodes["a"]
    while node.tick(caches.now):
        pass
    assert len(caches.wire) == WINDOW
    caches.silent.clear()
    caches.tick()
    assert node.handover.is_over
    assert all(caches.value("b", 1, key) for key in KEYS)


def test_a_value_of_the_largest_size_goes_over() -> None:
    """In a message of its own."""
    caches = Caches("a", max_bytes=1 << 25)
    caches.set("a", 1, "large", b"x" * MAX_VALUE_BYTES)
    caches.start("b", 1 << 25)
    caches.place("b")
    caches.tick()
    assert caches.value("a", 1, "large") == b"x" * MAX_VALUE_BYTES


def test_what_was_deleted_meanwhile_does_not_come_back() -> None:
    """Nor in the place of what is newer."""
    caches = filled("a")
    caches.start("b")
    caches.place("b")
    caches.around["a"].ring, ring = caches.around["b"].ring, caches.around["a"].ring
    caches.say("b", 1, CacheDelete(900, 0, "users", [KEYS[0]]))
    caches.set("b", 1, KEYS[1], b"new")
    caches.around["a"].ring = ring
    caches.tick()
    assert caches.value("b", 1, KEYS[0]) is None
    assert caches.value("b", 1, KEYS[1]) == b"new"
    assert caches.value("b", 1, KEYS[2])


def test_a_ring_that_changes_during_a_fill_costs_one_load_more() -> None:
    """Who waits asks the new owner; what the first brings is kept there, and given to all."""
    caches = Caches("a", "b")
    key = caches.key_of("b")
    first = caches.get("a", 1, key, lease=LEASE)
    others = [caches.get("a", app, key, lease=LEASE) for app in (2, 3)]
    token = caches.rows("a", 1, first)[0][2]
    caches.place("a")
    caches.tick()
    states = [caches.states("a", app, it) for app, it in zip((2, 3), others, strict=True)]
    assert states == [[CacheState.WAIT, CacheState.FILL], [CacheState.WAIT, CacheState.WAIT]]
    assert caches.set("a", 1, key, b"v", token=token) is True
    assert caches.states("a", 3, others[1])[-1] is CacheState.HIT
    assert caches.value("b", 1, key) == b"v"


def test_what_is_filled_for_a_former_owner_is_not_kept_when_it_was_deleted() -> None:
    """The new owner remembers what was deleted of late."""
    caches = Caches("a", "b")
    key = caches.key_of("b")
    token = caches.rows("a", 1, caches.get("a", 1, key, lease=LEASE))[0][2]
    caches.place("a")
    caches.say("a", 1, CacheDelete(900, 0, "users", [key]))
    assert caches.set("a", 1, key, b"old", token=token) is False


def test_a_node_that_breaks_off_takes_nothing_more() -> None:
    """The rest is dropped: it isn't ours, and its owner can't be told."""
    caches = filled("a", size=40_000)
    caches.start("b", 1 << 25)
    caches.place("b")
    caches.silent.add("b")
    caches.tick()
    caches.kill("b")
    caches.tick()
    node = caches.nodes["a"]
    assert node.handover.is_over
    assert len(node.owner.store) == 0
