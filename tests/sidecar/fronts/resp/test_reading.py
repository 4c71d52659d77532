"""Commands out of bytes: all that are whole, as they were sent; of all else a fault, and little."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.fronts.resp import reading
from sidegate_sidecar.fronts.resp.reading import MAX_ARGUMENTS, MAX_COMMAND, read
from tests.sidecar.fronts.resp.speaking import command, joined

CHECK = command("CL.THROTTLE", "user:123", 15, 30, 60, 1)
# What looks like the beginning of something else, or its end, among what doesn't.
PIECES = st.sampled_from([b"", b"a", b"\r\n", b"*", b"$", b"12", b"%", b">9", b"\0", b"\xff", b" "])
WORDS = st.lists(PIECES, max_size=4).map(b"".join)


def _nothing(data: bytes) -> tuple[list[list[bytes]], bytes]:
    return [], data


COMMANDS = st.lists(st.lists(WORDS, min_size=1, max_size=12), max_size=6)


@given(COMMANDS, st.lists(st.integers(1, 30)))
def test_commands_are_read_as_they_were_sent(sent: list[list[bytes]], cuts: list[int]) -> None:
    """Whatever is in them, and in whatever pieces they come."""
    data, rest, found = joined(sent), b"", list[list[bytes]]()
    for cut in [*cuts, len(data)]:
        rest, data = rest + data[:cut], data[cut:]
        commands, rest, fault = read(rest)
        assert not fault
        found += commands
    assert (found, rest) == (sent, b"")


@given(COMMANDS)
def test_both_ways_to_read_find_the_same(sent: list[list[bytes]]) -> None:
    """That of hiredis, and ours where it isn't let."""
    data = joined([*sent, [b"PING"]])[:-3]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "_by_hiredis", _nothing)
        ours = read(data)
    assert ours == read(data)
    assert ours.commands == sent


@given(
    st.lists(PIECES | st.binary(max_size=5) | st.sampled_from([b"*1\r\n", b"$1\r\n", b"~2\r\n"]))
)
def test_no_bytes_raise_anything(pieces: list[bytes]) -> None:
    """A fault ends it; else the rest is kept, and is part of what came."""
    data = b"".join(pieces)
    commands, rest, fault = read(data)
    assert all(isinstance(word, bytes) for it in commands for word in it)
    assert data.endswith(rest)
    assert len(rest) <= MAX_COMMAND
    assert not (fault and rest)


FAULTS = {
    b"*1\r\n$1073741824\r\nabc": "invalid bulk length '1073741824': expected a whole",
    b"*1073741824\r\n": "invalid multibulk length '1073741824': expected a whole number up to 128",
    b"*4294967296\r\n$1\r\n": "invalid multibulk length '4294967296'",
    b"*99999999999999999999999999\r\n": "invalid multibulk length '99999999999999999999'",
    b"*one\r\n": "invalid multibulk length 'one'",
    b"*+1\r\n": "invalid multibulk length '+1'",
    b"*1\r\n$-1\r\n": "invalid bulk length -1: expected 0 to 16,384",
    b"*1\r\n$x\r\n": "invalid bulk length 'x'",
    b"*1\r\n:1\r\n": "expected '$', got ':'",
    b"*1\r\n*1\r\n$1\r\na\r\n": "expected '$', got '*'",
    b"*2\r\n$4\r\nPING\r\nPING\r\n": "expected '$', got 'P'",
    b"*1\r\n%1\r\n": "expected '$', got '%'",
    b"x" * (MAX_COMMAND + 1): "expected at most 16,384 bytes in a command",
    b" x" * (MAX_ARGUMENTS + 1) + b"\n": "129 words: expected at most 128",
    b"*2\r\n$16384\r\n" + b"x" * MAX_COMMAND: "expected at most 16,384 bytes in a command",
}


@pytest.mark.parametrize("data", FAULTS)
def test_a_fault_is_named(data: bytes) -> None:
    """What came before it is still done."""
    assert FAULTS[data] in read(data).fault
    commands, rest, fault = read(CHECK + data)
    assert len(commands) == 1
    assert rest == b""
    assert FAULTS[data] in fault


def test_lines_are_commands_too() -> None:
    """As people type them; an empty one is none, and commands of both kinds may be mixed."""
    data = b"ping\r\n\r\nset a  b\n" + CHECK + b"quit\r\npi"
    commands, rest, fault = read(data)
    assert commands[:3] == [[b"ping"], [], [b"set", b"a", b"b"]]
    assert commands[4:] == [[b"quit"]]
    assert (rest, fault) == (b"pi", "")


@pytest.mark.parametrize("empty", [b"*0\r\n", b"*-1\r\n", b"\r\n"])
def test_an_empty_command_is_one_without_words(empty: bytes) -> None:
    assert read(CHECK + empty + CHECK).commands[1] == []


@pytest.mark.parametrize(
    "hostile",
    [
        b"*4294967295\r\n",
        b"~4294967295\r\n",
        b">4294967295\r\n",
        b"*1\r\n%1000000000\r\n",
        b"*9\r\n" * 4_000,
        b"*1\r\n" * 4_000,
        b"*1\r\n$1\r\nxxx*4294967295\r\n",  # hiredis skips two bytes after a string, unseen
    ],
)
def test_hostile_bytes_take_no_memory(hostile: bytes) -> None:
    """Neither at once nor a byte after the other: hiredis alone would ask for 32 GiB."""
    tracemalloc.start()
    try:
        for data in (hostile, CHECK + hostile):
            read(data)
        for end in range(min(len(hostile), 200)):
            read(hostile[:end])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20


def test_sound_commands_are_read_by_hiredis(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a pipeline but the last, which isn't whole."""
    seen: list[int] = []
    by_hand = reading._next

    def noting(data: bytes, at: int) -> tuple[list[bytes], int]:
        seen.append(at)
        return by_hand(data, at)

    monkeypatch.setattr(reading, "_next", noting)
    commands, rest, _ = read(CHECK * 200 + CHECK[:9])
    assert (len(commands), rest, len(seen)) == (200, CHECK[:9], 1)
