r"""TextLines: lines in the Common Log Format and what is built on it, Combined above all.

    192.0.2.1 - bob [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 512 "REFERER" "USER AGENT"

`HOST:PORT` may stand before it (Apache's vhost_combined), and anything behind it. Servers write
quotes and what doesn't print in quoted texts as `\"` and `\x16`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from sidegate.errors import shown
from sidegate_sidecar.rules_plan.log_times import log_time
from sidegate_sidecar.rules_plan.logged_request import BadLine, LoggedRequest, NoRequest

if TYPE_CHECKING:
    from sidegate.http.request.proxies import Proxies

_QUOTED: Final = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
# Each part ends where the next can't begin, so a line is gone through once or twice, not more.
_LINE: Final = re.compile(
    r"(?:(\S+):\d+ )?(\S+) \S+ ([^\"\[\]]++)(?<= )\[([^]]{1,64}+)\] "
    rf"{_QUOTED} (\d{{3}}|-) (?:\d++|-)(?: {_QUOTED} {_QUOTED})?",
    re.ASCII,
)
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_ESCAPED: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "v": "\v", "f": "\f"}
_EXPECTED: Final = 'expected CLIENT - USER [TIME] "METHOD PATH HTTP/1.1" STATUS BYTES'


class TextFields:
    """The header fields that a line has: user agent, referer, host, and who has logged in."""

    __slots__ = ("_agent", "_host", "_referer", "_user")

    def __init__(self, agent: str, referer: str, host: str, user: str) -> None:
        self._agent = agent
        self._referer = referer
        self._host = host
        self._user = user

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field."""
        value = ""
        if name == "user-agent":
            value = self._agent
        elif name == "host":
            value = self._host
        elif name == "referer":
            value = self._referer
        elif name == "authorization":
            return login_lines(self._user)
        return [] if value in {"", "-"} else [unescaped(value)]

    def names(self) -> list[str]:
        """Return the names of those that are there."""
        known = ("authorization", "host", "referer", "user-agent")
        return [name for name in known if self.lines(name)]


class TextLines:
    """Reads lines. `host` is that of requests whose line doesn't name one."""

    def __init__(self, proxies: Proxies, host: str = "") -> None:
        self._proxies = proxies
        self._host = host

    def read(self, line: str) -> LoggedRequest:
        """Return the request of a line; BadLine, or NoRequest where the client sent none."""
        found = _LINE.match(line)
        if found is None:
            raise BadLine(f"{shown(line)}: {_EXPECTED}")
        host, client, user, time, request, status, referer, agent = found.groups(default="")
        method, target = method_and_target(unescaped(request))
        fields = TextFields(agent, referer, host or self._host, user.rstrip())
        return LoggedRequest(
            log_time(time),
            "" if client == "-" or client.startswith("unix:") else client,
            method,
            target,
            fields,
            self._proxies,
            status=int(status) if status != "-" else 0,
        )


def method_and_target(request: str) -> tuple[str, str]:
    """Return the two that a request line has; NoRequest if it is none."""
    method, _, rest = request.partition(" ")
    require_method(method)
    target, blank, protocol = rest.rpartition(" ")
    if not (blank and protocol.startswith("HTTP/")):
        target = rest  # of HTTP/0.9, or one with blanks in it
    if not target:
        raise NoRequest
    return method, target


def require_method(method: str) -> None:
    """Raise NoRequest for what can't be a method."""
    if not _METHOD.fullmatch(method):
        raise NoRequest


def login_lines(user: str) -> list[str]:
    """Return the Authorization of a user, whose password no log has and no key counts by."""
    if user in {"", "-"}:
        return []
    return [f"Basic {b64encode(f'{user}:'.encode('utf-8', 'replace')).decode()}"]


def unescaped(text: str) -> str:
    """Return a quoted text as the client wrote it."""
    if "\\" not in text:
        return text
    plain = _ESCAPED.sub(_unescaped, text)
    return plain.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unescaped(found: re.Match[str]) -> str:
    if (digits := found[1]) is not None:
        return bytes.fromhex(digits).decode("ascii", "surrogateescape")
    return _CONTROLS.get(found[2], found[2])
