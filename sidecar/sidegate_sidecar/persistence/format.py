"""The bytes of a state file.

A file is a line of text that names its version, then chunks, then a footer. A chunk is its length
(4 bytes, big endian) and that much MessagePack. The first holds the moment of saving: ns since 1970
on the wall clock, the name of the boot of the machine, and ns since that boot. The second has the
resets that are remembered: number, key, and for how many ns from then on; and a 1 if all keys that
begin with that key were reset. The others hold groups of buckets: the text of a limit, keys, and
for each key its debt as of that moment (ns). A length of 0 ends the chunks. The footer is the
number of buckets (8 bytes) and a BLAKE2b checksum (32 bytes) of everything before it, and nothing
comes after it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, TypeAlias, TypeVar

from msgspec import Meta, MsgspecError, Struct, msgpack

from sidegate.buckets.limits import Limit, parse_limits
from sidegate.buckets.windows import undated
from sidegate_sidecar.persistence.moments import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    T = TypeVar("T")

VERSION: Final = 1
MAX_CHUNK: Final = 8 << 20  # bytes: what 10,000 resets with long keys take, and some more

_NAME: Final = b"sidegate buckets "
_LENGTH: Final = 4
_COUNT: Final = 8
_DIGEST: Final = 32
_MAX_LINE: Final = 64  # bytes: a file that is none of ours may be one endless line
_UNFINISHED: Final = ".tmp"

Row: TypeAlias = tuple[str, Limit, int]
"""(key, limit, debt in ns): one bucket."""

Held: TypeAlias = tuple[Moment, Limit, int, list[str], list[int]]
"""(moment of saving, limit, number of its window or 0, keys, debts in ns): of one limit."""

_Debt: TypeAlias = Annotated[int, Meta(ge=0)]
_Group: TypeAlias = tuple[str, list[str], list[_Debt]]
_moments: msgpack.Decoder[Moment] = msgpack.Decoder(Moment)
_groups: msgpack.Decoder[list[_Group]] = msgpack.Decoder(list[_Group])


class SavedReset(Struct, array_like=True, frozen=True):
    """A reset that is remembered: of a key, or (`begins` 1) of all keys that begin with it."""

    number: int
    key: str
    left: _Debt
    begins: Annotated[int, Meta(ge=0, le=1)] = 0


_resets: msgpack.Decoder[list[SavedReset]] = msgpack.Decoder(list[SavedReset])


class UnusableError(Exception):
    """What is wrong with a file, and what was expected."""


class Writer:
    """Writes one file beside its place, and puts it there once it is whole."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path = path
        self._beside: Path | None = None  # while it isn't in its place
        self._file: BinaryIO | None = None
        self._sum = blake2b(digest_size=_DIGEST)

    def begin(self, saved_at: Moment, resets: Sequence[SavedReset] = ()) -> None:
        """Make the file, of that moment, with the resets remembered then."""
        descriptor, self._beside = make_beside(self._path)
        self._file = os.fdopen(descriptor, "wb")
        self._write(b"%s%d\n" % (_NAME, VERSION))
        self._write_chunk(msgpack.encode(saved_at))
        self._write_chunk(msgpack.encode(resets))

    def add(self, lists: Iterable[tuple[str, list[Row]]]) -> None:
        """Add buckets in lists, each of one limit, whose text comes first, and its window."""
        groups = [
            (text, [key for key, _, _ in rows], [debt for _, _, debt in rows])
            for text, rows in lists
        ]
        self.rows += sum(len(keys) for _, keys, _ in groups)
        self._write_chunk(msgpack.encode(groups))

    def finish(self) -> None:
        """End the file, and put it in its place; it is on the disk after this."""
        self._write(bytes(_LENGTH) + self.rows.to_bytes(_COUNT, "big"))
        self._write(self._sum.digest())
        assert self._file
        assert self._beside
        self._file.flush()
        os.fsync(self._file.fileno())
        self._beside.replace(self._path)
        self._beside = None
        _sync_folder(self._path.parent)

    def discard(self) -> None:
        """Close the file, and remove it unless it is in its place."""
        with suppress(OSError):  # what is still to be written may find no room
            if self._file:
                self._file.close()
        with suppress(OSError):
            if self._beside:
                self._beside.unlink()

    def _write_chunk(self, chunk: bytes) -> None:
        self._write(len(chunk).to_bytes(_LENGTH, "big"))
        self._write(chunk)

    def _write(self, content: bytes) -> None:
        assert self._file  # it has begun
        self._file.write(content)
        self._sum.update(content)


class Reader:
    """Reads one file, a chunk at a time. What it gives counts only if it comes to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self.saved_at: Moment | None = None  # known, as the resets are, once all buckets are read
        self.resets: list[SavedReset] = []
        self._file = file
        self._at = 0  # bytes read
        self._sum = blake2b(digest_size=_DIGEST)

    def groups(self) -> Iterator[Held]:
        """Give all buckets: moment of saving, limit, window, keys, and debts (ns)."""
        self._read_version()
        saved_at = self.saved_at = self._decoded(_moments, self._chunk())
        self.resets = self._decoded(_resets, self._chunk())
        rows = 0
        while chunk := self._chunk():
            for text, keys, debts in self._decoded(_groups, chunk):
                if len(keys) != len(debts):
                    raise self._nonsense(
                        f"{len(debts)} debts for {len(keys)} keys, expected one each"
                    )
                rows += len(keys)
                yield saved_at, *self._limit(text), keys, debts
        self._read_footer(rows)

    def _read_version(self) -> None:
        line = self._file.readline(_MAX_LINE)
        expected = b"%s%d\n" % (_NAME, VERSION)
        if line != expected:
            words = ascii(line.removesuffix(b"\n").decode("latin-1"))
            named = "another version of it" if line.startswith(_NAME) else "no state file"
            raise UnusableError(
                f"it starts with {words}, expected {expected.decode().rstrip()!r}: it is {named}"
            )
        self._count(line)

    def _chunk(self) -> bytes:
        size = int.from_bytes(self._take(_LENGTH), "big")
        if size > MAX_CHUNK:
            raise self._nonsense(f"a chunk of {size:,} bytes, expected at most {MAX_CHUNK:,}")
        return self._take(size)

    def _read_footer(self, rows: int) -> None:
        said = int.from_bytes(self._take(_COUNT), "big")
        if said != rows:
            raise self._nonsense(f"{rows:,} buckets, expected {said:,} as its footer says")
        expected = self._sum.digest()
        if self._take(_DIGEST) != expected:
            raise self._nonsense("another checksum than expected from its content")
        if self._file.read(1):
            raise self._nonsense("more bytes, expected its end")

    def _take(self, size: int) -> bytes:
        content = self._file.read(size)
        if len(content) < size:
            at = self._at + len(content)
            raise UnusableError(f"it ends after {at:,} bytes, expected more: it was cut off")
        self._count(content)
        return content

    def _count(self, content: bytes) -> None:
        self._at += len(content)
        self._sum.update(content)

    def _decoded(self, decoder: msgpack.Decoder[T], chunk: bytes) -> T:
        try:
            return decoder.decode(chunk)
        except (MsgspecError, ValueError) as error:
            raise self._nonsense(
                f"what isn't buckets ({error}), expected a chunk of them"
            ) from None

    def _limit(self, text: str) -> tuple[Limit, int]:
        try:
            text, windows = undated(text)
            (limit,) = parse_limits(text)
        except ValueError as error:  # also for two of them
            raise self._nonsense(f"what isn't one limit ({error}), expected its text") from None
        if bool(windows) != bool(limit.period):
            raise self._nonsense(f"a window, or none, of {text!r}: expected one of each quota")
        return limit, sum(windows)

    def _nonsense(self, what: str) -> UnusableError:
        return UnusableError(f"it has, before byte {self._at:,}, {what}: it is damaged")


# --- files


def make_beside(path: Path) -> tuple[int, Path]:
    """Make an empty file in the same folder, with mode 0600: its descriptor and path."""
    descriptor, beside = mkstemp(_UNFINISHED, f".{path.name}.", path.parent)
    return descriptor, Path(beside)


def remove_unfinished(path: Path) -> None:
    """Remove what a process that was killed while saving has left, as far as we may."""
    start = f".{path.name}."
    with suppress(OSError):
        for other in path.parent.iterdir():
            middle = other.name.removeprefix(start).removesuffix(_UNFINISHED)
            whole = other.name == f"{start}{middle}{_UNFINISHED}"
            if whole and "." not in middle:  # a dot: of another state file, with a longer name
                other.unlink()


def _sync_folder(folder: Path) -> None:
    """Write the new name in a folder to the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
