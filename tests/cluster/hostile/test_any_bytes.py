"""Any bytes are messages, a handshake, or an error, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidegate.protocol.codec import WireError, encode
from sidegate.protocol.handshake import Accepting, Dialling
from sidegate.protocol.messages import Checks, Hello, Inspect, Ping, Roster
from tests.cluster.hostile.fuzzed_frames import IDENTITY, approve, take
from tests.cluster.hostile.watched import NONCE
from tests.support.in_process.puppets import APP, frame

if TYPE_CHECKING:
    from sidegate.protocol.messages import Message


numbers = st.integers(0, 2**63)
words = st.text(max_size=9)
messages = st.one_of(
    st.builds(Checks, numbers, numbers, numbers, st.just([("k", "1/d", 1)])),
    st.builds(Ping, numbers),
    st.builds(Inspect, numbers, numbers, words),
    st.builds(Hello, numbers, words, words, words, st.binary(max_size=40), words),
    st.builds(Roster, words, st.lists(st.tuples(words, words), max_size=3)),
)


@given(st.binary(max_size=200))
@example(b"\0\0\0\0")
@example(b"\x91" * 200)
def test_any_bytes_are_messages_or_an_error(data: bytes) -> None:
    """Nothing but a WireError comes out of the codec, whatever goes in, framed or not."""
    for stream in (data, frame(data)):
        with suppress(WireError):
            take(stream)


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_bytes_are_a_handshake_or_an_error(bodies: list[bytes]) -> None:
    """Nothing but a WireError comes out of either side of a handshake."""
    for handshake in (Accepting(IDENTITY, NONCE, approve=approve), Dialling(APP, NONCE, "")):
        with suppress(WireError):
            for body in bodies:
                assert not handshake.done
                handshake.receive(body)


@given(st.data(), messages)
@settings(max_examples=300)
def test_messages_with_a_few_bytes_changed_are_messages_or_an_error(
    data: st.DataObject, message: Message
) -> None:
    """A message that was damaged on its way is another message or an error, nothing worse."""
    body = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        take(bytes(body))
    with suppress(WireError):
        Accepting(IDENTITY, NONCE, approve=approve).receive(bytes(body[4:]))
