"""Where rates are counted, and under which keys."""

import pytest

from sidegate.buckets.limits import parse_limits
from sidegate.compat.slowapi.counts.counts import (
    ProcessCounts,
    SidecarCounts,
    counts_at,
)
from sidegate.compat.slowapi.counts.rate_limiter import (
    MAX_REFUSED,
    STRATEGIES,
    RateLimiter,
    Storage,
)
from sidegate.compat.slowapi.rates import parse_many
from sidegate.protocol.messages import require_key
from tests.compat.slowapi.libraries import Clock
from tests.support.waiting import in_threads

(FIVE,) = parse_many("5/minute")


def storage() -> Storage:
    return Storage(ProcessCounts(), "LIMITER")


# --- where


@pytest.mark.parametrize("uri", ["memory://", "async+memory://", "sidegate+memory://"])
def test_in_this_process(uri: str) -> None:
    assert isinstance(counts_at(uri, {}, "10.0.0.1:7171"), ProcessCounts)


@pytest.mark.parametrize("sidecar", [None, "", "memory"])
def test_in_this_process_by_default(sidecar: str | None) -> None:
    assert isinstance(counts_at(None, {}, sidecar), ProcessCounts)


@pytest.mark.parametrize(
    ("uri", "sidecar"),
    [
        ("sidegate://127.0.0.1:1", None),
        ("sidegate://[::1]:1", None),
        ("sidegate+unix:///run/s", None),
        (None, "127.0.0.1:1"),
    ],
)
def test_by_a_sidecar(uri: str | None, sidecar: str | None) -> None:
    assert isinstance(counts_at(uri, {}, sidecar), SidecarCounts)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("redis://user:hidden@10.0.0.1:6379/0", "redis://"),
        ("rediss://:hidden@10.0.0.1", "rediss://"),
        ("memcached://10.0.0.1:11211", "memcached://"),
        ("sidegate://", "sidegate://"),
        ("sidegate+unix://run/s", "sidegate+unix://"),
        ("hidden", "''"),
    ],
)
def test_elsewhere_is_an_error_that_says_what_to_do_and_no_password(uri: str, shown: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected sidegate://HOST:PORT .* needs no Redis"
    ) as caught:
        counts_at(uri, {}, None)
    assert shown in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_options_are_those_of_a_client() -> None:
    with pytest.raises(TypeError, match="socket_timeout is no option of storage_options"):
        counts_at("sidegate://127.0.0.1:1", {"socket_timeout": 1}, None)
    with pytest.raises(ValueError, match=r"budget=-1"):
        counts_at("sidegate://127.0.0.1:1", {"budget": -1}, None)
    with pytest.raises(ValueError, match=r"sidecar='nowhere'"):
        counts_at("sidegate://nowhere", {}, None)


# --- keys


def test_keys_are_told_apart_whatever_is_in_them() -> None:
    """In slowapi these are pairs of one key, LIMITER/a//b//c."""
    keys = storage()
    parts = [("a", "/b//c"), ("a//b", "/c"), ("a:b", "c"), ("a", "b:c"), ("b:a", "c"), ("a", "c:b")]
    assert len({keys.key(pair) for pair in parts}) == len(parts)
    assert keys.key(["shop", "me", "/a"]) != keys.key(["me", "shop//a"])


@pytest.mark.parametrize("identity", ["x" * 10_000, "\ud800", "a\nb", "é" * 400])
@pytest.mark.parametrize("scope", ["/" + "x" * 10_000, "/\ud800", "/a\nb", "/é"])
def test_every_key_can_be_asked_about(identity: str, scope: str) -> None:
    require_key(storage().key([identity, scope]))


def test_a_key_says_what_is_counted_as_those_of_the_middleware() -> None:
    assert storage().key(["10.0.0.1", "/t1"]) == "LIMITER//t1:10.0.0.1"
    assert storage().key(["a/b", "me", "/t1"]) == "a%2Fb//t1:me"
    assert storage().key([7]) == "LIMITER/7:"


# --- counts


def test_checks_are_charged_all_or_none(clock: Clock) -> None:
    counts, limits = ProcessCounts(), parse_limits("2/minute window")
    checks = [("a", limits, 1), ("b", limits, 2), ("c", limits, 1)]
    assert [it and it.allowed for it in counts.check_all(checks)] == [True, True, True]
    assert [it and it.allowed for it in counts.check_all(checks)] == [True, False, None]
    assert (counts.peek("a"), counts.peek("c")) == ({"2/minute window": 1},) * 2
    clock.advance(60)
    assert counts.peek("a") == {}


def test_get_has_refused_hits_too_until_their_window_is_over(clock: Clock) -> None:
    here = storage()
    limit = FIVE.window
    for _ in range(5):
        assert RateLimiter(here, STRATEGIES[0]).hit(FIVE, "me", "/t1")
    here.refused(here.key(["me", "/t1"]), limit, 2, int(clock.now) + 60)
    assert here.get("LIMITER/me//t1/5/1/minute") == 7
    clock.advance(60)
    assert here.get("LIMITER/me//t1/5/1/minute") == 0


def test_refused_hits_are_counted_for_so_many_keys(clock: Clock) -> None:
    here = storage()
    for number in range(MAX_REFUSED + 10):
        here.refused(f"LIMITER//t1:{number}", FIVE.window, 1, int(clock.now) + 60)
    assert len(here._refused) <= MAX_REFUSED
    assert here.get(f"LIMITER/{MAX_REFUSED + 9}//t1/5/1/minute") == 1


@pytest.mark.parametrize(
    "key", ["", "LIMITER", "LIMITER/a", "a/b/c/5/1/minute", "LIMITER/a/b/x/1/minute"]
)
def test_get_names_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        storage().get(key)


def test_all_is_forgotten_at_a_reset() -> None:
    here = storage()
    rates = RateLimiter(here, STRATEGIES[0])
    rates.hit(FIVE, "me", "/t1", cost=5)
    here.reset()
    assert rates.test(FIVE, "me", "/t1", cost=5)
    assert here.check()


@pytest.mark.usefixtures("clock")
def test_what_slowapi_has_as_its_limiter() -> None:
    rates = RateLimiter(storage(), STRATEGIES[0])
    assert rates.get_window_stats(FIVE, "me", "/t1") == (1_800_000_060, 5)
    assert rates.hit(FIVE, "me", "/t1", cost=4)
    assert not rates.test(FIVE, "me", "/t1", cost=2)
    assert not rates.hit(FIVE, "me", "/t1", cost=2)
    assert not rates.hit(FIVE, "me", "/t1", cost=6)
    assert rates.get_window_stats(FIVE, "me", "/t1") == (1_800_000_060, 1)


def test_other_strategies_are_buckets(clock: Clock) -> None:
    rates = RateLimiter(storage(), "moving-window")
    assert [rates.hit(FIVE, "me") for _ in range(6)] == [True] * 5 + [False]
    clock.advance(12)
    assert [rates.hit(FIVE, "me") for _ in range(2)] == [True, False]


def test_threads_share_a_limit() -> None:
    rates = RateLimiter(storage(), "moving-window")
    assert sum(in_threads(16, lambda _: rates.hit(FIVE, "me", "/t1"))) == 5


def test_a_forked_process_waits_for_no_thread_of_its_parent() -> None:
    counts = ProcessCounts()
    counts._lock.acquire()  # as a thread does that the child doesn't have
    counts.begin_child()
    assert counts.peek("me") == {}
