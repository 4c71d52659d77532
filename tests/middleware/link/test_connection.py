"""One connection from both sides, over a wire that keeps every write: what leaves when."""

import asyncio

import pytest

from sidegate.link.connection import Connection
from sidegate.protocol.codec import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    MAX_HELLO_BYTES,
    Refused,
    WireError,
    encode,
)
from sidegate.protocol.messages import Error, Ping, Pong, Roster
from tests.middleware.link.ends import Wire, carry, ends, shaken, side, wire
from tests.support.in_process.cluster import eventually

# The handshake


async def test_only_the_dialling_side_speaks_first() -> None:
    dialling, accepting = ends()
    assert [type(it).__name__ for it in wire(dialling).messages()] == ["Hello"]
    assert wire(accepting).writes == []


async def test_after_the_handshake_both_sides_know_each_other() -> None:
    """Each side hears once that the connection is up, and knows who is there."""
    dialling, accepting = shaken()
    assert [side(end).ups for end in (dialling, accepting)] == [1, 1]
    assert dialling.peer is not None
    assert accepting.peer is not None
    assert (dialling.peer.name, accepting.peer.name) == ("n1", "shop")
    assert all(end.shaken.is_set() and not end.closed.is_set() for end in (dialling, accepting))


async def test_a_handshake_may_come_byte_by_byte() -> None:
    dialling, accepting = ends()
    while not (dialling.is_up and accepting.is_up):
        for sender, receiver in ((dialling, accepting), (accepting, dialling)):
            data = b"".join(wire(sender).writes)
            wire(sender).writes.clear()
            for byte in data:
                receiver.data_received(bytes([byte]))
    assert side(accepting).lost_with == []


async def test_before_the_handshake_frames_are_short() -> None:
    """A stranger can't make us hold a long frame; whoever has shaken hands may send one."""
    header = (MAX_HELLO_BYTES + 1).to_bytes(4, "big")
    _, stranger = ends()
    stranger.data_received(header)
    [error] = wire(stranger).messages()
    assert isinstance(error, Error)
    assert (error.code, f"{MAX_HELLO_BYTES:,}" in error.text) == ("frame-too-long", True)
    assert wire(stranger).closing
    _, friend = shaken()
    friend.data_received(header)
    assert not wire(friend).closing


async def test_a_long_message_may_come_right_behind_the_handshake() -> None:
    """The ring of a large cluster comes in one read with the last word of the handshake."""
    dialling, accepting = ends()
    carry(dialling, accepting)
    carry(accepting, dialling)
    roster = Roster("digest", [(f"node{at}", f"10.0.0.1:{at}") for at in range(2_000)])
    carry(dialling, accepting)
    accepting.send(roster)
    accepting._flush()
    carry(accepting, dialling)
    assert side(dialling).heard == [roster]


async def test_messages_right_behind_the_handshake_are_heard() -> None:
    dialling, accepting = ends()
    carry(dialling, accepting)
    carry(accepting, dialling)
    dialling.send(Ping(1))
    dialling._flush()
    carry(dialling, accepting)
    assert side(accepting).heard == [Ping(1)]


# What leaves when


async def test_a_message_leaves_at_once() -> None:
    """What isn't an answer waits for nothing; the loop joins what is written in one turn."""
    dialling, _ = shaken()
    for number in range(3):
        dialling.send(Ping(number))
        assert len(wire(dialling).writes) == number + 1
    assert wire(dialling).messages() == [Ping(number) for number in range(3)]


async def test_answers_leave_when_all_questions_of_one_read_are_heard() -> None:
    """Answers to what came in one read leave in one write, without waiting for the loop."""
    dialling, accepting = shaken()
    for number in range(100):
        dialling.send(Ping(number))
    await asyncio.sleep(0)
    carry(dialling, accepting)
    assert len(wire(accepting).writes) == 1
    assert wire(accepting).messages() == [Pong(number) for number in range(100)]
    await asyncio.sleep(0)
    assert wire(accepting).writes == []


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 100])
async def test_messages_are_heard_however_they_are_cut(size: int) -> None:
    _, accepting = shaken()
    data = b"".join(encode(Ping(number)) for number in range(20))
    for start in range(0, len(data), size):
        accepting.data_received(data[start : start + size])
    assert side(accepting).heard == [Ping(number) for number in range(20)]


def since(end: Connection) -> float | None:
    return end.unfinished_since


async def test_a_frame_that_is_not_finished_is_noted_with_its_time() -> None:
    _, accepting = shaken()
    clock = asyncio.get_running_loop().time
    data = encode(Ping(1))
    assert since(accepting) is None
    before = clock()
    accepting.data_received(data[:3])
    began = since(accepting)
    assert began is not None
    assert before <= began <= clock()
    accepting.data_received(data[3:5])
    assert since(accepting) == began
    await eventually(lambda: clock() > began)
    accepting.data_received(data[5:] + data[:3])
    assert since(accepting) != began
    assert since(accepting) is not None
    accepting.data_received(data[3:])
    assert since(accepting) is None


async def test_a_peer_that_does_not_read_is_not_read_from() -> None:
    """The accepting side stops reading while too much waits to be read, and then goes on."""
    _, accepting = shaken()
    assert wire(accepting).high is not None
    accepting.data_received(encode(Ping(1))[:3])
    accepting.pause_writing()
    assert not wire(accepting).reading
    assert accepting.unfinished_since is None  # which is nobody's fault but ours
    accepting.resume_writing()
    assert wire(accepting).reading


async def test_the_dialling_side_always_reads() -> None:
    """Of two sides that wait for each other to read, one goes on."""
    dialling, _ = shaken()
    dialling.pause_writing()
    assert wire(dialling).reading


async def test_a_closing_connection_is_left_alone() -> None:
    _, accepting = shaken()
    wire(accepting).closing = True
    accepting.pause_writing()
    assert wire(accepting).reading


# The end


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xff\xff\xff", "frame-too-long"),
        ((MAX_FRAME_BYTES + 1).to_bytes(4, "big"), "frame-too-long"),
        (b"\0\0\0\0", "bad-message"),
        (b"\0\0\0\x01\xc1", "bad-message"),
    ],
)
async def test_nonsense_is_answered_by_an_error_and_the_end(data: bytes, code: str) -> None:
    """What isn't a message gets a word why, and is the last thing that is heard."""
    _, accepting = shaken()
    accepting.data_received(encode(Ping(1)) + data)
    pong, error = wire(accepting).messages() if code == "bad-message" else (Pong(1), None)
    assert pong == Pong(1)
    if code == "bad-message":
        assert isinstance(error, Error)
        assert error.code == code
    else:  # the whole read is given up
        accepting.data_received(b"")
    assert wire(accepting).closing
    accepting.connection_lost(None)
    [lost_with] = side(accepting).lost_with
    assert isinstance(lost_with, WireError)
    assert lost_with.code == code


async def test_nothing_is_heard_after_an_error_in_the_same_read() -> None:
    _, accepting = shaken()
    accepting.data_received(b"\0\0\0\x01\xc1" + encode(Ping(2)))
    assert side(accepting).heard == []


async def test_an_error_is_not_answered_by_an_error() -> None:
    """When the other side says what is wrong it gets no word back, and the handler its words."""
    dialling, accepting = shaken()
    accepting.fail(WireError("busy", "no more fit"))
    carry(accepting, dialling)
    assert wire(dialling).writes == []
    assert wire(dialling).closing
    dialling.connection_lost(None)
    [lost_with] = side(dialling).lost_with
    assert isinstance(lost_with, Refused)
    assert (lost_with.code, lost_with.text) == ("busy", "no more fit")


async def test_a_long_error_is_cut() -> None:
    """What the other side sent may be quoted in an error, but not at any length."""
    _, accepting = shaken()
    accepting.fail(WireError("bad-message", "x" * 10_000))
    [error] = wire(accepting).messages()
    assert error == Error("bad-message", "x" * 500)


async def test_what_was_sent_in_the_turn_of_the_closing_still_leaves() -> None:
    dialling, _ = shaken()
    dialling.send(Ping(1))
    dialling.close()
    assert wire(dialling).messages() == [Ping(1)]
    assert (wire(dialling).closing, wire(dialling).cut) == (True, False)
    dialling.close()
    dialling.send(Ping(2))
    await asyncio.sleep(0)
    assert wire(dialling).writes == []


async def test_nothing_is_sent_after_aborting() -> None:
    dialling, _ = shaken()
    dialling.abort()
    dialling.send(Ping(1))
    assert wire(dialling).writes == []
    assert wire(dialling).cut


async def test_the_handler_hears_of_the_end_once_with_its_reason() -> None:
    """The reason is the error that was sent, or else what the network says; waiters go on."""
    dialling, accepting = shaken()
    reset = ConnectionResetError("by peer")
    dialling.connection_lost(reset)
    accepting.fail(WireError("timeout", "too slow"))
    accepting.connection_lost(reset)
    assert side(dialling).lost_with == [reset]
    assert [str(error) for error in side(accepting).lost_with] == ["too slow (timeout)"]
    assert all(end.closed.is_set() for end in (dialling, accepting))


async def test_a_connection_that_ends_in_the_handshake_wakes_who_waits_for_it() -> None:
    """`shaken` is set when there will be no handshake any more, and `is_up` is false."""
    dialling, _ = ends()
    dialling.connection_lost(None)
    assert dialling.shaken.is_set()
    assert not dialling.is_up


async def test_the_address_of_the_other_side_is_known_on_tcp() -> None:
    """`remote_host` is an IP address on TCP, and empty on a Unix socket."""
    _, accepting = ends()
    assert accepting.remote_host == "10.1.2.3"
    accepting.connection_made(Wire(peername=""))
    assert accepting.remote_host == ""
    assert HEADER_BYTES == 4
