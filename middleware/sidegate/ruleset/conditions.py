"""Conditions: what a rule wants of a request beside its path and method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.errors import MalformedRequest
from sidegate.http.keys import header
from sidegate.http.patterns import text_matcher
from sidegate.http.request.hosts import host_of

if TYPE_CHECKING:
    from sidegate.http.request.request import Request
    from sidegate.ruleset.document import Match


MAX_VALUE: Final = 8_192  # characters of a field: half a millisecond for ten rules that go by it
MAX_MEMBERS: Final = 64  # each of them is compared, by each rule


class Conditions:
    """The host and the header fields of a rule. A request has to have all of them.

    A value of a field is compared in small letters and with single blanks; so is each of its
    members, where commas part it, since a server may have joined lines by them. One that is longer
    than any field that one goes by is malformed.
    """

    __slots__ = ("_fields", "_host")

    def __init__(self, match: Match) -> None:
        self._host = text_matcher(match.host) if match.host else None
        self._fields = {name: text_matcher(value) for name, value in match.headers.items()}

    def __bool__(self) -> bool:
        return bool(self._host or self._fields)

    def unmet(self, request: Request) -> str:
        """Return which of them a request doesn't meet, "" if it meets all.

        MalformedRequest where what it says can be read in several ways.
        """
        if self._host is not None and not self._host(host := host_of(request)):
            return f"its host is {host}"
        for name, matches in self._fields.items():
            value = request.header(name)
            _require_short(name, value)
            value = canonical_value(value)
            if not value or not any(map(matches, _members(value))):
                return f"its header {name} is {value!r:.80}" if value else f"it has no {name}"
        return ""


def _require_short(name: str, value: str) -> None:
    if len(value) > MAX_VALUE:
        size = f"{len(value):,} characters, expected at most {MAX_VALUE:,}"
        raise MalformedRequest(f"the field {name} has {size}")
    if (count := value.count(",") + 1) > MAX_MEMBERS:
        raise MalformedRequest(f"the field {name} lists {count:,}, expected at most {MAX_MEMBERS}")


def _members(value: str) -> list[str]:
    return [value, *(it.strip() for it in value.split(","))] if "," in value else [value]


def canonical_field(name: str) -> str:
    """Return the name of a header field in small letters; ValueError if none can be called so."""
    if name.lower() == "host":
        raise ValueError("'host': expected match.host beside headers, not in it")
    if name.lower() != "cookie":
        header(name)
    return name.lower()


def canonical_value(value: str) -> str:
    """Return a field's value as it is compared."""
    return " ".join(value.split()).lower()
