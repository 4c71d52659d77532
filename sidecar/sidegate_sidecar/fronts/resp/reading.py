"""Reading: commands out of what one client of Redis has sent. Pure.

hiredis reads in a tenth of the time that Python takes, but it is made for replies of a server that
one trusts: for `*4294967295` it asks for 32 GiB at once, and it knows all types of RESP3. So it is
only given what can do no harm whatever it means, and of that only what is an array of byte strings
counts. All else, the commands that are no array among it, is read here, within the same bounds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, cast

from hiredis import (
    HiredisError,
    Reader,
    pack_command,  # pyright: ignore[reportUnknownVariableType]  # its stub lacks what it returns
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_COMMAND = 16 << 10  # bytes: a check takes 100, and 700 with the longest key
MAX_ARGUMENTS = 128  # of a command: a check has six, and DEL as many keys as one waits for
_MAX_DIGITS = 20  # of a length, its sign included
_NUMBER = re.compile(rb"0|-?[1-9][0-9]*")
_SHAPE = bytes.maketrans(b"0123456789%~>|", b"0000000000****")
_MANY = b"*00"  # in that shape: something of ten parts or more, or a key that looks so
_packed = cast("Callable[[tuple[bytes, ...]], bytes]", pack_command)


class Read(NamedTuple):
    """Whole commands, the beginning of one more, and what is wrong with that one, if anything is.

    After a fault nothing that this side sends can be understood.
    """

    commands: list[list[bytes]]
    rest: bytes
    fault: str


class _UnreadableError(Exception):
    """What comes is no command."""


class _UnfinishedError(Exception):
    """What comes may be the beginning of a command."""


def read(data: bytes) -> Read:
    """Read all commands that are whole; an empty line is one without words."""
    commands, rest = _by_hiredis(data)
    at = 0
    try:
        while at < len(rest):
            command, at = _next(rest, at)
            commands.append(command)
    except _UnfinishedError:
        pass
    except _UnreadableError as error:
        return Read(commands, b"", str(error))
    rest = rest[at:]
    if len(rest) > MAX_COMMAND:
        return Read(commands, b"", f"expected at most {MAX_COMMAND:,} bytes in a command")
    return Read(commands, rest, "")


def _by_hiredis(data: bytes) -> tuple[list[list[bytes]], bytes]:
    """Return the commands that hiredis finds, and what it left; nothing if there is any doubt.

    Hot: 0.3 µs a check, where `_next` takes 3.
    """
    if not data.startswith(b"*") or _MANY in data.translate(_SHAPE):
        return [], data
    reader = Reader(notEnoughData=False)
    reader.feed(data)
    commands: list[list[bytes]] = []
    gets = cast("Callable[[], list[bytes] | bool]", reader.gets)
    try:
        while (command := gets()) is not False:
            if type(command) is not list:
                return [], data
            b"".join(command)  # a TypeError, unless all of it are bytes
            commands.append(command)
    except (HiredisError, TypeError, ValueError):
        return [], data
    # It doesn't tell where the last one ends, but each is written in one way only.
    return commands, data[sum(len(_packed(tuple(it))) for it in commands) :]


def _next(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the command that begins there, and where it ends; one of no arguments is none."""
    if data[at : at + 1] != b"*":
        return _line(data, at)
    count, at = _number(data, at + 1, "multibulk length", MAX_ARGUMENTS)
    command: list[bytes] = []
    for _ in range(count):
        if at >= len(data):
            raise _UnfinishedError
        if data[at : at + 1] != b"$":
            raise _UnreadableError(f"expected '$', got {chr(data[at])!r}")
        size, at = _number(data, at + 1, "bulk length", MAX_COMMAND)
        if size < 0:
            raise _UnreadableError(f"invalid bulk length {size}: expected 0 to {MAX_COMMAND:,}")
        if at + size + 2 > len(data):
            raise _UnfinishedError
        command.append(data[at : at + size])
        at += size + 2
    return command, at


def _line(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the words of a line, as people type it."""
    end = data.find(b"\n", at, at + MAX_COMMAND + 1)
    if end < 0:
        raise _UnfinishedError
    words = data[at:end].split()
    if len(words) > MAX_ARGUMENTS:
        raise _UnreadableError(f"{len(words):,} words: expected at most {MAX_ARGUMENTS}")
    return words, end + 1


def _number(data: bytes, at: int, what: str, most: int) -> tuple[int, int]:
    """Return the number in a line, and where the next one begins."""
    end = data.find(b"\r\n", at, at + _MAX_DIGITS + 2)
    if end < 0 and len(data) - at < _MAX_DIGITS + 2:
        raise _UnfinishedError
    digits = data[at : end if end >= 0 else at + _MAX_DIGITS]
    if end < 0 or not _NUMBER.fullmatch(digits) or int(digits) > most:
        said = digits.decode("latin-1")
        raise _UnreadableError(f"invalid {what} {said!r}: expected a whole number up to {most:,}")
    return int(digits), end + 2
