"""What the log says while checks are decided without the sidecar."""

import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate.client.unreachable.outage import Outage


def outage(policy: str = "open") -> Outage:
    return Outage("127.0.0.1:7171", OnUnreachable(policy))


def test_it_is_said_at_once_what_is_wrong_what_follows_and_what_to_do() -> None:
    line = outage().decided("Connection refused", 10.0)
    assert line == (
        "sidegate: not limiting: no answer from the sidecar at 127.0.0.1:7171 (Connection refused);"
        ' requests are let through (on_unreachable=open). Is "sidegate serve" running there,'
        " and is SIDEGATE_SIDECAR its --link?"
    )


def test_it_is_said_again_each_minute_with_a_count() -> None:
    down = outage()
    lines = [down.decided("Connection refused", float(second)) for second in range(121)]
    said = {at: line for at, line in enumerate(lines) if line}
    assert list(said) == [0, 60, 120]
    assert "still not limiting" in said[60]
    assert "61 requests were let through in 60 s" in said[60]


def test_its_end_is_said_once_with_what_was_let_through() -> None:
    down = outage()
    assert not down.over(0.0)
    for second in range(3):
        down.decided("Connection refused", float(second))
    assert down.is_on
    assert down.over(63.0) == "sidegate: limiting again: 3 requests were let through in 63 s"
    assert not down.over(64.0)
    assert not down.is_on


def test_one_after_the_other_is_said_at_once_again() -> None:
    down = outage()
    down.decided("Connection refused", 0.0)
    down.over(1.0)
    assert down.decided("Connection refused", 2.0)


@pytest.mark.parametrize(
    ("policy", "consequence"),
    [
        ("open", "requests are let through"),
        ("closed", "requests are refused"),
        ("local", "requests are decided by this process's share"),
    ],
)
def test_each_policy_has_its_consequence(policy: str, consequence: str) -> None:
    assert consequence in outage(policy).decided("Connection refused", 0.0)


@pytest.mark.parametrize(
    ("why", "cure"),
    [
        ("the two sides don't have the same secret (secret)", "the same SIDEGATE_SECRET"),
        ("it speaks HTTP (frame-too-long)", "--link, not its --http"),
        ("version 1 is not spoken here, only 2 (version)", "the same release"),
    ],
)
def test_each_cause_has_its_cure(why: str, cure: str) -> None:
    assert cure in outage().decided(why, 0.0)
