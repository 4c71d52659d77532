"""Heads: what a proxy asks, read by httptools, and nothing that two readers could read apart. Pure.

httptools' parser (llhttp) refuses what smugglers write: lines that end in a bare CR or LF, folded
lines, control characters, Content-Length twice or beside Transfer-Encoding. What it takes and we
don't: Host twice or missing, other protocols than HTTP/1, and bodies of a length that isn't told.
It has no bounds of its own, so it is given whole heads only, whose size is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    Fields: TypeAlias = Mapping[bytes, list[bytes]]

MAX_HEAD_BYTES: Final = 16 << 10  # of browsers with many cookies 4 KiB
MAX_HEAD_LINES: Final = 100  # browsers send 20, behind proxies 30; these take 50 µs
MAX_BODY_BYTES: Final = 64 << 10  # no proxy sends one; it is thrown away as it comes
_STAYS: Final = b" HTTP/1.1"
_VERSIONS: Final = frozenset({_STAYS, b" HTTP/1.0"})
_DIGITS: Final = len(str(MAX_BODY_BYTES))


class HeadError(Exception):
    """A head that is refused: with a status, a reason as metrics name it, and words for people."""

    def __init__(self, status: int, reason: str, why: str) -> None:
        super().__init__(status, reason, why)
        self.status = status
        self.reason = reason
        self.why = why


class AuthHead(Struct, frozen=True, gc=False):
    """A head. `fields` has their lines by names in small letters; `body` bytes follow it."""

    method: str
    target: bytes
    fields: Fields
    stays: bool  # may another one follow on its connection?
    body: int


class HeadReader:
    """Reads one head after the other, of any connection."""

    def __init__(self) -> None:
        self._parser = HttpRequestParser(self)
        self._target = b""
        self._fields: dict[bytes, list[bytes]] = {}
        self._has_ended = False  # is the head there as a whole?
        self._stays = False  # does it say so?
        self._is_fresh = False  # may the parser be given another one?

    # --- what httptools calls

    def on_url(self, url: bytes) -> None:
        """Take the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the line of a field."""
        self._fields.setdefault(name.lower(), []).append(value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Note that the head ends here; afterwards the parser has forgotten what it said."""
        self._has_ended = True
        self._stays = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        """Note that no body follows."""
        self._is_fresh = True

    # ---

    def read(self, head: bytes) -> AuthHead:
        """Return what a head says, which ends with an empty line; HeadError for what is none."""
        size = head.count(b"\n")
        if len(head) > MAX_HEAD_BYTES or size > MAX_HEAD_LINES:
            raise too_long_a_head()
        end = head.find(b"\r\n")
        version = head[max(end - 9, 0) : max(end, 0)]
        if version not in _VERSIONS:
            raise malformed("expected a request of HTTP 1.1 or 1.0")
        self._target, self._fields = b"", {}
        self._has_ended = self._is_fresh = False
        parser, is_upgrade = self._parser, False
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:  # of a websocket, which isn't for us
            is_upgrade = True
        except HttpParserError as error:
            self._parser = HttpRequestParser(self)
            raise malformed(f"expected HTTP 1.1: {str(error)[:200]}") from None
        stays = self._stays and version == _STAYS and not is_upgrade
        if not (stays and self._is_fresh):
            self._parser = HttpRequestParser(self)
        if not self._has_ended:
            raise malformed("expected a head that ends with its first empty line")
        body = _body(self._fields, needs_host=version == _STAYS)
        method = parser.get_method().decode("latin-1")
        return AuthHead(method, self._target, self._fields, stays, body)


def _body(fields: Fields, *, needs_host: bool) -> int:
    """Return how many bytes follow; HeadError where it isn't clear, nor whom they are for."""
    hosts = len(fields.get(b"host", ()))
    if hosts > 1 or (needs_host and not hosts):
        raise malformed(f"expected one Host, got {hosts}")
    if b"transfer-encoding" in fields:
        raise HeadError(411, "malformed", "expected a body with Content-Length, or none")
    return _length(fields)


def _length(fields: Fields) -> int:
    said = fields.get(b"content-length")
    if not said:
        return 0
    digits = said[0].strip().lstrip(b"0")
    if len(digits) > _DIGITS or (length := int(digits or b"0")) > MAX_BODY_BYTES:
        most = f"{MAX_BODY_BYTES:,} bytes"
        raise HeadError(413, "too-long", f"expected no body, or one of at most {most}")
    return length


def malformed(why: str) -> HeadError:
    """Return what is said of something that is no HTTP."""
    return HeadError(400, "malformed", why)


def too_long_a_head() -> HeadError:
    """Return what is said of a head that doesn't end in time."""
    most = f"{MAX_HEAD_BYTES:,} bytes in {MAX_HEAD_LINES} lines"
    return HeadError(431, "too-long", f"expected a request line and fields of at most {most}")
