"""Selectors: whom a rule of a file counts by, and how a key is made of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from sidegate.errors import shown
from sidegate.http.keys import basic_user, bearer, client_ip, header
from sidegate.http.request.hosts import host_of
from sidegate.http.request.paths import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidegate.http.request.request import Request

Selector: TypeAlias = "Callable[[Request], str]"
"""Returns one part of a key; there is one for each request."""

HEADER: Final = "header:"
GLOBAL: Final = "global"
TENANT: Final = "tenant"
_CLIENT: Final = client_ip()
_EXPECTED: Final = "expected client, header:NAME, bearer, basic, host, path, tenant or global"
_ELSEWHERE: Final = {  # by how it begins: why it isn't one
    "form:": "the body of a request is known to the app only, not to proxies: write it in code",
    "json:": "the body of a request is known to the app only, not to proxies: write it in code",
    "claim:": "a token is checked by the app: write it in code, or have the proxy set a header",
}
_LISTS: Final = {"x-forwarded-for", "forwarded"}  # to which each client may add what it likes


def canonical_selector(text: str) -> str:
    """Return a selector as it is written shortest; ValueError for what is none."""
    name = text.strip()
    if name.startswith(HEADER):
        return HEADER + header_name(name)
    if name in _FIXED or name == TENANT:
        return name
    why = next((why for begin, why in _ELSEWHERE.items() if name.startswith(begin)), None)
    raise ValueError(f"{shown(text)}: {why or _EXPECTED}")


def header_name(selector: str) -> str:
    """Return the field that `header:NAME` names, in small letters; ValueError if it can't be."""
    name = selector.strip().removeprefix(HEADER).strip().lower()
    if not selector.strip().startswith(HEADER):
        raise ValueError(f"{shown(selector)}: expected header:NAME")
    if name in _LISTS:
        raise ValueError(f"{shown(selector)}: clients add to it what they like, expected client")
    header(name)  # ValueError for what is no name
    return name


def names_a_client(selector: str) -> bool:
    """Tell whether a selector is something that a client shows, and not where it comes from."""
    return selector in {"bearer", "basic"} or selector.startswith(HEADER)


def selector_of(texts: tuple[str, ...], others: Mapping[str, Selector]) -> Selector:
    """Return the selector of a key; `others` are those that stand for more than the request."""
    parts = [_one(text, others) for text in texts]
    if len(parts) == 1:
        return parts[0]

    def together(request: Request) -> str:
        return ",".join(_escaped(part(request)) for part in parts)

    return together


def _one(text: str, others: Mapping[str, Selector]) -> Selector:
    if text.startswith(HEADER):
        return _text_of(header(text.removeprefix(HEADER)))
    return others.get(text) or _FIXED[text]


def _text_of(identity: Callable[[Request], object]) -> Selector:
    def text(request: Request) -> str:
        return str(identity(request))  # a text, since what is missing counts by address

    return text


def _host(request: Request) -> str:
    return host_of(request)


def _path(request: Request) -> str:
    return canonical(request.path)


def _everyone(_request: Request) -> str:
    return GLOBAL


_FIXED: Final[dict[str, Selector]] = {
    "client": _CLIENT,
    "bearer": _text_of(bearer()),
    "basic": _text_of(basic_user()),
    "host": _host,
    "path": _path,
    GLOBAL: _everyone,
}


def _escaped(part: str) -> str:
    """Return a part of a key so that no two lists of parts make the same text."""
    return part.replace("%", "%25").replace(",", "%2C")
