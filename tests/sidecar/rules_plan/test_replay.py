"""LogReplay: what two files would have made of the same requests."""

from collections.abc import Iterable
from typing import Any

from sidegate.ruleset.ruleset import RuleSet, read_rules
from sidegate_sidecar.rules_plan.log_clock import LogClock
from sidegate_sidecar.rules_plan.replay import LogReplay
from tests.sidecar.rules_plan.logs import common, request_of

LOGIN = {"name": "login", "match": {"path": "/login"}, "limits": "5/minute"}
HOME = {"name": "home", "match": {"path": "/"}, "limits": "2/minute"}


def rules(*entries: dict[str, Any], **more: Any) -> RuleSet:
    return read_rules({"version": 1, "rules": list(entries), **more})


def replayed(old: RuleSet, new: RuleSet, lines: Iterable[str], memory: int = 1 << 20) -> LogReplay:
    replay = LogReplay(old, new, memory)
    for request, now in LogClock().timed(map(request_of, lines)):
        replay.take(request, now)
    return replay


def counts(replay: LogReplay, name: str) -> tuple[int, ...]:
    found = replay.counts()[name]
    return (
        found.requests,
        found.denied_by_old,
        found.denied_by_new,
        found.newly_denied,
        found.newly_allowed,
    )


def test_a_stricter_limit() -> None:
    """Of eight in a second 5 pass by the old one, and 3 by the new one."""
    new = rules({**LOGIN, "limits": "3/minute"}, HOME)
    lines = [common(0, "/login")] * 8 + [common(1, "/"), common(1, "/free")]
    replay = replayed(rules(LOGIN, HOME), new, lines)
    assert counts(replay, "login") == (8, 3, 5, 2, 0)
    assert counts(replay, "home") == (1, 0, 0, 0, 0)
    assert (replay.requests, replay.limited) == (10, 9)
    assert (replay.newly_denied, replay.newly_allowed) == (2, 0)
    assert replay.keys.ranked(10) == [("login:192.0.2.1", 2, 0)]


def test_time_refills() -> None:
    """A token each 12 s by the old one, each 20 s by the new one."""
    new = rules({**LOGIN, "limits": "3/minute"})
    lines = [common(at, "/login") for at in (0, 0, 0, 0, 0, 0, 12, 20, 24, 40)]
    assert counts(replayed(rules(LOGIN), new, lines), "login") == (10, 2, 5, 4, 1)


def test_a_looser_limit_and_rules_that_come_and_go() -> None:
    """What a rule that is gone denied is allowed; a new one denies on its own account."""
    gone = {"name": "gone", "match": {"path": "/a"}, "limits": "1/minute"}
    come = {"name": "come", "match": {"path": "/b"}, "limits": "0/minute"}
    lines = [common(0, path) for path in ("/a", "/a", "/b", "/login", "/login")]
    replay = replayed(
        rules({**LOGIN, "limits": "1/hour"}, gone),
        rules(come, {**LOGIN, "limits": "9/hour"}),
        lines,
    )
    assert counts(replay, "gone") == (2, 1, 0, 0, 1)
    assert counts(replay, "come") == (1, 0, 1, 1, 0)
    assert counts(replay, "login") == (2, 1, 0, 0, 1)
    assert (replay.newly_denied, replay.newly_allowed) == (1, 2)


def test_modes_are_as_in_force() -> None:
    """Shadow denies nobody and is counted; of a share only its keys are denied."""
    shadow = rules({**LOGIN, "limits": "1/hour", "mode": "shadow"})
    replay = replayed(rules(LOGIN), shadow, [common(0, "/login")] * 3)
    assert counts(replay, "login") == (3, 0, 0, 0, 0)
    assert replay.counts()["login"].shadowed_by_new == 2
    half = rules({**LOGIN, "limits": "1/hour", "mode": "50 %"})
    lines = [common(0, "/login", client=f"192.0.2.{at % 100}") for at in range(200)]
    replay = replayed(rules(LOGIN), half, lines)
    found = replay.counts()["login"]
    assert 30 < found.newly_denied < 70
    assert found.newly_denied + found.shadowed_by_new == 100


def test_a_request_that_two_rules_want_is_charged_by_both_or_none() -> None:
    """As a sidecar does: what one rule denies costs nothing under the other."""
    first = {"name": "first", "match": {"path": "/a/*"}, "limits": "2/hour"}
    second = {"name": "second", "match": {"path": "/b"}, "limits": "0/hour"}
    lines = [common(0, "/a/%2e%2e/b")] * 5 + [common(0, "/a/c")] * 3
    replay = replayed(rules(first), rules(first, second), lines)
    assert counts(replay, "second") == (5, 0, 5, 2, 0)
    assert counts(replay, "first") == (8, 6, 1, 0, 2)


def test_what_is_answered_400_is_left_out() -> None:
    """Here a rule that goes by the host, of a log that has none."""
    new = rules({**LOGIN, "match": {"path": "/login", "host": "a.example"}, "limits": "0/hour"})
    replay = replayed(rules(LOGIN), new, [common(0, "/login"), common(0, "/")])
    assert (replay.new.malformed, replay.old.malformed) == (1, 0)
    assert "expected one host" in replay.new.why_malformed
    assert (replay.newly_denied, counts(replay, "login")) == (0, (0, 0, 0, 0, 0))


def test_the_memory_is_bounded() -> None:
    """Of more keys than fit the oldest are forgotten, which is counted; full ones are no loss."""
    slow = rules({"name": "all", "limits": "1/year"})
    lines = [common(0, client=f"10.0.{at // 200}.{at % 200}") for at in range(3_000)]
    replay = replayed(slow, slow, lines, 64 << 10)
    assert replay.new.buckets.bytes <= 64 << 10
    assert sum(replay.new.buckets.evicted.values()) > 1_000
    quick = rules({"name": "all", "limits": "1/second"})
    lines = [common(at // 200, client=f"10.0.{at // 200}.{at % 200}") for at in range(6_000)]
    replay = replayed(quick, quick, lines)
    assert sum(replay.new.buckets.evicted.values()) == 0
    assert len(replay.new.buckets) < 3_000


def test_what_the_old_limiter_denied_is_counted() -> None:
    lines = [common(0, status=429), common(0, status=200)]
    assert replayed(rules(), rules(), lines).denied_before == 1
