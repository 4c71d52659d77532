"""The caches of several nodes: each key has one owner, which all others ask."""

import pytest

from sidegate.errors import KeyTooLong
from sidegate.protocol.cache_messages import (
    CacheClear,
    CacheDelete,
    CacheDone,
    CacheEntries,
    CacheGet,
    CacheRelease,
    CacheState,
)
from sidegate.protocol.codec import WireError
from sidegate_sidecar.cache.fills import MAX_LEASE
from tests.support.in_memory.caches import HOUR, LEASE, Caches

FILL, WAIT, HIT, MISS = CacheState.FILL, CacheState.WAIT, CacheState.HIT, CacheState.MISS
STALE, STALE_FILL, LOST = CacheState.STALE, CacheState.STALE_FILL, CacheState.LOST


def test_a_value_is_at_its_owner_for_all() -> None:
    """Whoever asks whichever node gets it, until its time is over."""
    caches = Caches("a", "b", "c")
    key = caches.key_of("b")
    assert caches.set("a", 1, key, b"v", ttl=1_000_000) is True
    assert [len(node.owner.store) for node in caches.nodes.values()] == [0, 1, 0]
    assert [caches.value(name, 1, key) for name in "abc"] == [b"v"] * 3
    caches.wait(1.0)
    assert [caches.value(name, 1, key) for name in "abc"] == [None] * 3


def test_many_keys_are_asked_of_their_owners() -> None:
    """Each answer says which key of the question it is for."""
    caches = Caches("a", "b", "c")
    keys = [caches.key_of(name) for name in "abc"]
    for key in keys[:2]:
        caches.set("c", 1, key, key.encode())
    rows = caches.rows("c", 1, caches.get("c", 1, *keys))
    assert sorted(rows) == [
        (0, HIT, 0, keys[0].encode()),
        (1, HIT, 0, keys[1].encode()),
        (2, MISS, 0, b""),
    ]


@pytest.mark.parametrize("owner", ["a", "b"])
def test_one_fills_and_all_who_wait_get_it(owner: str) -> None:
    """Whether the node asked is the owner or another one."""
    caches = Caches("a", "b", "c")
    key = caches.key_of(owner)
    first = caches.get("a", 1, key, lease=LEASE)
    others = [("a", 2), ("b", 1), ("c", 1)]
    numbers = [caches.get(node, app, key, lease=LEASE) for node, app in others]
    ((_, state, token, _),) = caches.rows("a", 1, first)
    assert (state, token > 0) == (FILL, True)
    assert caches.set("a", 1, key, b"v", token=token) is True
    for (node, app), number in zip(others, numbers, strict=True):
        assert caches.rows(node, app, number) == [(0, WAIT, 0, b""), (0, HIT, 0, b"v")]
    assert caches.nodes["a"].lookups.held == 0
    assert all(not len(node.owner.fills) for node in caches.nodes.values())


@pytest.mark.parametrize("owner", ["a", "b"])
def test_the_next_fills_when_the_filler_is_gone(owner: str) -> None:
    """Its connection broke; what it brings after that isn't kept."""
    caches = Caches("a", "b", "c")
    key = caches.key_of(owner)
    first = caches.get("a", 1, key, lease=LEASE)
    second = caches.get("c", 1, key, lease=LEASE)
    caches.nodes["a"].left(1, caches.now)
    caches.carry()
    assert caches.states("c", 1, second) == [WAIT, FILL]
    token = caches.rows("a", 1, first)[0][2]
    assert caches.set("a", 1, key, b"late", token=token) is False
    assert caches.value("b", 1, key) is None


def test_the_next_fills_when_the_node_of_the_filler_is_gone() -> None:
    """Its apps are gone with it, as far as the owner knows."""
    caches = Caches("a", "b", "c")
    key = caches.key_of("b")
    caches.get("a", 1, key, lease=LEASE)
    second = caches.get("c", 1, key, lease=LEASE)
    caches.kill("a")
    assert caches.states("c", 1, second) == [WAIT, FILL]


def test_who_waits_and_goes_is_not_given_the_lease() -> None:
    """Its node gives it back for the next."""
    caches = Caches("a", "b")
    key = caches.key_of("b")
    first = caches.get("a", 1, key, lease=LEASE)
    caches.get("a", 2, key, lease=LEASE)
    third = caches.get("b", 3, key, lease=LEASE)
    caches.nodes["a"].left(2, caches.now)
    token = caches.rows("a", 1, first)[0][2]
    caches.say("a", 1, CacheRelease(0, "users", key, token))
    assert caches.states("b", 3, third) == [WAIT, FILL]


def test_a_stale_value_is_given_while_one_fills() -> None:
    """Nobody waits then."""
    caches = Caches("a", "b")
    key = caches.key_of("b")
    caches.set("a", 1, key, b"old", ttl=1_000_000, stale=HOUR)
    caches.wait(2.0)
    asked = [caches.get(node, 1, key, lease=LEASE) for node in "aba"]
    rows = [caches.rows(*it)[0] for it in zip("aba", (1, 1, 1), asked, strict=True)]
    assert [(row[1], row[3]) for row in rows] == [
        (STALE_FILL, b"old"),
        (STALE, b"old"),
        (STALE, b"old"),
    ]
    assert caches.set("a", 1, key, b"new", token=rows[0][2]) is True
    assert caches.value("b", 1, key) == b"new"


def test_a_key_that_is_deleted_while_it_is_filled_is_not_kept() -> None:
    """What is brought may be older than the deletion; the next who waits fills anew."""
    caches = Caches("a", "b")
    key = caches.key_of("b")
    first = caches.get("a", 1, key, lease=LEASE)
    second = caches.get("b", 1, key, lease=LEASE)
    caches.say("a", 2, CacheDelete(900, 0, "users", [key]))
    assert caches.done("a", 2) == [CacheDone(900, 0)]
    assert caches.states("b", 1, second) == [WAIT, FILL]
    token = caches.rows("a", 1, first)[0][2]
    assert caches.set("a", 1, key, b"old", token=token) is False


def test_a_namespace_is_cleared_on_all_nodes() -> None:
    """And no other one; it says how many values there were, and who couldn't be asked."""
    caches = Caches("a", "b", "c")
    keys = [caches.key_of(name) for name in "abc"]
    for key in keys:
        caches.set("a", 1, key, b"v")
    caches.set("a", 1, "other", b"v", name="posts")
    caches.say("b", 1, CacheClear(901, 0, "users"))
    assert caches.done("b", 1) == [CacheDone(901, 3)]
    assert [caches.value("a", 1, key) for key in keys] == [None] * 3
    assert sum(len(node.owner.store) for node in caches.nodes.values()) == 1
    caches.silent.add("c")
    caches.say("b", 1, CacheClear(902, 0, "users"))
    caches.wait(1.0)
    assert caches.done("b", 1)[-1] == CacheDone(902, 0, 1)


def test_an_owner_that_is_silent_is_not_asked_for_a_while() -> None:
    """It costs one budget, not one a key; it is doubted, and asked again when it has spoken."""
    caches = Caches("a", "b")
    caches.silent.add("b")
    keys = [caches.key_of("b", skip=at) for at in range(3)]
    first = caches.get("a", 1, keys[0], lease=LEASE)
    assert caches.states("a", 1, first) == []
    caches.wait(0.06)
    assert caches.states("a", 1, first) == [LOST]
    assert caches.states("a", 1, caches.get("a", 1, keys[1])) == [LOST]
    assert caches.set("a", 1, keys[1], b"v") is False
    assert caches.around["a"].doubted == ["b"]
    caches.silent.clear()
    caches.wait(0.6)
    assert caches.states("a", 1, caches.get("a", 1, keys[2])) == [MISS]


def test_a_lease_that_comes_too_late_goes_back() -> None:
    """Its app has called the function by then."""
    caches = Caches("a", "b")
    key = caches.key_of("b")
    caches.silent.add("a")
    number = caches.get("a", 1, key, lease=LEASE)
    caches.silent.clear()
    caches.wire.append(("a", "b", CacheGet(1, 1, "users", [key], LEASE)))  # it was only slow
    caches.nodes["a"].tick(caches.now + 10**9)
    caches.carry()
    assert caches.states("a", 1, number) == [LOST]
    assert len(caches.nodes["b"].owner.fills) == 0


def test_an_owner_that_is_gone_leaves_nobody_waiting() -> None:
    """Those ask the one that owns the key by then, or hear that nobody can be asked."""
    caches = Caches("a", "b", "c")
    key = caches.key_of("b")
    caches.get("a", 1, key, lease=LEASE)
    second = caches.get("c", 1, key, lease=LEASE)
    caches.kill("b")
    assert caches.states("c", 1, second) == [WAIT, LOST]
    assert caches.set("a", 1, key, b"v") is False
    caches.place("a", "c")
    assert caches.set("a", 1, key, b"v") is True


def test_no_lease_is_held_for_ever() -> None:
    """Whatever its holder does."""
    caches = Caches("a", "b")
    for at in range(4):
        caches.get("a", 1, caches.key_of("b", skip=at), lease=LEASE)
    assert len(caches.nodes["b"].owner.fills) == 4
    caches.wait(MAX_LEASE / 10**9 + 1)
    assert [len(node.owner.fills) for node in caches.nodes.values()] == [0, 0]
    assert [len(node.lookups) + node.lookups.held for node in caches.nodes.values()] == [0, 0]


def test_apps_that_keep_copies_are_told_to_forget_them() -> None:
    """On all nodes, as long as a copy may be there; others hear nothing."""
    caches = Caches("a", "b")
    key = caches.key_of("b")
    caches.set("b", 1, key, b"1")
    caches.get("a", 1, key, near=1_000_000)
    caches.get("a", 2, key)
    caches.set("b", 1, key, b"2")
    assert caches.forgotten("a", 1) == [("users", [key])]
    caches.set("b", 1, key, b"3")  # nobody has asked since
    assert len(caches.forgotten("a", 1)) == 1
    caches.get("a", 1, key, near=1_000_000)
    caches.wait(1.1)
    caches.set("b", 1, key, b"4")  # all copies are too old
    assert len(caches.forgotten("a", 1)) == 1
    caches.say("b", 1, CacheClear(903, 0, "users"))
    assert caches.forgotten("a", 1)[-1] == ("users", [])
    assert caches.forgotten("a", 2) == []


def test_what_makes_no_sense_is_refused() -> None:
    """Too long keys, a lease for several, and what only nodes say."""
    node = Caches("a").nodes["a"]
    with pytest.raises(KeyTooLong):
        node.on_message(1, CacheGet(1, 0, "users", ["k" * 513]), 0)
    with pytest.raises(WireError, match="one key"):
        node.on_message(1, CacheGet(1, 0, "users", ["a", "b"], LEASE), 0)
    with pytest.raises(WireError, match="no place here"):
        node.on_message(1, CacheEntries(1, []), 0)
