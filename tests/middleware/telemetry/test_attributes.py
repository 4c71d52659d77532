"""What is told of a check: its rule and what was decided, and never its key."""

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.errors import KeyTooLong
from sidegate.protocol.keys import rule_of
from sidegate.telemetry.attributes import attributes_of, attributes_of_error

LIMITS = parse_limits("5/minute")


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("login:192.0.2.1", "login"),
        ("shop/login:2001:db8::1", "shop/login"),
        ("alice@example.com", "other"),
        (":alice", "other"),
        ("", "other"),
        ("login:", "login"),
    ],
)
def test_a_rule_is_what_stands_before_the_first_colon(key: str, rule: str) -> None:
    assert rule_of(key) == rule


def test_a_decision_is_told_with_what_is_left() -> None:
    decision = Decision(True, LIMITS, 2, [24 * 10**9], Source.OWNER, "n1")
    assert attributes_of("login:ann", decision) == {
        "sidegate.rule": "login",
        "sidegate.result": "allowed",
        "sidegate.source": "owner",
        "sidegate.cost": 2,
        "sidegate.remaining": 3,
        "sidegate.node": "n1",
    }


def test_what_nobody_knows_is_left_out() -> None:
    decision = Decision(False, LIMITS, 1, [], Source.CLOSED)
    assert attributes_of("ann", decision) == {
        "sidegate.rule": "other",
        "sidegate.result": "denied",
        "sidegate.source": "closed",
        "sidegate.cost": 1,
    }


def test_an_error_is_told_by_its_kind_alone() -> None:
    told = attributes_of_error("login:ann", KeyTooLong(600, 512))
    assert told == {"sidegate.rule": "login", "error.type": "KeyTooLong"}
