"""Seals: what passes, and what a relay without the key can't get past them, in any chunks."""

from hashlib import blake2b
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import HEADER_BYTES, Framer, WireError, encode
from sidegate.protocol.messages import Ping
from sidegate.protocol.seal import TAG_BYTES, Seal
from tests.middleware.golden import GOLDEN, SEALED

KEY, OTHER = bytes(range(32)), bytes(32)
FRAMES = [encode(Ping(at)) for at in range(4)]
frames = st.lists(st.binary(max_size=200).map(lambda body: len(body).to_bytes(4, "big") + body))


def sealed(plain: list[bytes], key: bytes = KEY) -> list[bytes]:
    seal = Seal(key)
    return [seal.sealed(frame) for frame in plain]


def opened(stream: bytes, cuts: list[int], key: bytes = KEY) -> list[bytes]:
    """Return the bodies that a framer finds in a stream that comes in pieces."""
    framer = Framer()
    framer.up(Seal(key))
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    return [bytes(body) for piece in pieces for body in framer.feed(piece)]


def bodies_of(plain: list[bytes]) -> list[bytes]:
    return [frame[HEADER_BYTES:] for frame in plain]


class TestHonest:
    @given(frames, st.data())
    def test_frames_may_be_cut_anywhere(self, plain: list[bytes], data: st.DataObject) -> None:
        stream = b"".join(sealed(plain))
        cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
        assert opened(stream, cuts) == bodies_of(plain)

    @given(frames)
    def test_frames_sealed_together_are_those_sealed_one_by_one(self, plain: list[bytes]) -> None:
        assert Seal(KEY).all_sealed(b"".join(plain)) == b"".join(sealed(plain))

    def test_the_tag_is_of_all_frames_so_far(self) -> None:
        """As protocol.md has it: a keyed hash of what was sent, with lengths, without tags."""
        last = sealed(FRAMES)[-1]
        stream = b"".join(FRAMES)
        assert last == FRAMES[-1] + blake2b(stream, key=KEY, digest_size=TAG_BYTES).digest()

    @pytest.mark.parametrize(
        ("side", "names"),
        [("dialling", ("Checks", "Ping")), ("accepting", ("Answers to all", "Pong"))],
    )
    def test_the_tags_are_those_of_protocol_md(self, side: str, names: tuple[str, str]) -> None:
        plain = [GOLDEN[name] for name in names]
        key = bytes.fromhex(SEALED[f"key of the {side} side"])
        tags = [frame[-TAG_BYTES:].hex() for frame in sealed(plain, key)]
        assert tags == [SEALED[f"tag of {name}"] for name in names]


@st.composite
def tampered(draw: st.DrawFn) -> list[bytes]:
    """Return some sealed frames as a relay may pass them on: never those that were sent."""
    sent = sealed(FRAMES)
    at, to = draw(st.permutations(range(len(sent))).map(lambda order: order[:2]))
    match draw(st.sampled_from(["flip", "drop", "repeat", "swap", "make up", "mirror", "retag"])):
        case "flip":
            frame = bytearray(sent[at])
            frame[draw(st.integers(0, len(frame) - 1))] ^= 1 << draw(st.integers(0, 7))
            sent[at] = bytes(frame)
        case "drop":
            del sent[draw(st.integers(0, len(sent) - 2))]  # the last one is a connection cut short
        case "repeat":
            sent.insert(to, sent[at])
        case "swap":
            sent[at], sent[to] = sent[to], sent[at]
        case "make up":
            sent.insert(at, encode(Ping(9)) + draw(st.binary(min_size=16, max_size=16)))
        case "mirror":
            sent.insert(at, sealed(FRAMES, OTHER)[0])  # what the other side has sent
        case _:
            sent[at] = sent[at][:-TAG_BYTES] + sent[to][-TAG_BYTES:]
    return sent


class TestRelay:
    @given(tampered(), st.data())
    def test_nothing_passes_but_what_was_sent(
        self, passed_on: list[bytes], data: st.DataObject
    ) -> None:
        """A relay gets frames through in their order up to where it did something, and no more."""
        stream = b"".join(passed_on)
        framer = Framer()
        framer.up(Seal(KEY))
        came: list[bytes] = []
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        places = [0, *cuts, len(stream)]
        try:
            for start, end in pairwise(places):
                came += map(bytes, framer.feed(stream[start:end]))
        except WireError as error:
            assert error.code in {"changed", "frame-too-long"}  # noqa: PT017  # the bytes decide
        else:
            assert framer.rest  # a length was changed: it waits for more
        assert came == bodies_of(FRAMES)[: len(came)]
        assert len(came) < len(FRAMES)

    def test_the_error_tells_what_happened_with_a_code_of_its_own(self) -> None:
        with pytest.raises(WireError, match=r"frames .* were changed on the way \(changed\)"):
            opened(encode(Ping(1)) + bytes(TAG_BYTES), [])

    def test_the_bytes_behind_a_frame_without_a_tag_are_read_as_its_tag(self) -> None:
        with pytest.raises(WireError, match="changed"):
            opened(b"".join(FRAMES) * 3, [])
