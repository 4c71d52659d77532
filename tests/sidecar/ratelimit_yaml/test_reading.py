"""Reading an envoyproxy/ratelimit configuration: what it may say, and how a fault is told."""

from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidegate_sidecar.ratelimit_yaml.descriptors import Descriptor, Domain
from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import (
    MAX_DESCRIPTORS,
    MAX_LEVELS,
    read_ratelimit_yaml,
)
from sidegate_sidecar.ratelimit_yaml.yaml_errors import YamlFileError
from sidegate_sidecar.ratelimit_yaml.yaml_nodes import MAX_BYTES, MAX_DEPTH, MAX_NODES

WHOLE: Final = """\
# all that there is
domain: shop
descriptors:
  - key: user
    value: alice
    shadow_mode: true
    rate_limit: &usual
      name: alice
      unit: MINUTE
      requests_per_unit: 7
      replaces: [{name: bob}, {name: eve}]
    descriptors:
      - key: plan
        quota_mode: yes
        detailed_metric: true
        value_to_metric: True
        metadata: {anything: [1, 2]}
        rate_limit: {unlimited: true}
  - key: user
    value: 404
    rate_limit:
      <<: *usual
      name: other
  - key: user
    value: ~
"""


def read(text: str) -> Domain:
    return read_ratelimit_yaml(text.encode(), "limits.yaml")


def fault_of(text: str) -> str:
    with pytest.raises(YamlFileError) as caught:
        read(text)
    return str(caught.value)


def one(rest: str) -> str:
    return f"domain: d\ndescriptors:\n  - key: k\n    {rest}\n"


def test_all_that_there_is_is_read() -> None:
    """Also references, any case of a unit, and numbers as texts."""
    alice, number, default = read(WHOLE).descriptors
    assert (alice.value, number.value, default.value) == ("alice", "404", "")
    assert alice.shadow
    assert not alice.quota
    assert alice.limit
    assert str(alice.limit.limits) == "7/minute"
    assert alice.limit.replaces == ("bob", "eve")
    (plan,) = alice.descriptors
    assert (plan.quota, plan.detailed_metric, plan.value_to_metric) == (True, True, True)
    assert plan.limit
    assert plan.limit.limits is None
    assert number.limit
    assert (number.limit.name, str(number.limit.limits)) == ("other", "7/minute")


def test_a_limit_without_a_number_lets_nothing_pass() -> None:
    """As it is there: a number that isn't written is 0."""
    (descriptor,) = read(one("rate_limit: {unit: second}")).descriptors
    assert descriptor.limit
    assert str(descriptor.limit.limits) == "0/second"


def test_a_domain_may_have_nothing() -> None:
    """Then nothing is limited."""
    assert read("domain: d\ndescriptors:\n").descriptors == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "limits.yaml: nothing in it, expected a mapping"),
        ("[]", "limits.yaml:1: []: expected a mapping"),
        ("domain: d\n---\ndomain: e", "2 documents, expected one"),
        ("domain: [", "limits.yaml:2: expected YAML: while parsing a flow node"),
        ("domain: \x07", "expected YAML: "),
        ("descriptors: []", "limits.yaml:1: domain: expected a text that isn't empty"),
        ("domain: ''", "limits.yaml:1: domain '': expected a text that isn't empty"),
        ("domain: d\ndomain: e", "limits.yaml:2: 'domain': expected once, it stands in line 1"),
        ("domain: d\ndescriptor: []", "limits.yaml:2: 'descriptor': expected one of domain, desc"),
        ("domain: d\ndescriptor: []", "; did you mean descriptors?"),
        ("domain: d\ndescriptors: {}", "limits.yaml:2: descriptors {}: expected a list"),
        ("domain: d\ndescriptors: [x]", "descriptors[0] 'x': expected a mapping"),
        ("domain: d\ndescriptors: [{value: v}]", "descriptors[0].key: expected a text"),
        ("domain: d\n? [a]\n: b", "limits.yaml:2: expected a text as the key of a mapping"),
        ("domain: *d", "limits.yaml:1: '*d': expected a name that stands before it"),
        ("domain: d\ndescriptors: &a [*a]", "expected no reference to what it is in"),
        ("domain: d\n<<: x", "limits.yaml:2: '<<': expected a mapping, or a list of mappings"),
        (one("value: {a: b}"), "limits.yaml:4: descriptors[0].value {}: expected a text"),
        (one(f"value: {'x' * 1_025}"), "expected at most 1,024 characters"),
        (one("shadow_mode: perhaps"), "descriptors[0].shadow_mode 'perhaps': expected true or fal"),
        (one("shadow_mode: 'true'"), "expected true or false"),
        (one("limit: {}"), "limits.yaml:4: descriptors[0] 'limit': expected one of key, value"),
        (one("rate_limit: 5"), "limits.yaml:4: descriptors[0].rate_limit '5': expected a mapping"),
        (one("rate_limit: {}"), "descriptors[0].rate_limit.unit: expected one of second, minute"),
        (one("rate_limit: {unit: fortnight}"), "unit 'fortnight': expected one of second, minute"),
        (one("rate_limit: {unit: day, unlimited: yes}"), "unit 'day': expected none, as the limit"),
        (
            one("rate_limit: {unit: day, requests_per_unit: -1}"),
            "requests_per_unit '-1': expected a whole number from 0 to 4294967295",
        ),
        (one("rate_limit: {unit: day, requests_per_unit: 1.5}"), "'1.5': expected a whole number"),
        (one("rate_limit: {unit: day, requests_per_unit: '5'}"), "'5': expected a whole number"),
        (one("rate_limit: {unit: day, requests_per_unit: 4294967296}"), "expected a whole number"),
        (one("rate_limit: {unit: day, replaces: [{}]}"), "rate_limit.replaces[0].name: expected a"),
        (one("rate_limit: {unit: day, name: n, replaces: [{name: n}]}"), "not its own (n)"),
        (one("share_threshold: true"), "share_threshold 'true': expected it beside a value with *"),
        (one("descriptors: [{key: a}, {key: a}]"), "[1] 'a': expected once, as line 4 has the sa"),
        ("domain: d\ndescriptors: [{key: a_b}, {key: a, value: b}]", "[1] 'a_b': expected once"),
    ],
)
def test_a_fault_is_told_with_file_line_path_value_and_what_was_expected(
    text: str, fault: str
) -> None:
    """What can't be said of it is left out."""
    told = fault_of(text)
    assert fault in told
    assert told.startswith("limits.yaml")


def test_what_is_no_text_is_told_with_its_line() -> None:
    """A file in another encoding has no other."""
    with pytest.raises(YamlFileError, match="2: expected text in UTF-8"):
        read_ratelimit_yaml(b"domain: d\nx: \xff\n")


# --- bounds


def _nested(levels: int) -> str:
    return "domain: d\ndescriptors: " + "[{key: k, descriptors: " * levels + "[]" + "}]" * levels


def _many(times: int) -> str:
    """Return a text in which each reference stands for ten of the one before."""
    lines = ["x0: &x0 {key: k}"]
    lines += [f"x{at}: &x{at} [{', '.join([f'*x{at - 1}'] * 10)}]" for at in range(1, times)]
    return "\n".join(lines)


def _bomb() -> str:
    """Return descriptors of which each has ten of the next level: a million of few lines."""
    levels = ["  - &d0 {key: k0, rate_limit: {unit: day}}"]
    for at in range(1, 9):
        below = ", ".join(f"{{<<: *d{at - 1}, value: v{it}}}" for it in range(10))
        levels.append(f"  - &d{at} {{key: k{at}, descriptors: [{below}]}}")
    return "domain: d\ndescriptors:\n" + "\n".join(levels)


def _merged() -> str:
    """Return lines of which each has all the pairs of the first."""
    pairs = ", ".join(f"k{at}: v" for at in range(400))
    return f"x: &x {{{pairs}}}\n" + "".join(f"y{at}: {{<<: *x}}\n" for at in range(400))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (_merged(), f"expected at most {MAX_NODES:,} values in a file"),
        ("#" * (MAX_BYTES + 1), f"expected at most {MAX_BYTES:,}"),
        ("[" * 100_000, f"at most {MAX_DEPTH} deep"),
        ("domain: d\nx: [" + "1," * (MAX_NODES + 1), f"at most {MAX_NODES:,} values"),
        (_nested(MAX_LEVELS + 1), f"expected at most {MAX_LEVELS} levels"),
        (
            f"domain: d\ndescriptors: [{'{key: a},' * (MAX_DESCRIPTORS + 1)}]",
            "descriptors in a file",
        ),
        (_bomb(), f"expected at most {MAX_DESCRIPTORS:,} descriptors in a file"),
        (_many(9), "expected one of domain, descriptors"),
    ],
)
def test_no_file_is_too_much(text: str, fault: str) -> None:
    """However long, deep or full of references: a fault, and soon."""
    assert fault in fault_of(text)


def test_the_deepest_and_the_longest_are_read() -> None:
    """The bounds themselves are allowed."""
    deepest = read(_nested(MAX_LEVELS))
    levels = 0
    at: tuple[Descriptor, ...] = deepest.descriptors
    while at:
        levels, at = levels + 1, at[0].descriptors
    assert levels == MAX_LEVELS
    items = "".join(f"- {{key: k{at}}}\n" for at in range(MAX_DESCRIPTORS))
    assert len(read(f"domain: d\ndescriptors:\n{items}").descriptors) == MAX_DESCRIPTORS


# --- whatever is written

_WORDS: Final = [
    *("domain", "descriptors", "key", "value", "rate_limit", "unit", "requests_per_unit"),
    *("unlimited", "shadow_mode", "name", "replaces", "share_threshold", "second", "true", "5"),
    *("- ", ": ", "\n", "  ", "{", "}", "[", "]", ",", "&a ", "*a", "<<", "'", '"', "#", "!!int "),
    *("---\n", "? ", "|\n", "%YAML 1.1\n", "~", "\t", "\ufeff", "é", "\x00"),
]


def _is_read_or_faulty(content: bytes) -> None:
    fault = ""
    try:
        found = read_ratelimit_yaml(content, "f")
    except YamlFileError as error:
        fault = str(error)
    else:
        found.match([("key", "value")])
    assert not fault or (fault.startswith("f:") and "expected" in fault)


@given(st.lists(st.sampled_from(_WORDS), max_size=60).map("".join))
def test_any_words_are_read_or_a_fault(text: str) -> None:
    """Never another exception."""
    _is_read_or_faulty(text.encode())


@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"\x00")
def test_any_bytes_are_read_or_a_fault(content: bytes) -> None:
    """Never another exception."""
    _is_read_or_faulty(content)


@given(
    st.integers(0, len(WHOLE)), st.integers(0, 30), st.lists(st.sampled_from(_WORDS), max_size=3)
)
def test_a_file_that_is_spoiled_is_read_or_a_fault(at: int, less: int, words: list[str]) -> None:
    """Never another exception."""
    _is_read_or_faulty((WHOLE[:at] + "".join(words) + WHOLE[at + less :]).encode())
