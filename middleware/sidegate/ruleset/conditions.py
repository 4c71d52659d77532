"""Conditions: what a rule wants of a request beside its path and method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.http.keys import header
from sidegate.http.patterns import text_matcher
from sidegate.http.request.hosts import host_of

if TYPE_CHECKING:
    from sidegate.http.request.request import Request
    from sidegate.ruleset.document import Match


class Conditions:
    """The host and the header fields of a rule. A request has to have all of them.

    A value of a field is compared in small letters and with single blanks; so is each of its
    members, where commas part it, since a server may have joined lines by them.
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
            value = canonical_value(request.header(name))
            if not value or not any(map(matches, _members(value))):
                return f"its header {name} is {value!r:.80}" if value else f"it has no {name}"
        return ""


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
