"""What caches are made of: durations, keys, bytes of values, and functions that run once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sidegate.cache.flights import Flights, Interrupted
from sidegate.cache.items.durations import parse_duration
from sidegate.cache.items.keys import KeyTemplate, key_text, takes_key
from sidegate.cache.items.serializing import Serializing, returned_type
from sidegate.errors import KeyTooLong


class Profile(msgspec.Struct):
    """Something that msgspec knows."""

    name: str
    born: datetime


@dataclass
class Point:
    """It knows these too."""

    x: int


class Custom:
    """It doesn't know this."""


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("5m", 300 * 10**6), ("1h30m", 5_400 * 10**6), ("250ms", 250_000), ("1.5 s", 1_500_000),
     ("1d 2h", 93_600 * 10**6), (90, 90 * 10**6), (0.25, 250_000), ("0s", 0)],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(text: object, microseconds: int) -> None:
    assert parse_duration("ttl", text) == microseconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 minutes", -1, True, None, float("nan"), "367d"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="ttl="):
        parse_duration("ttl", text)
    with pytest.raises(ValueError, match="more than 0"):
        parse_duration("ttl", 0, least=1)


def test_keys_are_texts_or_whole_numbers() -> None:
    assert (key_text("größe"), key_text(42)) == ("größe", "42")
    for key in (None, 1.5, True, b"k", ("a",)):
        with pytest.raises(ValueError, match="key="):
            key_text(key)
    with pytest.raises(KeyTooLong):
        key_text("k" * 513)


def test_a_template_is_filled_in_from_arguments() -> None:
    """Defaults, parts and formats of them as well."""

    def load(user_id: int, page: int = 1, *, of: Any = None) -> None: ...

    assert KeyTemplate("{user_id}:{page:03}", load).key((7,), {}) == "7:001"
    assert KeyTemplate("{of.x}", load).key((7,), {"of": Point(3)}) == "3"
    with pytest.raises(TypeError):
        KeyTemplate("{user_id}", load).key((), {})
    with pytest.raises(KeyTooLong):
        KeyTemplate("{user_id}", load).key(("k" * 600,), {})


@pytest.mark.parametrize("template", ["{user}", "{user_id", "{}", "{0}", "", None, 5])
def test_a_template_that_does_not_fit_is_refused_at_once(template: object) -> None:
    def load(user_id: int) -> None: ...

    with pytest.raises(ValueError, match="key="):
        KeyTemplate(template, load)


def test_functions_that_need_an_argument_get_the_key() -> None:
    def with_default(key: int = 1) -> None: ...

    assert takes_key(key_text)
    assert not takes_key(with_default)
    assert not takes_key(dict)


@pytest.mark.parametrize("value", [None, 5, "text", b"bytes", [1, {"a": None}], 1.5, {}])
def test_what_messagepack_has_needs_no_type(value: object) -> None:
    serializing = Serializing()
    assert serializing.load(serializing.dump(value)) == value


@pytest.mark.parametrize("value", [Point(1), (1, 2), {1, 2}, Custom(), [Point(1)], 1 << 70])
def test_what_would_come_back_as_something_else_is_refused(value: object) -> None:
    """And the error says what to do."""
    with pytest.raises(TypeError, match="serializer="):
        Serializing().dump(value)


def test_with_a_type_values_come_back_as_what_they_were() -> None:
    profile = Profile("Ada", datetime(1815, 12, 10, tzinfo=UTC))
    for kind, value in (
        (Profile, profile),
        (list[Point], [Point(1), Point(2)]),
        (Profile | None, None),
        (tuple[int, ...], (1, 2)),
    ):
        serializing = Serializing(kind)
        assert serializing.load(serializing.dump(value)) == value
    with pytest.raises(msgspec.ValidationError):
        Serializing(Profile).load(Serializing().dump("no profile"))
    with pytest.raises(TypeError, match="msgspec"):
        Serializing(Custom)


def test_other_values_need_two_functions() -> None:
    serializing = Serializing(serializer=(lambda value: str(value).encode(), bytes.decode))
    assert serializing.load(serializing.dump(5)) == "5"
    with pytest.raises(TypeError, match="returned int"):
        Serializing(serializer=(lambda value: value, bytes.decode)).dump(5)
    for wrong in ((1, 2), (str,), str):
        bad: Any = wrong
        with pytest.raises(ValueError, match="two functions"):
            Serializing(serializer=bad)


def test_the_type_is_that_which_a_function_says_it_returns() -> None:
    async def load(user_id: int) -> Profile | None: ...

    def anything(user_id: int) -> Any: ...

    assert returned_type(load) == Profile | None
    assert returned_type(anything) is None
    assert returned_type(lambda: 5) is None


def test_one_flies_and_the_others_get_its_value() -> None:
    flights = Flights()
    flight, is_mine = flights.join("k")
    assert is_mine
    assert flights.join("k") == (flight, False)
    flights.land("k", flight, 5)
    assert flight.result() == 5
    again, is_mine = flights.join("k")
    assert is_mine
    flights.crash("k", again, KeyboardInterrupt())
    with pytest.raises(Interrupted):
        again.result()
    last, _ = flights.join("k")
    flights.crash("k", last, ValueError("why"))
    with pytest.raises(ValueError, match="why"):
        last.result()
