"""Event counts: nothing is lost but keys, and what makes no sense is named."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import MAX_FRAME_BYTES, decode, encode
from sidegate.protocol.report_messages import MAX_COUNT, MAX_SUM, EventRow, Events
from sidegate.reports.event_counts import MAX_KEYS, MAX_NAMES, EventCounts, frames, recorded

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["signup", "visit", "other"]),
        st.none() | st.sampled_from("abc"),
        st.integers(0, 2 * MAX_COUNT),
        st.integers(0, 3 * MAX_SUM),
    ),
    max_size=40,
)


def totals(rows: list[EventRow]) -> tuple[int, int]:
    return sum(count for _, _, count, _ in rows), sum(total for _, _, _, total in rows)


@given(EVENTS)
def test_it_tells_what_was_recorded_by_name_and_key(
    events: list[tuple[str, str | None, int, int]],
) -> None:
    """In frames that can be read, also what is too much for a row."""
    counts, wanted, sums = EventCounts(), Counter[object](), Counter[object]()
    for name, key, count, total in events:
        counts.add(name, key, count, total)
        wanted[name, key] += count
        sums[name, key] += total
    told, told_sums = Counter[object](), Counter[object]()
    for frame in frames(counts.take(), 1):
        assert decode(encode(frame)[4:]) == frame
        for name, key, count, total in frame.rows:
            told[name, key] += count
            told_sums[name, key] += total
    assert (told, told_sums) == (wanted, sums)
    assert counts.take() == []


def test_beyond_1_024_keys_only_their_event_is_counted() -> None:
    counts = EventCounts()
    for at in range(MAX_KEYS + 10):
        counts.add("signup", f"k{at}", 1, 2)
    counts.add("signup", "k0", 1, 2)
    rows = counts.take()
    assert len(rows) == MAX_KEYS + 1
    assert ("signup", None, 10, 20) in rows
    assert ("signup", "k0", 2, 4) in rows


def test_beyond_64_names_without_keys_there_is_other() -> None:
    counts = EventCounts()
    for at in range(MAX_KEYS):
        counts.add("signup", f"k{at}", 1, 1)
    for at in range(2 * MAX_NAMES):
        counts.add(f"event{at}", "k", 1, 1)
    assert len(counts) == MAX_KEYS + MAX_NAMES + 1
    rows = counts.take()
    assert ("other", None, MAX_NAMES, MAX_NAMES) in rows
    assert totals(rows) == (MAX_KEYS + 2 * MAX_NAMES,) * 2


def test_the_largest_frame_fits() -> None:
    counts = EventCounts()
    for at in range(MAX_KEYS):
        counts.add("n" * 64, f"{at:0512}", MAX_COUNT, MAX_SUM)
    told = frames(counts.take())
    assert [len(it.rows) for it in told] == [256] * 4
    assert all(isinstance(it, Events) and len(encode(it)) < MAX_FRAME_BYTES / 4 for it in told)


def test_a_value_is_kept_to_the_millionth() -> None:
    assert recorded("signup", "DE", 19.99) == ("signup", "DE", 19_990_000)
    assert recorded("é" * 32, "", 0) == ("é" * 32, "", 0)
    assert recorded("signup", "k" * 512, 10**9) == ("signup", "k" * 512, MAX_SUM)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (("", "", 1), "name='': expected 1 to 64 bytes of text without \":\""),
        (("n" * 65, "", 1), "expected 1 to 64 bytes"),
        (("a:b", "", 1), "name='a:b': expected 1 to 64 bytes of text without \":\""),
        (("\ud800", "", 1), "expected 1 to 64 bytes of text"),
        ((7, "", 1), "name=7: expected 1 to 64 bytes of text"),
        (("a", "k" * 513, 1), "expected at most 512 bytes of text"),
        (("a", "\ud800", 1), "expected at most 512 bytes of text"),
        (("a", None, 1), "key=None: expected at most 512 bytes of text"),
        (("a", "", -1), "value=-1: expected a number from 0 to 1,000,000,000"),
        (("a", "", 10**9 + 1), "value=1000000001: expected a number from 0 to 1,000,000,000"),
        (("a", "", float("nan")), "value=nan: expected a number"),
        (("a", "", float("inf")), "value=inf: expected a number"),
        (("a", "", 10**400), "expected a number"),
        (("a", "", True), "value=True: expected a number"),
        (("a", "", "1"), "value='1': expected a number"),
    ],
)
def test_nonsense_is_named_with_what_was_expected(
    event: tuple[object, object, object], words: str
) -> None:
    with pytest.raises(ValueError, match="expected") as raised:
        recorded(*event)
    assert words in str(raised.value)
