"""A request pays once for each bucket; limits that it has together stand for themselves."""

from typing import Any

from sidegate.http.paid import is_paid
from sidegate.http.rules import Rule


def test_a_request_pays_once_for_the_same_limits_of_a_key() -> None:
    carrier: dict[str, Any] = {}
    assert not is_paid(carrier, "r:ann", Rule("r", "5/minute"))
    assert is_paid(carrier, "r:ann", Rule("r", "5 per minute"))
    assert not is_paid(carrier, "r:bob", Rule("r", "5/minute"))
    assert not is_paid({}, "r:ann", Rule("r", "5/minute"))


def test_limits_that_one_request_has_together_stand_for_themselves_from_then_on() -> None:
    """Two middlewares around each other, each with a rule of the same name."""
    inner, outer, other = Rule("r", "5/second"), Rule("r", "100/minute"), Rule("s", "9/hour")
    rules = [inner, outer, other]
    assert [it.limits.carries for it in rules] == [True, True, True]
    carrier: dict[str, Any] = {}
    for rule, key in ((outer, "r:ann"), (other, "s:ann"), (inner, "r:ann")):
        assert not is_paid(carrier, key, rule)
    assert [it.limits.carries for it in rules] == [False, False, True]
    assert outer.limits == Rule("r", "100/minute").limits


def test_limits_of_two_keys_go_on_carrying() -> None:
    one, two = Rule("r", "5/second"), Rule("r", "100/minute")
    carrier: dict[str, Any] = {}
    assert not is_paid(carrier, "r:ann", one)
    assert not is_paid(carrier, "r:bob", two)
    assert one.limits.carries
    assert two.limits.carries
