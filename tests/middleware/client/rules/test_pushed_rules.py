"""Pushed rules: taken over whole, or those from before stay; the log says which, once."""

import logging
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate.client.rules.pushed_rules import PushedRules
from sidegate.client.rules.rules_copy import RulesCopy
from sidegate.protocol.standing_messages import RulesPush
from sidegate.ruleset.document import MAX_ENCODED
from sidegate.ruleset.ruleset import read_rules
from tests.support.in_process.rules import push_of, rules_of
from tests.support.waiting import in_threads

FIVE, TEN = rules_of("5/minute"), rules_of("10/minute")
Log = pytest.LogCaptureFixture


@dataclass
class Heard:
    """What is told of policies."""

    policies: list[OnUnreachable | None] = field(default_factory=list[OnUnreachable | None])


def take(pushed: PushedRules, *pushes: RulesPush) -> None:
    for push in pushes:
        if pushed.arrive(push):
            pushed.take()


def lines(log: Log) -> list[str]:
    return [it.getMessage() for it in log.records if it.levelno >= logging.WARNING]


def test_a_push_is_in_force_and_who_has_read_the_one_before_keeps_it() -> None:
    pushed = PushedRules()
    take(pushed, push_of(FIVE))
    before = pushed.value
    take(pushed, push_of(TEN))
    assert before == FIVE
    assert (pushed.value, pushed.digest) == (TEN, TEN.digest)


def test_who_has_them_keeps_the_very_same() -> None:
    pushed = PushedRules()
    take(pushed, push_of(FIVE))
    before = pushed.value
    take(pushed, RulesPush(FIVE.digest), push_of(FIVE))
    assert pushed.value is before


def test_no_rules_are_said_once_and_end_those_from_before(caplog: Log) -> None:
    pushed = PushedRules()
    take(pushed, push_of(FIVE), RulesPush(""), RulesPush(""))
    assert (pushed.value, pushed.digest) == (None, "")
    (line,) = lines(caplog)
    assert line.startswith("sidegate: the sidecar has no rules (it was started without --rules)")
    assert line.endswith(": what default= says applies")


def changed(encoded: bytes) -> RulesPush:
    return RulesPush(FIVE.digest, encoded)


def of(document: object) -> RulesPush:
    encoded = msgspec.msgpack.encode(document)
    return RulesPush(sha256(encoded).hexdigest(), encoded)


@pytest.mark.parametrize(
    ("push", "why"),
    [
        (RulesPush("0" * 64, TEN.encoded), "they are damaged"),
        (changed(FIVE.encoded[:-1]), "they are damaged"),
        (changed(b"x" * (MAX_ENCODED + 1)), "they are damaged"),
        (of({"version": 1, "rules": [], "later": 1}), "no such field here"),
        (of({"version": 2, "rules": []}), "version: 2: expected 1"),
        (of([1, 2]), "expected a mapping"),
    ],
)
def test_what_cannot_be_used_changes_nothing_and_is_said_once(
    push: RulesPush, why: str, caplog: Log
) -> None:
    pushed = PushedRules()
    take(pushed, push_of(TEN), push, push)
    assert (pushed.value, pushed.digest) == (TEN, TEN.digest)
    (line,) = lines(caplog)
    assert line.startswith("sidegate: rules of the sidecar can't be used: ")
    assert why in line
    assert line.endswith("; those from before stay in force")


def test_what_is_no_messagepack_or_too_deep_is_an_error_and_nothing_raises() -> None:
    pushed = PushedRules()
    for encoded in (b"\xc1", b"\x91" * 100_000, b""):
        take(pushed, RulesPush(sha256(encoded).hexdigest(), encoded))
    assert pushed.value is None


def test_only_one_takes_over_at_a_time_and_it_takes_what_came_last() -> None:
    pushed = PushedRules()
    assert pushed.arrive(push_of(FIVE))
    assert not pushed.arrive(RulesPush(""))
    assert not pushed.arrive(push_of(TEN))
    pushed.take()
    assert pushed.value == TEN
    assert pushed.arrive(push_of(FIVE))


def test_many_threads_leave_one_of_what_they_were_told() -> None:
    pushed = PushedRules()
    sets = [rules_of(f"{at + 1}/minute") for at in range(8)]
    in_threads(8, lambda at: take(pushed, *[push_of(sets[at])] * 20))
    take(pushed, push_of(TEN))
    assert pushed.value == TEN
    assert threading.active_count() < 50


def test_a_child_takes_over_what_comes_though_its_parent_was_about_to() -> None:
    pushed = PushedRules()
    assert pushed.arrive(push_of(FIVE))
    pushed._lock.acquire()
    pushed.begin_child()
    take(pushed, push_of(TEN))
    assert pushed.value == TEN


def test_what_rules_say_of_unreachable_sidecars_is_followed() -> None:
    heard = Heard()
    pushed = PushedRules(follow=heard.policies.append)
    closed = read_rules({"version": 1, "rules": [], "defaults": {"on_unreachable": "closed"}})
    take(pushed, push_of(closed), push_of(FIVE), push_of(closed), RulesPush(""))
    assert heard.policies == [OnUnreachable.CLOSED, None, OnUnreachable.CLOSED, None]


# --- the copy


def test_what_was_pushed_last_is_there_at_the_next_start(tmp_path: Path, caplog: Log) -> None:
    caplog.set_level(logging.INFO)
    file = str(tmp_path / "copy")
    take(PushedRules(file), push_of(FIVE), push_of(TEN))
    heard = Heard()
    again = PushedRules(file, heard.policies.append)
    assert (again.value, again.digest, heard.policies) == (TEN, TEN.digest, [None])
    assert "of the last copy in force, until the sidecar says: 1 rule" in caplog.messages[-1]
    take(again, RulesPush(TEN.digest))
    assert caplog.messages[-1].startswith("sidegate: rules of the sidecar in force: 1 rule, digest")


def test_rules_that_cannot_be_used_do_not_take_the_place_of_the_copy(tmp_path: Path) -> None:
    pushed = PushedRules(file := tmp_path / "copy")
    take(pushed, push_of(FIVE), of({"version": 2}))
    assert RulesCopy(file).read() == (FIVE.digest, FIVE.encoded)


@pytest.mark.parametrize("damage", ["cut", "made up", "of a later release", "unreadable"])
def test_a_copy_that_cannot_be_used_is_said_once_and_the_app_goes_on(
    tmp_path: Path, damage: str, caplog: Log
) -> None:
    file = tmp_path / "copy"
    copy = RulesCopy(file)
    copy.write(FIVE.digest, FIVE.encoded)
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:-1])
        case "made up":
            file.write_bytes(b"version: 1")
        case "of a later release":
            later = of({"version": 1, "rules": [], "later": {}})
            copy.write(later.digest, later.encoded)
        case _:
            file.unlink()
            file.symlink_to(file)  # a link in a circle: nobody can read it, root neither
    pushed = PushedRules(file)
    assert (pushed.value, pushed.digest) == (None, "")
    (line,) = lines(caplog)
    assert line.startswith(f"sidegate: rules_copy {str(file)!r} is not used: ")
    take(pushed, push_of(TEN))
    assert pushed.value == TEN


def test_a_copy_that_is_not_there_yet_is_nothing_to_speak_of(tmp_path: Path, caplog: Log) -> None:
    assert PushedRules(tmp_path / "copy").value is None
    assert not lines(caplog)


def test_a_copy_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: Log) -> None:
    pushed = PushedRules(tmp_path / "nowhere" / "copy")
    take(pushed, push_of(FIVE))
    assert pushed.value == FIVE
    assert [it for it in lines(caplog) if "rules_copy can't be written" in it]
