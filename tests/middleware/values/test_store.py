"""The store: within its bound whatever happens, fair among namespaces, nothing after its time."""

import tracemalloc

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sidegate.values.sieve import MAX_STEPS, OVERHEAD, Sieve, Value
from sidegate.values.store import MAX_NAMESPACES, ValueStore

FOREVER = 1 << 62
NAMES = st.sampled_from(["users", "posts", "größen"])
KEYS = st.sampled_from([f"k{at}" for at in range(12)])


def put(store: ValueStore, name: str, key: str, size: int = 0, until: int = FOREVER) -> bool:
    """Keep a value of so many bytes."""
    return store.set(name, key, Value(key, b"x" * size, until, until), 0)


def test_what_was_not_used_goes_first() -> None:
    """The hand passes over what was used, once, and begins anew at the oldest."""
    sieve = Sieve()
    for key in "abcd":
        sieve.add(key, Value(key, b"", FOREVER, FOREVER))
    for key in "ab":
        entry = sieve.get(key)
        assert entry
        entry.used = True
    assert sieve.evict(0)[0] == "c"
    sieve.add("e", Value("e", b"", FOREVER, FOREVER))
    assert [sieve.evict(0)[0] for _ in range(4)] == ["d", "e", "a", "b"]
    assert (len(sieve), sieve.bytes) == (0, 0)


def test_the_hand_goes_so_far_and_no_farther() -> None:
    """Where all are used, one of them goes in bounded time."""
    sieve = Sieve()
    for at in range(1_000):
        sieve.add(str(at), Value(str(at), b"", FOREVER, FOREVER))
        found = sieve.get(str(at))
        assert found
        found.used = True
    assert sieve.evict(0)[0] == str(MAX_STEPS)


def test_what_is_over_goes_though_it_was_used() -> None:
    """Nobody will be given it."""
    sieve = Sieve()
    for key, until in (("a", FOREVER), ("b", 5)):
        entry = Value(key, b"", until, until)
        entry.used = True
        sieve.add(key, entry)
    assert sieve.evict(10)[0] == "b"


def test_the_largest_namespace_gives_up_first() -> None:
    """A flood in one leaves another alone, which is within its fair share."""
    store = ValueStore(1 << 20)
    for at in range(100):
        assert put(store, "small", f"s{at}")
    for at in range(20_000):
        put(store, "flood", f"f{at}")
    assert all(store.get("small", f"s{at}", 0) for at in range(100))
    assert store.bytes <= store.max_bytes
    assert store.evicted == 20_100 - len(store)


def test_a_value_is_stale_and_then_it_is_gone() -> None:
    """It is forgotten when it is asked for after its time."""
    store = ValueStore(1 << 20)
    store.set("n", "k", Value("k", b"v", 10, 20), 0)
    assert store.get("n", "k", 19)
    assert store.get("n", "k", 20) is None
    assert (store.bytes, len(store), store.namespaces) == (0, 0, {})


def test_what_can_not_be_kept_is_not() -> None:
    """Half of the bound is too much for one value; the former one is gone all the same."""
    store = ValueStore(10_000)
    assert put(store, "n", "k", 100)
    assert not put(store, "n", "k", 5_000)
    assert store.get("n", "k", 0) is None
    assert not put(store, "n", "k", 1, until=0)
    for at in range(MAX_NAMESPACES):
        assert store.set(f"n{at}", "k", Value("k", b"", 1, 1), 0) is (at < MAX_NAMESPACES)
        store.max_bytes += 1_000
    assert not put(store, "one more", "k")


def test_a_handover_begins_with_what_is_in_use() -> None:
    """Then come the others, the newest first."""
    store = ValueStore(1 << 20)
    for key in "abcd":
        put(store, "n", key)
    store.get("n", "b", 0)
    assert list(filter(None, store.by_use())) == [("n", key) for key in "bdca"]


def test_a_value_takes_no_more_than_what_is_counted() -> None:
    """OVERHEAD has room for what Python needs."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        store = ValueStore(1 << 30)
        for at in range(20_000):
            put(store, "n", f"key of some length {at}", 100)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.6 * store.bytes < after - before <= store.bytes
    assert store.bytes > 20_000 * OVERHEAD


class StoreMachine(RuleBasedStateMachine):
    """Against a dict that forgets nothing: what is given is the last that was set, in its time."""

    def __init__(self) -> None:
        super().__init__()
        self.store = ValueStore(6 * (OVERHEAD + 200))
        self.now = 0
        self.last: dict[tuple[str, str], Value] = {}

    @rule(name=NAMES, key=KEYS, size=st.integers(0, 700), fresh=st.integers(0, 9), more=st.just(3))
    def set(self, name: str, key: str, size: int, fresh: int, more: int) -> None:
        """Keep one."""
        until = self.now + fresh
        entry = Value(key, b"x" * size, until, until + more)
        self.last.pop((name, key), None)
        if self.store.set(name, key, entry, self.now):
            self.last[name, key] = entry

    @rule(name=NAMES, key=KEYS)
    def get(self, name: str, key: str) -> None:
        """Ask for one."""
        found = self.store.get(name, key, self.now)
        assert found is None or found is self.last[name, key]
        assert found is None or self.now < found.stale_until

    @rule(name=NAMES, key=KEYS)
    def delete(self, name: str, key: str) -> None:
        """Forget one."""
        self.store.delete(name, key)
        self.last.pop((name, key), None)

    @precondition(lambda self: self.store.bytes > 0)
    @rule(name=NAMES)
    def clear(self, name: str) -> None:
        """Forget a namespace."""
        count = self.store.clear(name)
        kept = [it for it in self.last if it[0] == name]
        assert count <= len(kept)
        for it in kept:
            del self.last[it]

    @rule()
    def time_goes_by(self) -> None:
        """Move on."""
        self.now += 1

    @invariant()
    def within_the_bound(self) -> None:
        """The bytes are those of the entries, and never too many."""
        sieves = self.store.namespaces.values()
        held = sum(it.size for name in self.store.namespaces for it in self._entries(name))
        assert self.store.bytes == sum(it.bytes for it in sieves) == held <= self.store.max_bytes

    def _entries(self, name: str) -> list[Value]:
        sieve = self.store.namespaces[name]
        return [entry for key in sieve.by_use() if key and (entry := sieve.get(key))]


StoreMachine.TestCase.settings = settings(max_examples=150, deadline=None)
TestStoreMachine = StoreMachine.TestCase
