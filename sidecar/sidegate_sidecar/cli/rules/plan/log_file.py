"""LogFile: the lines of an access log, from a file, a compressed one, or standard input."""

from __future__ import annotations

import gzip
import os
import stat
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.errors import BAD_INPUT, Failure
from sidegate_sidecar.rules_plan.log_lines import MAX_LINE
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from io import BufferedReader

STDIN: Final = "-"
FIRST: Final = 20  # lines by which a format is told
_GZIP: Final = b"\x1f\x8b"


class LogFile:
    """A log that is read once. `first` are its first lines, `size` its bytes, 0 where unknown."""

    def __init__(self, name: str, raw: BufferedReader) -> None:
        self.name = name
        self._raw = raw
        is_gzip = raw.peek(len(_GZIP)).startswith(_GZIP)
        unpacked = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        self._stream: gzip.GzipFile | BufferedReader = unpacked
        found = os.fstat(raw.fileno())
        self.size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        self._read = 0
        self.first = [line for line in (self._line() for _ in range(FIRST)) if line]

    @property
    def position(self) -> int:
        """The bytes that were read of the file; of a compressed one, before it is unpacked."""
        return self._raw.tell() if self.size else 0

    def lines(self) -> Iterator[bytes]:
        """Yield the lines; of one of more than MAX_LINE bytes only so many and one more."""
        yield from self.first
        while line := self._line():
            yield line

    def _line(self) -> bytes:
        try:
            line = self._stream.readline(MAX_LINE + 1)
            if len(line) > MAX_LINE:
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = self._stream.readline(MAX_LINE)
        except (OSError, EOFError, zlib.error) as error:
            why = f"can't be read after line {self._read:,}: {error}"
            raise Failure(BAD_INPUT, f"{visible(self.name)}: {visible(why)}") from None
        self._read += 1
        return line


@contextmanager
def opened_log(name: str) -> Generator[LogFile]:
    """Open a log; Failure if it can't be read."""
    if name == STDIN:
        yield LogFile("standard input", sys.stdin.buffer)  # type: ignore[arg-type]  # it is a BufferedReader
        return
    try:
        raw = open(name, "rb")  # noqa: PTH123, SIM115  # closed below; a Path would take "./" off
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Failure(BAD_INPUT, f"{visible(name)}: {why}") from None
    with raw:
        yield LogFile(name, raw)
