"""Readers: the text of an option in, its value out, or what is wrong with it."""

from collections.abc import Callable

import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate_sidecar.cli.options import readers
from sidegate_sidecar.config import OptionError


def _octet(option: str, text: str) -> int:
    return readers.whole(option, text, 0, 255)


def _policy(option: str, text: str) -> OnUnreachable:
    return readers.choice(option, text, OnUnreachable)


NO_SECONDS = ("nan", "inf", "0", "-1")
NO_MODES = ("0o660", "6_6_0", "-1", "888", "")


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (readers.seconds, "0.05", 0.05),
        (readers.number, "1e3", 1000.0),
        (readers.whole, "-7", -7),
        (_octet, "255", 255),
        (readers.size, "1MiB", 1 << 20),
        (readers.mode, "660", 0o660),
        (_policy, "closed", OnUnreachable.CLOSED),
        (readers.limits, "10 per second", "10/second"),
        (readers.header_name, "x-api-key", "x-api-key"),
        (readers.header, "accept: text/html ", ("accept", "text/html")),
    ],
)
def test_a_text_is_read(read: Callable[[str, str], object], text: str, value: object) -> None:
    assert read("option", text) == value


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (readers.address, "7171", "expected HOST:PORT or "),
        *((readers.seconds, text, "expected seconds, above 0") for text in NO_SECONDS),
        (readers.number, "0", "expected a number above 0"),
        (readers.whole, "one", "expected a whole number"),
        (_octet, "256", "expected a whole number from 0 to 255"),
        (_octet, "-1", "expected a whole number from 0 to 255"),
        (readers.size, "1e6", "expected bytes, such as"),
        *((readers.mode, text, "expected a mode in octal") for text in NO_MODES),
        (_policy, "shut", "expected one of open, closed, local"),
        (readers.limits, "5", 'expected "/" or "per"'),
        (readers.header_name, "a b", "expected the name of a header"),
        (readers.header, "nothing", "expected NAME:VALUE in ASCII"),
    ],
)
def test_what_cannot_be_read_is_named(
    read: Callable[[str, str], object], text: str, expected: str
) -> None:
    """With the option, its text, and what was expected."""
    with pytest.raises(OptionError) as caught:
        read("option", text)
    assert (caught.value.option, caught.value.value) == ("option", text)
    assert caught.value.why.startswith(expected)


def test_names_and_addresses_stand_between_commas() -> None:
    """Blanks around them don't count, nor does nothing between two."""
    assert readers.names(["a, b", "", "c,"]) == ("a", "b", "c")
    assert [str(each) for each in readers.addresses("seed", ["a:1, b:2", "c:3"])] == [
        *("a:1", "b:2", "c:3")
    ]
