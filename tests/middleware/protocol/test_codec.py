"""Decoding: whatever comes in is a message, or an error that says why not."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import HEADER_BYTES, WireError, decode, encode, version_of
from sidegate.protocol.messages import MAX_CHECKS, Answers, Message
from tests.middleware.golden import GOLDEN, NODE
from tests.middleware.protocol.mutation import mutated

BODIES = [frame[HEADER_BYTES:] for frame in GOLDEN.values()]

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
            (pack(4, 1, "owner", "n", None, [[1] * 26]), "length"),
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
    def test_what_is_no_message_is_refused_with_a_reason(self, body: bytes, reason: str) -> None:
        with pytest.raises(WireError, match=rf"(?i){reason}.*\(bad-message\)"):
            decode(body)

    @given(st.binary(max_size=200))
    def test_random_bytes_are_a_message_or_refused_and_nothing_else(self, body: bytes) -> None:
        expect_message_or_wire_error(decode, body)
        version_of(body)

    @given(st.data())
    def test_so_are_messages_with_some_bytes_changed(self, data: st.DataObject) -> None:
        body = mutated(data, data.draw(st.sampled_from(BODIES)))
        expect_message_or_wire_error(decode, body)
        version_of(body)

    @given(st.lists(VALUES, max_size=8))
    def test_so_are_other_values_in_the_place_of_fields(self, values: list[object]) -> None:
        for kind in range(19):
            body = pack(kind, *values)
            expect_message_or_wire_error(decode, body)
            version_of(body)

    def test_the_version_is_found_in_a_hello_of_any_layout_and_nowhere_else(self) -> None:
        assert version_of(encode(NODE)[HEADER_BYTES:]) == 1
        assert version_of(pack(0, 7, {"another": "layout"})) == 7
        assert version_of(pack(15, 7)) is None
        assert version_of(pack(0)) is None
        assert version_of(pack(0, "7")) is None
        assert version_of(b"\x92\x00") is None


def test_a_reason_that_says_nothing_is_refused() -> None:
    """An answer is a decision or a reason; a node that sends neither is to blame itself."""
    frame = encode(Answers(1, "owner", "n1", None, [""]))
    with pytest.raises(WireError, match="not a message of version 1"):
        decode(frame[HEADER_BYTES:])


def expect_message_or_wire_error(read: Callable[[bytes], Message], body: bytes) -> None:
    try:
        message = read(body)
    except WireError as error:
        assert error.code == "bad-message"  # noqa: PT017  # whether it is raised is up to the bytes
    else:
        assert isinstance(message, Message)
