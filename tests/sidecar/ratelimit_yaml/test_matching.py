"""What a request's descriptor finds: the cases that envoyproxy/ratelimit's documentation has."""

import re
from time import perf_counter
from typing import Final

import pytest

from sidegate_sidecar.ratelimit_yaml.descriptors import Domain, fits
from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import read_ratelimit_yaml
from sidegate_sidecar.ratelimit_yaml.rule_names import rule_name
from tests.sidecar.ratelimit_yaml.examples import DEPTH, MESSAGING, PATTERNS, PER_IP

TWO_NUMBERS: Final = [("message_type", "marketing"), ("to_number", "1")]


def domain(text: str) -> Domain:
    return read_ratelimit_yaml(text.encode())


def limit_of(text: str, entries: list[tuple[str, str]]) -> str | None:
    match = domain(text).match(entries)
    return None if match is None else str(match.limit.limits)


@pytest.mark.parametrize(
    ("text", "entries", "limit"),
    [
        (MESSAGING, TWO_NUMBERS, "5/day"),
        (MESSAGING, [("to_number", "1")], "100/day"),
        (MESSAGING, [("message_type", "marketing")], None),
        (MESSAGING, [("message_type", "news"), ("to_number", "1")], None),
        (MESSAGING, [], None),
        (PER_IP, [("remote_address", "50.0.0.1")], "10/second"),
        (PER_IP, [("remote_address", "50.0.0.5")], "0/second"),
        (PER_IP, [("remote_address", "")], "10/second"),
        (DEPTH, [("a", "one")], "300/second"),
        (DEPTH, [("a", "one"), ("b", "x")], None),
        (DEPTH, [("a", "two"), ("b", "x")], "300/second"),
        (DEPTH, [("a", "two")], None),
        (DEPTH, [("b", "x")], None),
        (PATTERNS, [("path", "/api/login")], "5/minute"),
        (PATTERNS, [("path", "/api/other")], "20/minute"),
        (PATTERNS, [("path", "/other")], "99/hour"),
        (PATTERNS, [("host", "a.example.com")], "7/minute"),
        (PATTERNS, [("host", "example.com")], None),
        (PATTERNS, [("mid", "a-b-c")], "8/minute"),
        (PATTERNS, [("mid", "a-c-b")], None),
        (PATTERNS, [("tenant", "t1"), ("file", "x1")], "3/day"),
        (PATTERNS, [("tenant", "u1"), ("file", "x1")], None),
    ],
)
def test_the_most_specific_descriptor_of_each_level_leads_on(
    text: str, entries: list[tuple[str, str]], limit: str | None
) -> None:
    """Its value before a pattern before the key alone; the limit is that of the last entry."""
    assert limit_of(text, entries) == limit


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([("remote_address", "1")], [("remote_address", "2")], False),
        ([("path", "/api/a")], [("path", "/api/b")], False),
        ([("tenant", "t1"), ("file", "x1")], [("tenant", "t1"), ("file", "x2")], True),
        ([("tenant", "t1"), ("file", "x1")], [("tenant", "t2"), ("file", "x1")], False),
        ([("free", "a=b,c")], [("free", "a%3Db,c")], False),
    ],
)
def test_each_value_has_a_bucket_of_its_own_unless_they_share(
    one: list[tuple[str, str]], other: list[tuple[str, str]], *, same: bool
) -> None:
    """The values of a pattern that shares its threshold are one bucket."""
    for text in (PER_IP, PATTERNS, PATTERNS + "  - {key: free, rate_limit: {unit: day}}\n"):
        first, second = (domain(text).match(entries) for entries in (one, other))
        if first and second:
            assert (first.key == second.key) == same
            return
    raise AssertionError("no limit was found")


def test_keys_name_the_domain_the_descriptor_and_the_values() -> None:
    """As rules in code do: SERVICE/RULE:IDENTITY; long values are hashed."""
    match = domain(MESSAGING).match(TWO_NUMBERS)
    assert match
    assert match.rule == "message_type_marketing.to_number"
    assert match.key == (
        "messaging/message_type_marketing.to_number:message_type=marketing,to_number=1"
    )
    long = domain(MESSAGING).match([("to_number", "1" * 60_000)])
    assert long
    assert re.fullmatch(r"messaging/to_number:sha256=[0-9a-f]{32}", long.key)


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        ("", "a.b"),
        (", detailed_metric: true", "a_1.b_2"),
        (", value_to_metric: true", "a.b_2"),
    ],
)
def test_what_a_limit_is_counted_as_is_told_by_its_flags(flags: str, rule: str) -> None:
    """By the names in the file; with `value_to_metric` one value, `detailed_metric` all."""
    inner = f"{{key: b{flags}, rate_limit: {{unit: day}}}}"
    text = f"domain: d\ndescriptors: [{{key: a, descriptors: [{inner}]}}]"
    match = domain(text).match([("a", "1"), ("b", "2")])
    assert match
    assert match.rule == rule


@pytest.mark.parametrize("value", ['"', "/", ":", "\\", "\n", "ä", "x" * 900])
def test_a_rule_can_stand_in_a_field_and_a_key(value: str) -> None:
    """Whatever is in a value: as its bytes, and cut when it is long."""
    text = (
        "domain: 'a:b/c'\ndescriptors: [{key: k, detailed_metric: true, rate_limit: {unit: day}}]"
    )
    match = domain(text).match([("k", value)])
    assert match
    assert re.fullmatch(r"[ !#-.0-9;-\[\]-~]{1,64}", match.rule)
    assert match.key.startswith(f"a%3Ab%2Fc/{match.rule}:")


@pytest.mark.parametrize(
    ("pattern", "name", "fit"),
    [
        ("*", "", True),
        ("a*", "a", True),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("a**b", "ab", True),
        ("*a*b*", "xxaxxbxx", True),
        ("*a*b*", "xxbxxaxx", False),
        ("a*b*b", "ab", False),
        ("a.c*", "abc", False),
    ],
)
def test_a_star_is_any_text(pattern: str, name: str, *, fit: bool) -> None:
    """Nothing else is special, and no part is used twice."""
    assert fits(pattern.split("*"), name) == fit


def test_the_longest_name_is_matched_in_one_walk() -> None:
    """Backtracking would take it more steps than there is time for."""
    assert not fits(("*a" * 200).split("*"), "a" * 60_000 + "b")
    assert fits(("*a" * 200 + "*").split("*"), "a" * 60_000 + "b")


def test_to_name_a_long_value_takes_as_long_as_to_name_a_short_one() -> None:
    """Values are strangers': the odd characters of one that is cut off aren't written out."""

    def seconds(value: str) -> float:
        began = perf_counter()
        rule_name(["key", value])
        return perf_counter() - began

    short, long = (min(seconds(odd) for _ in range(5)) for odd in ('"' * 60, '"' * 60_000))
    assert long < 100 * short  # it was a thousand times
    assert rule_name(['"' * 60_000]) != rule_name(['"' * 60_001])
