"""LogLines: what is in the lines of an access log, and how many of them can't be read."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sidegate.http.request.proxies import NO_PROXIES
from sidegate_sidecar.rules_plan.json_lines import JsonLines
from sidegate_sidecar.rules_plan.logged_request import BadLine, NoRequest
from sidegate_sidecar.rules_plan.text_lines import TextLines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sidegate.http.request.proxies import Proxies
    from sidegate_sidecar.rules_plan.json_lines import FieldNames
    from sidegate_sidecar.rules_plan.logged_request import LoggedRequest

MAX_LINE: Final = 64 * 1024  # bytes; servers take 8 to 16 KiB of a request line, and as much agent
MAX_SHOWN: Final = 3  # bad lines that are told
_TOO_LONG: Final = f"more than {MAX_LINE:,} bytes"


class LogFormat(StrEnum):
    """How the lines of a log are written."""

    COMMON = "common"
    COMBINED = "combined"
    JSON = "json"


class LineReader(Protocol):
    """Reads the lines of one format."""

    def read(self, line: str) -> LoggedRequest:
        """Return the request of a line; BadLine, or NoRequest where the client sent none."""
        ...


class ShownLine(NamedTuple):
    """A line that can't be read, and why."""

    number: int
    why: str


def format_of(lines: Sequence[bytes]) -> LogFormat | None:
    """Return the format of a log by its first lines, None if they are of no known one."""
    for line in lines:
        if line.lstrip().startswith(b"{"):
            return LogFormat.JSON
    for line in lines:
        text = _text(line)
        try:
            agent = TextLines(NO_PROXIES).read(text).lines("user-agent")
        except BadLine:
            continue
        except NoRequest:
            agent = []
        return LogFormat.COMBINED if agent or text.count('"') >= 6 else LogFormat.COMMON
    return None


def reader_of(
    log_format: LogFormat, proxies: Proxies, names: FieldNames, host: str = ""
) -> LineReader:
    """Return what reads lines of a format. `host` is that of requests whose line has none."""
    if log_format is LogFormat.JSON:
        return JsonLines(proxies, names, host)
    return TextLines(proxies, host)


class LogLines:
    """Reads lines and counts them; blank ones don't count."""

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self._number = 0
        self.count = 0
        self.requests = 0
        self.without_request = 0
        self.bad = 0
        self.shown: list[ShownLine] = []

    def read(self, lines: Iterable[bytes]) -> Iterator[LoggedRequest]:
        """Yield the requests. A line of more than MAX_LINE bytes is bad, be it cut or not."""
        for line in lines:
            self._number += 1
            if line.isspace():
                continue
            self.count += 1
            try:
                if len(line) > MAX_LINE:
                    raise BadLine(_TOO_LONG)  # noqa: TRY301  # it is told as the others are
                request = self._reader.read(_text(line))
            except BadLine as error:
                self._tell(str(error))
            except NoRequest:
                self.without_request += 1
            else:
                self.requests += 1
                yield request

    def _tell(self, why: str) -> None:
        self.bad += 1
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(ShownLine(self._number, why))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")
