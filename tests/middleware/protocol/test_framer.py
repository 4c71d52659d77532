"""The framer: however bytes come in, the same frames come out, and few bytes are held."""

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    Bytes,
    Framer,
    WireError,
    decode,
    encode,
)
from sidegate.protocol.messages import Ping
from tests.middleware.golden import GOLDEN
from tests.middleware.protocol.mutation import mutated

FRAMES = list(GOLDEN.values())


class TestFramer:
    @given(st.data())
    def test_however_a_stream_is_cut_the_same_bodies_come_out(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(FRAMES), max_size=6))
        stream = b"".join(chosen)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
        framer = Framer()
        bodies: list[bytes] = []
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            bodies += map(bytes, framer.feed(stream[start:stop]))
        assert bodies == [frame[HEADER_BYTES:] for frame in chosen]
        assert not framer.rest

    @pytest.mark.parametrize("frame", FRAMES, ids=list(GOLDEN))
    def test_a_frame_in_two_pieces_comes_out_with_the_second(self, frame: bytes) -> None:
        for cut in range(1, len(frame)):
            framer = Framer()
            assert not framer.feed(frame[:cut])
            assert framer.rest
            (body,) = framer.feed(frame[cut:])
            assert body == frame[HEADER_BYTES:]
            assert not framer.rest

    def test_a_frame_of_no_bytes_is_a_frame(self) -> None:
        assert [bytes(body) for body in Framer().feed(bytes(8))] == [b"", b""]

    def test_too_long_a_frame_is_refused_by_its_header_and_nothing_is_kept(self) -> None:
        framer = Framer()
        assert not framer.feed(b"\x00\x20\x00")
        with pytest.raises(WireError, match=r"2,097,152 bytes; at most 1,048,576.*frame-too-long"):
            framer.feed(b"\x00")
        assert not framer.rest

    @pytest.mark.parametrize("before", [b"", encode(Ping(1))])
    def test_so_is_one_that_is_there_in_one_piece(self, before: bytes) -> None:
        length = MAX_FRAME_BYTES + 1
        with pytest.raises(WireError, match="frame-too-long"):
            Framer().feed(before + length.to_bytes(HEADER_BYTES, "big") + bytes(length))

    @pytest.mark.parametrize("cut", [0, 1, 3])
    def test_what_answers_in_http_is_told_from_too_long_a_frame(self, cut: int) -> None:
        framer, data = Framer(), b"HTTP/1.1 400 Bad Request"
        assert not framer.feed(data[:cut])
        with pytest.raises(WireError, match=r"^the other side speaks HTTP.* \(frame-too-long\)$"):
            framer.feed(data[cut:])

    @pytest.mark.parametrize("pieces", [1, 2])
    def test_a_frame_of_exactly_1_mib_passes_whole_and_in_pieces(self, pieces: int) -> None:
        frame = MAX_FRAME_BYTES.to_bytes(HEADER_BYTES, "big") + bytes(MAX_FRAME_BYTES)
        framer, size = Framer(), -(-len(frame) // pieces)
        bodies = [framer.feed(frame[at : at + size]) for at in range(0, len(frame), size)]
        assert [len(body) for body in bodies[-1]] == [MAX_FRAME_BYTES]

    def test_one_at_a_time_in_a_handshake(self) -> None:
        """While hands are shaken a frame comes out alone; `feed` of nothing gives the next."""
        first, second, third = (encode(Ping(at)) for at in range(3))
        framer = Framer(shakes=True)
        assert [bytes(it) for it in framer.feed(first + second + third)] == [first[HEADER_BYTES:]]
        assert [bytes(it) for it in framer.feed(b"")] == [second[HEADER_BYTES:]]
        framer.up(None)
        assert [bytes(it) for it in framer.feed(b"")] == [third[HEADER_BYTES:]]

    def test_it_may_be_told_to_take_less_and_more_later_on(self) -> None:
        framer = Framer(most=10)
        with pytest.raises(WireError, match="at most 10 are allowed"):
            framer.feed(b"\0\0\0\x0b")
        framer.most = 11
        assert not framer.feed(b"\0\0\0\x0b")

    def test_one_byte_at_a_time(self) -> None:
        """A peer that dribbles costs work and memory in proportion to its bytes, not their square.

        What is already there is copied when the header is complete and when the frame is, and
        otherwise only as the buffer grows.
        """
        frame = (50_000).to_bytes(HEADER_BYTES, "big") + bytes(50_000)
        framer = CountingFramer()
        bodies = [body for at in range(len(frame)) for body in framer.feed(frame[at : at + 1])]
        assert [len(body) for body in bodies] == [50_000]
        assert framer.bytes_cut <= 2 * len(frame)
        assert framer.max_held <= len(frame) * 9 // 8 + 100  # a bytearray grows by an eighth

    @given(st.lists(st.binary(max_size=40), max_size=20))
    def test_random_bytes_give_no_more_than_was_fed(self, pieces: list[bytes]) -> None:
        framer, seen = Framer(most=1_000), 0
        try:
            for piece in pieces:
                seen += sum(HEADER_BYTES + len(body) for body in framer.feed(piece))
        except WireError as error:
            assert error.code == "frame-too-long"  # noqa: PT017  # the bytes decide
        assert seen <= sum(map(len, pieces))

    @given(st.data())
    def test_changed_frames_give_messages_or_an_error(self, data: st.DataObject) -> None:
        stream = mutated(data, b"".join(data.draw(st.lists(st.sampled_from(FRAMES), max_size=4))))
        try:
            for body in Framer().feed(stream):
                decode(body)
        except WireError:
            pass


class CountingFramer(Framer):
    """Counts the bytes that are handled again, and those that are held."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes_cut = 0
        self.max_held = 0

    def feed(self, data: bytes) -> Sequence[Bytes]:
        bodies = super().feed(data)
        self.max_held = max(self.max_held, sys.getsizeof(self.rest))
        return bodies

    def _cut(self, data: bytes) -> Sequence[Bytes]:
        self.bytes_cut += len(data)
        return super()._cut(data)
