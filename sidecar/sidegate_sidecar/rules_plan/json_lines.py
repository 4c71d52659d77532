"""JsonLines: lines that are JSON objects, under the names that servers give their fields.

What a field is called is looked up in a table of the names that nginx's variables, Caddy, Envoy
(as Istio has it) and Traefik write; ours are the first of each. Dots lead into objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from sidegate.errors import shown
from sidegate_sidecar.rules_plan.log_times import log_time
from sidegate_sidecar.rules_plan.logged_request import BadLine, LoggedRequest
from sidegate_sidecar.rules_plan.text_lines import (
    login_lines,
    method_and_target,
    require_method,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidegate.http.request.proxies import Proxies

    Place = tuple[str, ...]

HEADER: Final = "header:"  # before the name of a header field that is called otherwise in the log
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": (
        "ts",
        "time",
        "timestamp",
        "@timestamp",
        "time_iso8601",
        "time_local",
        "msec",
        "start_time",
        "StartUTC",
    ),
    "client": (
        "client",
        "request.client_ip",
        "request.remote_ip",
        "remote_addr",
        "client_ip",
        "downstream_remote_address",
        "ClientHost",
    ),
    "method": ("method", "request.method", "request_method", "RequestMethod"),
    "path": ("path", "request.uri", "request_uri", "uri", "RequestPath"),
    "request": ("request",),  # a whole line: GET /a HTTP/1.1
    "host": ("host", "request.host", "http_host", "authority", "RequestHost"),
    "status": ("status", "response_code", "DownstreamStatus"),
    "user": ("user", "remote_user", "user_id"),
    "headers": ("headers", "request.headers"),
}
"""What a line says, and what logs call it; the first that is there counts."""

_HEADERS: Final = {"user-agent": ("user_agent",), "x-forwarded-for": ("x_forwarded_for",)}
_DECODER: Final = msgspec.json.Decoder(dict[str, Any])


class JsonFields:
    """The header fields that a line has: in an object of them, or each in a field of its own."""

    __slots__ = ("_data", "_found", "_host", "_names")

    def __init__(self, data: Mapping[str, Any], names: FieldNames, host: str) -> None:
        self._data = data
        self._names = names
        self._host = host
        self._found: dict[str, list[str]] = {}

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field; both files ask for the same ones."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._lines(name)
        return found

    def _lines(self, name: str) -> list[str]:
        if name == "host":
            return _texts(self._names.of(self._data, "host") or self._host)
        headers = self._names.of(self._data, "headers")
        if isinstance(headers, dict):
            there = cast("dict[str, object]", headers)
            if said := [it for field, it in there.items() if field.lower() == name]:
                return [line for it in said for line in _texts(it)]
        for place in self._names.of_header(name):
            if lines := _texts(_at(self._data, place)):
                return lines
        if name == "authorization":
            return login_lines(_text(self._names.of(self._data, "user")))
        return []

    def names(self) -> list[str]:
        """Return the names of those in an object, and the host's."""
        headers = self._names.of(self._data, "headers")
        known = cast("dict[str, object]", headers) if isinstance(headers, dict) else {}
        return list(dict.fromkeys(["host", *(name.lower() for name in known)]))


class FieldNames:
    """What the fields of a log are called: by the table, but for those that are `told`.

    These are by what they say (`path`, or `header:NAME`), each with a name that the log has.
    """

    def __init__(self, told: Iterable[tuple[str, str]] = ()) -> None:
        given: dict[str, list[str]] = {}
        for what, name in told:
            given.setdefault(what, []).append(name)
        self.told = given
        self._places: dict[str, list[Place]] = {
            what: _places(given[what]) if what in given else [tuple(it.split(".")) for it in names]
            for what, names in NAMES.items()
        }
        self._headers = {
            what.removeprefix(HEADER): _places(names)
            for what, names in given.items()
            if what.startswith(HEADER)
        }

    def of(self, data: Mapping[str, Any], what: str) -> object:
        """Return what a line says of one thing; None if it says nothing."""
        for place in self._places[what]:
            found = _at(data, place)
            if found is not None:
                return found
        return None

    def of_header(self, name: str) -> list[Place]:
        """Return where a header field may stand that is in no object of them."""
        told = self._headers.get(name)
        variable = f"http_{name.replace('-', '_')}"  # of nginx
        return told or [(variable,), *((it,) for it in _HEADERS.get(name, ()))]

    def expected(self, what: str) -> str:
        """Say which names were looked for."""
        names = ", ".join(self.told.get(what) or NAMES[what])
        return f"no {what}: expected one of {names}; or tell its name with --field {what}=NAME"


class JsonLines:
    """Reads lines. `host` is that of requests whose line doesn't name one."""

    def __init__(self, proxies: Proxies, names: FieldNames, host: str = "") -> None:
        self._proxies = proxies
        self._names = names
        self._host = host

    def read(self, line: str) -> LoggedRequest:
        """Return the request of a line; BadLine, or NoRequest where the client sent none."""
        try:
            data = _DECODER.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise BadLine(f"{shown(line)}: expected an object of JSON") from None
        names = self._names
        method, target = self._asked(data)
        if (time := names.of(data, "time")) is None:
            raise BadLine(names.expected("time"))
        if (client := names.of(data, "client")) is None:
            raise BadLine(names.expected("client"))
        return LoggedRequest(
            log_time(time),
            _client(_text(client)),
            method,
            target,
            JsonFields(data, names, self._host),
            self._proxies,
            status=_status(names.of(data, "status")),
        )

    def _asked(self, data: Mapping[str, Any]) -> tuple[str, str]:
        method = _text(self._names.of(data, "method"))
        target = _text(self._names.of(data, "path"))
        if method and target:
            require_method(method)
            return method, target
        whole = self._names.of(data, "request")
        if isinstance(whole, str):
            return method_and_target(whole)
        raise BadLine(self._names.expected("path" if method else "method"))


def _places(names: Iterable[str]) -> list[Place]:
    """Return where names lead that were told: a dot may also be in one."""
    return [place for name in names for place in dict.fromkeys([(name,), tuple(name.split("."))])]


def _at(data: Mapping[str, Any], place: Place) -> object:
    found: Any = data.get(place[0])
    for step in place[1:]:
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, Any]", found).get(step)
    return found


def _text(value: object) -> str:
    if isinstance(value, str):
        return "" if value == "-" else value
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _texts(value: object) -> list[str]:
    given = cast("list[object]", value) if isinstance(value, list) else [value]
    return [text for text in map(_text, given) if text]


def _client(text: str) -> str:
    """Return the client of a list too: whom the nearest proxy has seen."""
    return text.rpartition(",")[2].strip()


def _status(value: object) -> int:
    text = _text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else 0
