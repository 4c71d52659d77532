"""Resets of all keys that begin with a text: a walk in slices, and as lasting as those of one."""

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.messages import Merged, Resets
from sidegate_sidecar.replication.corrections.prefix_walk import FILLED, LOOKED_AT, PrefixWalk
from sidegate_sidecar.replication.corrections.resets import (
    LASTS,
    MAX_PREFIXES,
    KeysOfResets,
    KnownReset,
    KnownResets,
)
from tests.support.in_memory.syncs import START, YEARLY, Syncs, key_of, ring_of

NUMBER = 7
RESET = KnownReset("login:", START + LASTS, begins=True)


def meet(nodes: Syncs, *names: str) -> None:
    """Have nodes know that they are linked."""
    for name in names:
        for other in names:
            if name != other:
                nodes[name].resets.on_connected(other)


def reset_all(nodes: Syncs, name: str, prefix: str, number: int = NUMBER) -> None:
    """Have a node begin to reset all keys that begin so."""
    nodes.post(name, nodes[name].reset_all(prefix, number, nodes.now))
    nodes.deliver()


def key_like(prefix: str, ring: str, *order: str) -> str:
    """Return a key that begins so, asked of these nodes in this order."""
    keys = (f"{prefix}{at}" for at in range(10_000))
    return next(key for key in keys if ring_of(ring).owners(key, len(order)) == order)


# --- the walk


def test_a_walk_makes_full_what_begins_so_under_all_limits_and_nothing_else() -> None:
    table = BucketTable()
    limits = parse_limits("10/hour; 100/day")
    for at in range(100):
        table.take(f"login:{at}", limits, 1, START)
        table.take(f"logins:{at}", limits, 1, START)
    walk = PrefixWalk(NUMBER, "login:", table, lambda key: key.endswith("7"))
    while walk.slice(START):
        pass
    owing = {key for part in table.export(START) for key, _, _ in part}
    assert owing == {f"logins:{at}" for at in range(100)}
    assert walk.forgotten == 20  # of 10 keys, two limits each
    assert walk.lasts == 2 * 86_400 * 10**9


def test_a_slice_is_short_whether_much_or_little_is_found() -> None:
    table = BucketTable()
    limits = parse_limits(YEARLY)
    for at in range(3 * LOOKED_AT):
        table.take(f"{'login' if at % 2 else 'other'}:{at}", limits, 1, START)
    walk = PrefixWalk(NUMBER, "login:", table, lambda _key: True)
    slices, before = 0, 0
    while walk.slice(START):
        slices += 1
        assert walk.forgotten - before <= FILLED
        before = walk.forgotten
    assert walk.forgotten == 3 * LOOKED_AT // 2
    assert slices >= walk.forgotten // FILLED


def test_the_keys_of_resets_are_known_by_what_they_begin_with() -> None:
    keys = KeysOfResets([RESET, KnownReset("api:1", START)])
    assert [key in keys for key in ("login:1", "login:", "api:1", "api:11", "login")] == [
        *(True, True, True, False, False)
    ]
    assert not KeysOfResets()
    assert "k" not in KeysOfResets()


# --- who is told when


def test_nobody_is_told_before_the_walk_is_over_and_all_are_deaf_until_then() -> None:
    resets = KnownResets()
    resets.on_connected("b")
    resets.add(NUMBER, RESET, "b")
    resets.on_connected("c")
    assert {*resets.hearers} == {"b", "c"}
    assert not resets.unheard("b")
    assert "login:1" in resets.unheard("c")
    assert not resets.is_due("c")
    assert not resets.left(START, begins=True)
    resets.walked(NUMBER, 0)
    assert [*resets.hearers] == ["c"]
    told = resets.take("c", 5, START)
    assert told == Resets(5, [], [(NUMBER, "login:", LASTS)])
    resets.landed("c", 5)
    assert not resets.unheard("c")
    assert resets.left(START, begins=True) == [(NUMBER, "login:", LASTS)]


def test_single_keys_are_told_meanwhile() -> None:
    resets = KnownResets()
    resets.on_connected("b")
    resets.add(NUMBER, RESET)
    resets.add(8, KnownReset("k", START + LASTS))
    assert resets.take("b", 5, START) == Resets(5, [(8, "k", LASTS)])


def test_only_so_many_are_remembered() -> None:
    resets = KnownResets()
    for number in range(MAX_PREFIXES + 1):
        resets.add(number, RESET)
    assert len(resets) == MAX_PREFIXES
    assert 0 not in resets


def test_one_that_is_remembered_for_longer_is_told_again() -> None:
    resets = KnownResets()
    for name in "bc":
        resets.on_connected(name)
    resets.add(NUMBER, RESET, "b")
    resets.walked(NUMBER, 0)
    resets.take("c", 5, START)
    resets.landed("c", 5)
    resets.prolong(NUMBER, RESET.until + 1)
    assert not resets.is_due("b")
    resets.prolong(NUMBER, RESET.until + LASTS, "c")
    assert resets.is_due("b")
    assert not resets.is_due("c")
    assert resets.left(START, begins=True) == [(NUMBER, "login:", 2 * LASTS)]


# --- among nodes


def test_all_copies_are_made_full_and_each_owner_counts_its_own() -> None:
    nodes = Syncs("abc")
    meet(nodes, *"abc")
    keys = [f"login:{at}" for at in range(60)]
    nodes.charge_all([*keys, "other"], "abc")
    nodes.settle()
    reset_all(nodes, "a", "login:")
    nodes.settle()
    assert not any(nodes.tokens(name, key) for name in "abc" for key in keys)
    assert len(nodes.holders("other")) == 2
    counts = {name: nodes[name].forgotten(NUMBER) for name in "abc"}
    owned = {name: sum(ring_of("abc").owner(key) == name for key in keys) for name in "abc"}
    assert counts["a"] == owned["a"]
    assert all(counts[name] == owned[name] for name in "bc")


def test_a_copy_from_before_a_reset_of_many_brings_nothing_back() -> None:
    """A node that was cut off says what it has before it has heard of the reset: it is ignored."""
    nodes = Syncs("abc")
    key = key_like("login:", "abc", "a", "b")
    nodes.charge("a", key, cost=5)
    nodes.settle()
    meet(nodes, "a", "c")
    nodes.cut = {frozenset("ab"), frozenset("bc")}
    reset_all(nodes, "a", "login:")
    nodes.tick(1)
    nodes.charge("b", key, cost=1)  # its bucket is to be sent to the owner
    nodes.cut.clear()
    nodes.tick(100, by="b")
    assert nodes.tokens("a", key) == 0
    meet(nodes, "a", "b", "c")
    nodes.settle()
    assert [nodes.tokens(name, key) for name in "abc"] == [0, 0, 0]
    nodes.charge("a", key, cost=2)
    nodes.settle()
    assert nodes.tokens("b", key) == 2


def test_what_is_charged_while_others_still_walk_is_kept() -> None:
    """They are sent it once they are done, so that their walk can't take it for older."""
    nodes = Syncs("ab")
    meet(nodes, *"ab")
    key = key_like("login:", "ab", "a", "b")
    nodes.charge("a", key, cost=5)
    nodes.settle()
    reset_all(nodes, "a", "login:")
    nodes.tick(1, by="a")
    nodes.tick(1, by="a")  # it is done, and has told b, which has not begun
    nodes.charge("a", key, cost=1)
    nodes.tick(100, by="a")
    assert nodes.tokens("b", key) == 5
    nodes.settle()
    assert [nodes.tokens(name, key) for name in "ab"] == [1, 1]


def test_who_is_told_says_that_it_knows_when_its_walk_is_over() -> None:
    nodes = Syncs("ab")
    [(_, early)] = [*nodes["b"].step("a", Resets(1, [], []), nodes.now)]
    assert early == Merged(1)
    assert nodes["b"].step("a", Resets(2, [], [(NUMBER, "login:", LASTS)]), nodes.now) == []
    told = [message for _ in range(3) for _, message in nodes["b"].tick(nodes.now)]
    assert told == [Merged(2)]
    assert Merged(3) in [
        it for _, it in nodes["b"].step("a", Resets(3, [], [(NUMBER, "l", LASTS)]), nodes.now)
    ]


def test_no_answer_waits_for_a_node_that_was_lost() -> None:
    nodes = Syncs("ab")
    nodes["b"].step("a", Resets(2, [], [(NUMBER, "login:", LASTS)]), nodes.now)
    nodes["b"].unreachable("a", nodes.now)
    assert not [it for _ in range(3) for it in nodes["b"].tick(nodes.now)]


def test_a_newcomer_brings_nothing_back() -> None:
    """It asks for what it will own while the others still walk, or haven't heard."""
    nodes = Syncs("ab")
    meet(nodes, *"ab")
    keys = [f"login:{at}" for at in range(200)]
    nodes.charge_all(keys, "ab", cost=3)
    nodes.settle()
    nodes.add("c")
    nodes.ring_is("ab", seen_by="c")
    meet(nodes, *"abc")
    reset_all(nodes, "a", "login:")
    nodes.pull("c", "ab")
    nodes.deliver()
    nodes.settle()
    nodes.ring_is("abc")
    nodes.settle()
    assert not any(nodes.tokens(name, key) for name in "abc" for key in keys)


def test_it_is_remembered_while_a_copy_that_it_made_full_may_be_in_debt() -> None:
    """By all nodes, as soon as one of them has found such a bucket; else for ten minutes."""
    nodes = Syncs("abc")
    meet(nodes, *"abc")
    nodes.charge("b", "slow:1", YEARLY)
    reset_all(nodes, "a", "slow:", 1)
    reset_all(nodes, "a", "none:", 2)
    nodes.settle()
    for name in "abc":
        left = {key: left for _, key, left in nodes[name].resets.left(nodes.now, begins=True)}
        assert left["none:"] <= LASTS
        assert left["slow:"] > 360 * 86_400 * 10**9


def test_walks_that_wait_are_no_more_than_are_remembered() -> None:
    """The oldest are given up: nobody is told how many buckets they made full."""
    nodes = Syncs("a")
    for number in range(MAX_PREFIXES + 1):
        nodes["a"].reset_all("login:", number, nodes.now)
    nodes.settle()
    assert nodes["a"].forgotten(0) is None
    assert nodes["a"].forgotten(1) == 0


def test_a_key_found_by_its_place_is_that_of_its_owner() -> None:
    nodes = Syncs("ab")
    key = key_of("ab", "b")
    nodes.charge("b", key)
    nodes.charge("a", key)
    for name in "ab":
        nodes.post(name, nodes[name].reset_all(key, NUMBER, nodes.now))
    nodes.settle()
    assert (nodes["a"].forgotten(NUMBER), nodes["b"].forgotten(NUMBER)) == (0, 1)
