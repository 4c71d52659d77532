"""The service under test: its URL, without the user and password that may have been in it."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sidegate_sidecar.errors import BAD_INPUT, Failure


@dataclass(frozen=True, slots=True)
class Service:
    """Where requests go; `authorization` is the header field for user and password, "" for none.

    So nothing that shows or writes the URL shows them.
    """

    url: str
    authorization: str = ""

    @property
    def query(self) -> str:
        """The part of the URL after its question mark."""
        return urlsplit(self.url).query


def read_service(text: str) -> Service:
    """Return the service of a URL; Failure if it is none that requests can be sent to."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", text) or "#" in text:
        why = "expected an address such as http://localhost:8080/items"
        raise Failure(BAD_INPUT, f"URL {_without_secrets(text)!r}: {why}")
    parts = urlsplit(text)
    who, at, place = parts.netloc.rpartition("@")
    if not at:
        return Service(text)
    return Service(text.replace(parts.netloc, place, 1), _basic(who))


def _basic(who: str) -> str:
    user, _, password = who.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _without_secrets(text: str) -> str:
    """Leave out all before the last @: where a password ends in such a text, nobody knows."""
    return re.sub(r"^([a-z]+://)?.*@", r"\1", text, flags=re.DOTALL)
