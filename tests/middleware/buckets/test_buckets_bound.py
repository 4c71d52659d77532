"""The bound of Buckets: what they take is counted to the byte, and who holds most pays."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.msgpack import encode

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limit, Limits, parse_limits
from sidegate.buckets.store import MIN_MEMORY
from sidegate.buckets.tables.footprint import bytes_of
from sidegate.buckets.tables.ledger import Ledger, PayerKind
from tests.middleware.buckets.contents import (
    BOTH,
    LATE,
    ONE,
    SECOND,
    START,
    counted_anew,
    drain,
    entries,
    exported,
    ledgers,
)

SMALL = 256 << 10  # bytes: some 900 buckets


Owed = dict[tuple[str, str], int]


def owed(buckets: BucketTable, now: int, *starts: str) -> Owed:
    """Return what the keys that begin so owe, by key and limit."""
    rows = exported(buckets, now)
    return {(key, limit.text): debt for key, limit, debt in rows if key.startswith(starts)}


def flood(buckets: BucketTable, text: str, start: str, count: int, cost: int = 1) -> None:
    """Take once from each of so many made-up keys."""
    limits = parse_limits(text)
    for at in range(count):
        assert buckets.take(f"{start}{at}", limits, cost, START)[0] is True


def honest(buckets: BucketTable) -> Owed:
    """Have 150 debtors of three rules, a little and much in debt."""
    for at in range(50):
        buckets.take(f"login:203.0.113.{at}", parse_limits("5/minute"), 1 + at % 5, START)
        buckets.take(f"search:user{at}", parse_limits("100/second; 10000/hour"), 1, START)
        buckets.take(f"shop/api:key{at}", parse_limits("10/hour"), 1 + at % 10, START)
    return owed(buckets, START, "login:", "search:", "shop/api:")


def test_at_the_bound_new_buckets_take_the_place_of_others() -> None:
    buckets = BucketTable(SMALL)
    for at in range(2_000):
        assert buckets.take(f"key{at}", BOTH, 1, START)[0] is True
        assert buckets.bytes <= SMALL
    assert len(entries(buckets)) == len(buckets) > 800
    assert buckets.evicted == {"rule": 0, "keys": 4_000 - len(buckets), "rest": 0}


def test_the_smallest_bound_holds() -> None:
    """It forgets, but it answers: also with the longest keys, and eight limits in a check."""
    buckets = BucketTable(MIN_MEMORY)
    limits = parse_limits("1/s; 2/m; 3/h; 4/d; 5/w; 6/month; 7/year; 8/2 years")
    for at in range(40):
        key = ("🂡" * 127 + str(at % 3), "k" * 512, str(at))[at % 3]
        assert buckets.take(key, limits, 1, START + at * SECOND)[0] in {True, False}
        assert buckets.bytes <= MIN_MEMORY
        assert len(entries(buckets)) == len(buckets) > 0


def test_a_bound_too_small_for_a_bucket_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^max_memory 16383: expected at least 16384 bytes$"):
        BucketTable(MIN_MEMORY - 1)


def test_long_keys_are_counted_with_their_length() -> None:
    """Of the longest keys fewer fit: the bound is bytes, not keys."""
    short, long, wide = BucketTable(SMALL), BucketTable(SMALL), BucketTable(SMALL)
    flood(short, "10/hour", "api:", 2_000)
    flood(long, "10/hour", "api:" + "k" * 496, 2_000)
    flood(wide, "10/hour", "api:" + "🂡" * 124, 2_000)
    assert len(short) > 2 * len(long) > 3 * len(wide) > 300
    assert max(short.bytes, long.bytes, wide.bytes) <= SMALL


def test_full_buckets_go_first_and_are_not_counted_as_evicted() -> None:
    buckets = BucketTable(SMALL)
    flood(buckets, "5/second", "early", 800)
    held = len(buckets)
    for at in range(600):
        buckets.take(f"late{at}", ONE, 1, LATE)
    assert len(owed(buckets, LATE, "late")) == 600
    assert held == 800
    assert not any(buckets.evicted.values())


def test_buckets_from_other_nodes_are_bounded_as_well() -> None:
    """A backup fills as its owner does, and gives up the same ones."""
    buckets = BucketTable(SMALL)
    before = honest(buckets)
    limit = parse_limits("10/hour").items[0]
    for at in range(30):
        keys = [f"api:made-up-{at}-{number}" for number in range(200)]
        buckets.merge_all(limit, keys, [360 * SECOND] * 200, START)
        assert buckets.bytes <= SMALL
    assert owed(buckets, START, "login:", "search:", "shop/api:") == before


# who pays


@pytest.mark.parametrize("text", ["10/hour", "1/week", "5/minute", "100/second", "10/year"])
def test_made_up_keys_of_one_rule_free_nobody_of_another(text: str) -> None:
    """Whatever their limit is: by time until full, a slow one would push out all of a fast one."""
    buckets = BucketTable(SMALL)
    before = honest(buckets)
    flood(buckets, text, "api:x-api-key=made-up-", 20_000)
    assert owed(buckets, START, "login:", "search:", "shop/api:") == before
    assert buckets.take("login:203.0.113.4", parse_limits("5/minute"), 1, START)[0] is False
    assert buckets.evicted[PayerKind.RULE] > 19_000


def test_a_rule_with_the_same_limit_and_another_service_is_another_rule() -> None:
    """They share a table, and nothing else."""
    buckets = BucketTable(SMALL)
    before = honest(buckets)
    flood(buckets, "10/hour", "blog/api:made-up-", 5_000)
    flood(buckets, "10/hour", "api:made-up-", 5_000)
    flood(buckets, "10/hour", "made-up-", 5_000)  # and keys that name no rule
    assert owed(buckets, START, "login:", "search:", "shop/api:") == before
    assert buckets.evicted[PayerKind.RULE] > 0 < buckets.evicted[PayerKind.KEYS]


def test_in_the_rule_itself_those_who_owe_the_larger_share_stay() -> None:
    """His 10 of 10 stays, with 1 of 10 on each made-up key."""
    buckets = BucketTable(SMALL)
    limits = parse_limits("10/hour")
    for at in range(100):
        buckets.take(f"api:spent{at}", limits, 1, START)
        buckets.take(f"api:spent{at}", limits, 9, START)  # its entry is that of the first take
    before = owed(buckets, START, "api:spent")
    flood(buckets, "10/hour", "api:made-up-", 20_000)
    assert owed(buckets, START, "api:spent") == before


def test_of_equal_shares_the_oldest_goes_first() -> None:
    """So to be forgotten takes as many keys as fit, not one after each request."""
    buckets = BucketTable(SMALL)
    flood(buckets, "10/hour", "api:made-up-", 2_000)
    fit = len(buckets)
    buckets.take("api:his", parse_limits("10/hour"), 1, START)
    flood(buckets, "10/hour", "api:more-", fit * 9 // 10)
    assert owed(buckets, START, "api:his")
    flood(buckets, "10/hour", "api:last-", fit // 5)
    assert not owed(buckets, START, "api:his")


def test_who_takes_less_than_his_part_loses_nothing_to_any_number_of_others() -> None:
    """Here 50 rules that are all flooded at once, and four that hold less than 1/60."""
    buckets = BucketTable(2 << 20)
    before = honest(buckets)
    for at in range(1_000):
        for rule in range(50):
            text = ("10/hour", "100/day", "7/minute")[rule % 3]
            buckets.take(f"rule{rule}:{at}", parse_limits(text), 1, START)
    assert owed(buckets, START, "login:", "search:", "shop/api:") == before
    sizes = Counter(key.partition(":")[0] for key, _, _ in exported(buckets, START))
    flooded = [count for rule, count in sizes.items() if rule.startswith("rule")]
    assert len(flooded) == 50
    assert max(flooded) < 1.2 * min(flooded)


def test_rules_with_made_up_names_pay_together() -> None:
    """Else each such name beyond the first 1,024 would be a payer that holds next to nothing."""
    buckets = BucketTable(8 << 20)
    before = honest(buckets)
    limits = parse_limits("10/hour")
    for at in range(60_000):
        buckets.take(f"name{at}:key", limits, 1, START)
    assert owed(buckets, START, "login:", "search:", "shop/api:") == before
    assert buckets.evicted[PayerKind.REST] > 30_000
    assert len(ledgers(buckets)) <= 1_025


def test_limits_made_up_by_the_thousand_pay_together() -> None:
    """They are charged with their tables, which take more than their buckets."""
    buckets = BucketTable(8 << 20)
    before = honest(buckets)
    for tokens in range(1, 9_000):
        limits = Limits([Limit(tokens, 3_600)])
        assert buckets.take("api:key", limits, tokens, START)[0] is True
        assert buckets.bytes <= 8 << 20
    assert owed(buckets, START, "login:", "search:", "shop/api:") == before
    assert buckets.evicted[PayerKind.REST] > 5_000
    assert buckets.bytes == counted_anew(buckets)
    drain(buckets, LATE)
    assert (buckets.bytes, buckets._tables) == (0, {})


def test_of_the_rest_those_who_owe_a_large_share_stay() -> None:
    """Beyond 1,024 rules nothing tells one who made up his limit from who didn't, but the share."""
    buckets = BucketTable(8 << 20)
    for at in range(1_024):
        buckets.take(f"rule{at}:key", parse_limits("1/year"), 1, START)
    late = parse_limits("5/minute")
    for at in range(50):
        buckets.take(f"late:{at}", late, 5, START)
    for at in range(40_000):
        buckets.take(f"name{at}:key", parse_limits(f"{10 + at % 50}/day"), 1, START)
    assert buckets.evicted[PayerKind.REST] > 10_000
    assert len(owed(buckets, START, "late:")) == 50


def test_rules_whose_buckets_are_all_gone_are_nobody_any_more() -> None:
    """With a bound at which payers are told apart by much more than one of them took."""
    buckets = BucketTable(64 << 20)
    for turn in range(3):
        flood(buckets, "10/hour", f"rule{turn}:", 10)
        drain(buckets, LATE)
        assert buckets.largest() == ("", 0)
        assert not buckets._accounts.shares._levels


def test_a_bucket_taken_from_since_is_known_by_its_present_debt() -> None:
    """The entry from when it was nearly full doesn't make it the first to go."""
    buckets, limits = BucketTable(SMALL), parse_limits("1000/hour")
    flood(buckets, "1000/hour", "light", 400, 2)
    flood(buckets, "1000/hour", "heavy", 400, 1)
    flood(buckets, "1000/hour", "heavy", 400, 900)
    for at in range(700):
        buckets.take(f"new{at}", limits, 500, START)
    assert len(owed(buckets, START, "heavy")) == 400
    assert not owed(buckets, START, "light")


def test_to_make_room_few_buckets_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all entries out of date, each new key moves 64 of them on, and none waits for all.

    None goes that owes more than one that stays: what is not found yet may take a little room.
    """
    buckets, limits = BucketTable(1 << 20), parse_limits("1000/hour")
    flood(buckets, "1000/hour", "spent", 3_000, 1)
    flood(buckets, "1000/hour", "spent", 3_000, 900)
    flood(buckets, "1000/hour", "light", 1_200, 2)
    looks = Counter[int]()
    full_at = BucketTable._full_at

    def counted(table: object, key: str, now: int) -> int:
        looks[0] += 1
        return full_at(table, key, now)  # type: ignore[arg-type]  # a table

    monkeypatch.setattr(BucketTable, "_full_at", staticmethod(counted))
    for at in range(2_000):
        before = looks[0]
        buckets.take(f"light-too{at}", limits, 3, START)
        assert looks[0] - before <= 64 + 20
        assert buckets.bytes <= 1 << 20
    assert len(owed(buckets, START, "spent")) == 3_000


# for any history


class WatchedBuckets(BucketTable):
    """Buckets that look at each of their evictions."""

    def __init__(self, max_memory: int) -> None:
        super().__init__(max_memory)
        self.was_reset = set[str]()  # then an entry is later than its bucket is full

    def reset(self, key: str) -> int:
        self.was_reset.add(key)
        return super().reset(key)

    def _evict(self, now: int, *, at_once: bool) -> None:
        shift = self._accounts.shares.shift
        held = Counter({it.payer: it.payer.bytes >> shift for it in ledgers(self)})
        payer = self._accounts.payer(now)
        assert held[payer.payer] == max(held.values())
        before = self._owing(payer, now)
        super()._evict(now, at_once=at_once)
        after = self._owing(payer, now)
        gone = before.keys() - after.keys()
        assert len(gone) <= 1
        part = payer.table.capacity // payer.table.scale // 64
        for key in gone if not at_once else ():
            least = min((after[it] for it in after.keys() - self.was_reset), default=before[key])
            assert before[key] <= least + max(least // 16, part) + 1

    @staticmethod
    def _owing(ledger: Ledger, now: int) -> dict[str, int]:
        keys = [
            key
            for slot in ledger.due._slots.values()
            for part in (slot.head, *slot.sealed, slot.open)
            for key in part
        ]
        full_at = {key: BucketTable._full_at(ledger.table, key, START) for key in keys}
        return {key: at - now for key, at in full_at.items() if at > now}


steps = st.lists(
    st.tuples(
        st.sampled_from(["", "a:", "b:", "shop/a:", "🂡:"]),
        st.integers(0, 40),
        st.sampled_from(["10/hour", "5/second", "7/minute burst 3", "1/week", "10/hour; 5/second"]),
        st.integers(1, 5),
        st.integers(0, 2),
        st.sampled_from(["take", "take", "take", "merge", "reset", "sweep"]),
    ),
    max_size=120,
)


@given(steps, st.sampled_from([MIN_MEMORY, 24 << 10, 40 << 10]))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_bytes_are_exact_and_only_the_largest_pays(
    history: list[tuple[str, int, str, int, int, str]], bound: int
) -> None:
    buckets, now = WatchedBuckets(bound), START
    for rule, number, text, cost, pause, what in history:
        now += pause * SECOND
        limits = parse_limits(text)
        key = rule + str(number) * (1 + number % 7 * 8)
        match what:
            case "take":
                buckets.take(key, limits, min(cost, limits.smallest_burst), now)
            case "merge":
                buckets.merge_all(limits.items[0], [key, rule], [cost * SECOND] * 2, now)
            case "reset":
                buckets.reset(key)
            case _:
                buckets.sweep(now, 5)
        assert buckets.bytes == counted_anew(buckets) <= bound
        assert len(entries(buckets)) == len(buckets)
    drain(buckets, LATE)
    assert (buckets.bytes, len(buckets), ledgers(buckets)) == (0, 0, [])


def test_a_key_is_counted_by_what_it_is_and_not_by_what_it_became() -> None:
    """Once encoded, a str that isn't ASCII takes more; what was added is what is taken off."""
    key = "🂡" * 40
    before = bytes_of(key)
    encode(key)
    assert bytes_of(key) == before
