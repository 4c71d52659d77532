"""The codec: what goes out is what the protocol says, and nothing that comes in does harm."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.errors import KeyTooLong
from sidegate.protocol import messages as wire
from sidegate.protocol.messages import (
    HEADER_BYTES,
    MAX_CHECKS,
    MAX_FRAME_BYTES,
    MAX_KEY_BYTES,
    Answers,
    Buckets,
    Bytes,
    Charged,
    Checks,
    Framer,
    Gossip,
    Hello,
    Message,
    Ping,
    Resets,
    WireError,
    decode,
    encode,
    require_key,
    version_of,
)
from sidegate_ring.membership.messages import MAX_ADDRESS_BYTES, MAX_IN_FULL, MAX_NAME_BYTES
from sidegate_sidecar.replication.corrections.ledger import BATCH as CHARGES
from sidegate_sidecar.replication.corrections.resets import BATCH as RESETS
from sidegate_sidecar.replication.outbox import BATCH
from tests.middleware.golden import GOLDEN, NODE, SEALED, frame_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.protocol.messages import StoodIn

PROTOCOL = Path(__file__).parents[3] / "docs/internals/protocol.md"
FRAMES = [frame_of(text) for _, text in GOLDEN.values()]
BODIES = [frame[HEADER_BYTES:] for frame in FRAMES]

SCALARS: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=40),
)
VALUES: st.SearchStrategy[object] = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=4), st.dictionaries(st.text(max_size=3), SCALARS)
)


def pack(*values: object) -> bytes:
    return msgspec.msgpack.encode(list(values))


class TestBytes:
    @pytest.mark.parametrize("name", GOLDEN)
    def test_golden(self, name: str) -> None:
        """Every message has the bytes that other languages rely on, and is read back from them."""
        message, text = GOLDEN[name]
        assert encode(message) == frame_of(text)
        assert decode(frame_of(text)[HEADER_BYTES:]) == message

    def test_every_message_is_golden(self) -> None:
        """No kind of message is missing from the contract."""
        kinds = {type(message) for message, _ in GOLDEN.values()}
        assert kinds == set(wire.Message.__args__)

    def test_documentation(self) -> None:
        """docs/internals/protocol.md shows the same frames under the same names."""
        shown = re.findall(r"\*\*(.+)\*\*\n\n```hex\n([^`]+)```", PROTOCOL.read_text())
        assert {name: frame_of(text) for name, text in shown} == {
            name: frame_of(text) for name, (_, text) in GOLDEN.items()
        }
        for what, digits in SEALED.items():
            assert re.search(rf"^{what} +{digits}$", PROTOCOL.read_text(), re.MULTILINE), what

    def test_documented_limits(self) -> None:
        """docs/internals/protocol.md states the limits that the code has."""
        text = PROTOCOL.read_text()
        for limit in ("MAX_FRAME_BYTES", "MAX_HELLO_BYTES", "MAX_KEY_BYTES", "MAX_CHECKS"):
            assert f"{getattr(wire, limit):,}" in text, limit

    def test_whole_numbers_may_be_wide(self) -> None:
        """Encoders that don't choose the shortest form are understood."""
        wide = bytes.fromhex("92 05 cf 00 00 00 00 00 00 00 09")
        assert decode(wide) == Ping(9)

    def test_appended_fields_are_ignored(self) -> None:
        """A later release may add a field at the end without a new version."""
        assert decode(pack(5, 9, "new", {"and": ["more"]})) == Ping(9)

    def test_missing_optional_field(self) -> None:
        """`parts` may be left out, and what names checks among nodes."""
        assert decode(pack(4, 7, "owner", "n", None, [[1, 5]])) == Answers(
            7, "owner", "n", None, [[1, 5]]
        )
        assert decode(pack(3, 7, 0, 5, [["k", "1/s", 1]])) == Checks(7, 0, 5, [("k", "1/s", 1)])


class TestDecode:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"", "truncated"),
            (pack(), "length"),
            (pack(99, 1), "99"),
            (pack("5", 9), "str"),
            (pack(5), "length"),
            (pack(5, "9"), "str"),
            (pack(5, 9) + b"\0", "trailing"),
            (msgspec.msgpack.encode({"id": 9}), "object"),
            (pack(3, 1, -1, 50_000, []), ">= 0"),
            (pack(3, 1, 0, -1, []), ">= 0"),
            (pack(3, 1, 0, 1, [], -1), ">= 0"),
            (pack(8, 1, -1, "key"), ">= 0"),
            (pack(9, 1, -1, "key"), ">= 0"),
            (pack(3, 1, 0, 1, [["k", "1/s", 1.5]]), "float"),
            (pack(3, 1, 0, 1, [[b"k", "1/s", 1]]), "bytes"),
            (pack(3, 1, 0, 1, [["k", "1/s"]]), "length"),
            (pack(3, 1, 0, 1, [["k", "1/s", 1]] * (MAX_CHECKS + 1)), "length"),
            (pack(4, 1, "owner", "n", None, [[1]] * (MAX_CHECKS + 1)), "length"),
            (pack(4, 1, "owner", "n", None, [()]), "length"),
            (pack(4, 1, "owner", "n", None, [[1] * 10]), "length"),
            (pack(4, 1, "owner", "n", None, [[1]], 0), ">= 1"),
            (pack(11, 7, 1, "", "", []), "<= 6"),
            (pack(11, -1, 1, "", "", []), ">= 0"),
            (pack(11, 0, 1, "", ""), "length"),
            (pack(11, 0, 1, "", "", [["n", "h:1", 1, 0, 1]]), "length"),
            (pack(11, 0, 1, "", "", [["n", "h:1", 1, 0, True, "", 0]]), "bool"),
            (pack(12, 1, [["1/s", ["k"]]]), "length"),
            (pack(12, 1, [["1/s", ["k"], [-1]]]), ">= 0"),
            (pack(12, 1, [["1/s", ["k"], [0.5]]]), "float"),
            (pack(12, 1, [["1/s", [b"k"], [1]]]), "bytes"),
            (pack(20, 1, [["k", "1/s", [1], [[1, 0, -1]]]]), ">= 0"),
            (pack(20, 1, [["k", "1/s", [-1], []]]), ">= 0"),
            (pack(21, 1, [["1/s", "k", -1, 0]]), ">= 0"),
            (pack(26, 1, [[1, "k", -1]]), ">= 0"),
            (pack(13), "length"),
            (pack(14, 1), "length"),
            (pack(14, 1, 3), "enum"),
            (pack(16, "1"), "str"),
            (pack(17, b"k"), "bytes"),
            (bytes.fromhex("93 0f a1 ff a0"), "utf-8"),
            (bytes.fromhex("93 0f a3 ed a0 80 a0"), "utf-8"),
            (b"\x91" * 5_000, "array"),
            (b"\x93\x05\x09" + b"\x91" * 5_000, "recursion|deep|truncated"),
            (bytes.fromhex("93 07 a0 dd ff ff ff ff"), "truncated"),
            (bytes.fromhex("95 03 01 00 01 dd ff ff ff ff"), "length|truncated"),
        ],
    )
    def test_refused(self, body: bytes, reason: str) -> None:
        """What isn't a message of this version is a WireError that says why."""
        with pytest.raises(WireError, match=rf"(?i){reason}.*\(bad-message\)"):
            decode(body)

    @given(st.binary(max_size=200))
    def test_random_bytes(self, body: bytes) -> None:
        """Random bytes are a message or a WireError, and nothing else."""
        expect_message_or_wire_error(decode, body)
        version_of(body)

    @given(st.data())
    def test_mutated_bytes(self, data: st.DataObject) -> None:
        """So are the bytes of real messages with some of them changed, cut, or doubled."""
        body = mutated(data, data.draw(st.sampled_from(BODIES)))
        expect_message_or_wire_error(decode, body)
        version_of(body)

    @given(st.lists(VALUES, max_size=8))
    def test_other_values(self, values: list[object]) -> None:
        """So are other MessagePack values in the place of a message's fields."""
        for kind in range(19):
            body = pack(kind, *values)
            expect_message_or_wire_error(decode, body)
            version_of(body)

    def test_version_of(self) -> None:
        """The version is found in a Hello of any layout, and in nothing else."""
        assert version_of(encode(NODE)[HEADER_BYTES:]) == 1
        assert version_of(pack(0, 7, {"another": "layout"})) == 7
        assert version_of(pack(15, 7)) is None
        assert version_of(pack(0)) is None
        assert version_of(pack(0, "7")) is None
        assert version_of(b"\x92\x00") is None


class TestKeys:
    @pytest.mark.parametrize("key", ["", "a" * 512, "é" * 256, "€" * 170, "\U0001f600" * 128])
    def test_fits(self, key: str) -> None:
        """Up to 512 bytes of UTF-8 are a key."""
        require_key(key)

    @pytest.mark.parametrize(
        ("key", "size"),
        [("a" * 513, 513), ("é" * 257, 514), ("\U0001f600" * 129, 516), ("k" * 10_000, 10_000)],
    )
    def test_too_long(self, key: str, size: int) -> None:
        """More are refused with the number."""
        with pytest.raises(KeyTooLong, match=f"key of {size} bytes"):
            require_key(key)

    def test_half_a_surrogate_pair(self) -> None:
        """What has no bytes in UTF-8 is refused before it can spoil a frame, however short."""
        with pytest.raises(UnicodeEncodeError):
            require_key("\ud800")


class TestFramer:
    @given(st.data())
    def test_any_split(self, data: st.DataObject) -> None:
        """However a stream is cut into pieces, the same bodies come out."""
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
    def test_every_split_in_two(self, frame: bytes) -> None:
        """A frame in two pieces comes out once its second piece is there, wherever it is cut."""
        for cut in range(1, len(frame)):
            framer = Framer()
            assert not framer.feed(frame[:cut])
            assert framer.rest
            (body,) = framer.feed(frame[cut:])
            assert body == frame[HEADER_BYTES:]
            assert not framer.rest

    def test_empty_frame(self) -> None:
        """A frame of no bytes is a frame; what isn't in it is for the decoder to say."""
        assert [bytes(body) for body in Framer().feed(bytes(8))] == [b"", b""]

    def test_too_long_by_its_header(self) -> None:
        """A frame of 2 MiB is refused when its length is there, before anything is kept of it."""
        framer = Framer()
        assert not framer.feed(b"\x00\x20\x00")
        with pytest.raises(WireError, match=r"2,097,152 bytes; at most 1,048,576.*frame-too-long"):
            framer.feed(b"\x00")
        assert not framer.rest

    @pytest.mark.parametrize("before", [b"", encode(Ping(1))])
    def test_too_long_in_one_piece(self, before: bytes) -> None:
        """It is refused just so when all of it is there at once, alone or after another frame."""
        length = MAX_FRAME_BYTES + 1
        with pytest.raises(WireError, match="frame-too-long"):
            Framer().feed(before + length.to_bytes(HEADER_BYTES, "big") + bytes(length))

    @pytest.mark.parametrize("cut", [0, 1, 3])
    def test_the_answer_of_a_web_server(self, cut: int) -> None:
        """What answers in HTTP, where a sidecar was expected, is told from too long a frame."""
        framer, data = Framer(), b"HTTP/1.1 400 Bad Request"
        assert not framer.feed(data[:cut])
        with pytest.raises(WireError, match=r"^the other side speaks HTTP.* \(frame-too-long\)$"):
            framer.feed(data[cut:])

    @pytest.mark.parametrize("pieces", [1, 2])
    def test_longest(self, pieces: int) -> None:
        """A frame of exactly 1 MiB passes, whole and in pieces."""
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

    def test_less_before_the_handshake(self) -> None:
        """A framer may be told to take less, and more later on."""
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
    def test_random_bytes(self, pieces: list[bytes]) -> None:
        """Random bytes give bodies or a WireError, and never more bytes than were fed."""
        framer, seen = Framer(most=1_000), 0
        try:
            for piece in pieces:
                seen += sum(HEADER_BYTES + len(body) for body in framer.feed(piece))
        except WireError as error:
            assert error.code == "frame-too-long"  # noqa: PT017  # the bytes decide
        assert seen <= sum(map(len, pieces))

    @given(st.data())
    def test_mutated_stream(self, data: st.DataObject) -> None:
        """Real frames with some bytes changed give messages or a WireError at either step."""
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


def expect_message_or_wire_error(read: Callable[[bytes], Message], body: bytes) -> None:
    try:
        message = read(body)
    except WireError as error:
        assert error.code == "bad-message"  # noqa: PT017  # whether it is raised is up to the bytes
    else:
        assert isinstance(message, wire.Message)


def mutated(data: st.DataObject, body: bytes) -> bytes:
    """Return the body with up to four changes."""
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        match data.draw(st.sampled_from(["set", "insert", "delete", "double", "cut"])):
            case "set":
                changed[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "insert":
                changed[at:at] = data.draw(st.binary(max_size=6))
            case "delete":
                del changed[at : at + data.draw(st.integers(1, 6))]
            case "double":
                changed[at:at] = changed[at : at + 8]
            case _:
                del changed[at:]
    return bytes(changed)


def test_hello_stays_small() -> None:
    """The longest Hello there may be fits in what is taken before the handshake."""
    name = "\U0001f600" * 63
    longest = Hello(1, "node", name, name, bytes(32), f"{name}:65535", f"{name}:65535", "f" * 16)
    assert len(encode(longest)) < wire.MAX_HELLO_BYTES


def test_largest_frames() -> None:
    """The longest messages that are ever made fit into a frame.

    Those are 4,096 checks with keys of 200 bytes, their answers, a thousand rumors about nodes
    with long names, and a batch of buckets that have nothing in common.
    """
    checks = Checks(
        2**62, 0, 10**6, [("k" * 200, "10000/365 days burst 100000", 10**4)] * MAX_CHECKS
    )
    answers = Answers(
        2**62, "owner", "n" * 253, list(range(MAX_CHECKS)), [[1, *[2**62] * 8]] * MAX_CHECKS
    )
    rumor = (
        "n" * MAX_NAME_BYTES,
        "a" * MAX_ADDRESS_BYTES,
        2**53,
        3,
        1,
        "b" * MAX_NAME_BYTES,
        2**64 - 1,
    )
    gossip = Gossip(6, 2**62, "", "d" * 16, [rumor] * MAX_IN_FULL)
    group = ("1000000000000/365 days burst 1000000000000", ["k" * MAX_KEY_BYTES], [2**62])
    buckets = Buckets(2**62, [group] * BATCH)
    charge = 2**62, MAX_CHECKS, 10**12
    debts = [2**62] * 8
    rows: list[StoodIn] = [("k" * MAX_KEY_BYTES, "10000/365 days burst 100000", debts, [charge])]
    charged = Charged(2**62, rows * CHARGES)
    resets = Resets(2**62, [(2**62, "k" * MAX_KEY_BYTES, 2**62)] * RESETS)
    assert len(encode(charged)) <= MAX_FRAME_BYTES
    assert len(encode(resets)) <= MAX_FRAME_BYTES
    assert len(encode(gossip)) <= MAX_FRAME_BYTES
    assert len(encode(buckets)) <= MAX_FRAME_BYTES
    assert len(encode(checks)) <= MAX_FRAME_BYTES
    assert len(encode(answers)) <= MAX_FRAME_BYTES


def test_a_reason_that_says_nothing_is_refused() -> None:
    """An answer is a decision or a reason; a node that sends neither is to blame itself."""
    frame = encode(Answers(1, "owner", "n1", None, [""]))
    with pytest.raises(WireError, match="not a message of version 1"):
        decode(frame[HEADER_BYTES:])
