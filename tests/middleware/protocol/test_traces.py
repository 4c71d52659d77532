"""Traces: names of spans are read strictly, and go with the checks that they belong to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import HEADER_BYTES, WireError, decode, encode, tracing_decoder
from sidegate.protocol.messages import MAX_TRACES, Checks, Message, Ping, TracedChecks
from sidegate.protocol.traces import parse_traceparent, traceparent, traces_at

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
PARENT = traceparent(TRACE, SPAN)
CHECKS = [("k", "1/s", 1), ("l", "1/s", 1)]


def body(message: Message) -> bytes:
    return encode(message)[HEADER_BYTES:]


class TestNames:
    def test_a_name_is_that_of_w3c(self) -> None:
        assert PARENT == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        assert parse_traceparent(PARENT) == (TRACE, SPAN, 1)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            PARENT[:-2] + "00",  # not sampled
            PARENT[:-2] + "fe",
            PARENT.upper(),
            "01" + PARENT[2:],
            PARENT + "\n",
            traceparent(0, SPAN),
            traceparent(TRACE, 0),
            PARENT.replace("4bf9", "４bf9"),  # noqa: RUF001 - a digit, but not of ASCII
        ],
    )
    def test_what_is_no_name_of_a_sampled_span_is_none(self, text: str) -> None:
        assert parse_traceparent(text) is None

    def test_other_flags_may_be_set(self) -> None:
        assert parse_traceparent(PARENT[:-2] + "03") == (TRACE, SPAN, 3)


def test_a_part_of_a_frame_has_the_traces_of_its_checks() -> None:
    traces = [(0, "a"), (3, "b"), (5, "c")]
    assert traces_at(traces, [5, 4, 3]) == [(2, "b"), (0, "c")]
    assert traces_at(traces, range(1, 3)) is None


class TestFrames:
    def test_without_traces_a_frame_is_what_it_was(self) -> None:
        """A release that knows no traces has written and read these bytes."""
        assert body(Checks(7, 0, 5, CHECKS[:1])).hex() == "970307000591" + "93a16ba3312f730100c0"

    def test_who_does_not_trace_reads_the_checks(self) -> None:
        """So does a release that knows no traces: it ignores what is behind its fields."""
        traced = body(TracedChecks(7, 1, 5, CHECKS, 9, [4, 2], [(1, PARENT)]))
        assert decode(traced) == Checks(7, 1, 5, CHECKS, 9, [4, 2])

    def test_who_traces_reads_what_others_write(self) -> None:
        read = tracing_decoder()
        assert read(body(Checks(7, 0, 5, CHECKS))) == TracedChecks(7, 0, 5, CHECKS)
        traced = TracedChecks(7, 0, 5, CHECKS, traces=[(1, PARENT)])
        assert read(body(traced)) == traced
        assert read(body(Ping(3))) == Ping(3)

    @pytest.mark.parametrize(
        "traces",
        [
            [(-1, PARENT)],
            [(0, PARENT + "0")],
            [(0, "")],
            [(0, PARENT)] * (MAX_TRACES + 1),
            [(0,)],
            [("0", PARENT)],
            "traces",
            [[0, b"x" * 55]],
        ],
    )
    def test_traces_that_make_no_sense_are_an_error(self, traces: list[tuple[int, str]]) -> None:
        with pytest.raises(WireError, match="not a message of version 1"):
            tracing_decoder()(body(TracedChecks(7, 0, 5, CHECKS, traces=traces)))


@given(st.text(max_size=60) | st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"))
def test_any_text_is_a_name_that_is_written_so_or_none(text: str) -> None:
    name = parse_traceparent(text)
    if name is not None:
        assert name.flags & 1
        assert text.startswith(traceparent(*name[:2])[:-2])
