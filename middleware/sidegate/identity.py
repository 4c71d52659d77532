"""Identity: whose bucket a request is counted in.

An identity is any callable that takes a `Request` and returns a text, or None for "not limited":

    def tenant(request: Request) -> str | None:
        token = request.header("authorization")
        return tenant_of(token) if token else client_ip()(request)

    Rule("api", "100/minute", path="/api/*", key=tenant)

It may be a coroutine function in ASGI; WSGI refuses one when the middleware is made.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from inspect import iscoroutinefunction
from ipaddress import IPv6Address
from typing import TypeAlias

from sidegate.proxies import MOST_ADDRESS, MOST_ADDRESSES, NO_PROXIES, Proxies, parse_ip

UNKNOWN = "unknown"
MOST_KEY_BYTES = 512  # what the wire takes


class Request(ABC):
    """What an identity or a cost may look at; the same for ASGI and WSGI.

    It reads the server's own structures when asked, so what nobody asks for costs nothing.
    """

    __slots__ = ("_headers", "_proxies")

    def __init__(self, proxies: Proxies = NO_PROXIES) -> None:
        self._proxies = proxies
        self._headers: Mapping[str, str] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields by lower-case name; lines of one name are joined by a comma."""
        if self._headers is None:
            self._headers = self._read_headers()
        return self._headers

    @abstractmethod
    def header(self, name: str) -> str:
        """Return one of them, "" if it is missing; quicker than `headers` for the only one."""

    @property
    def client(self) -> str:
        """The client's address behind the trusted proxies, or "" where there is none.

        Without trusted proxies it is the peer. See `Proxies` for the rules.
        """
        if self._proxies is NO_PROXIES:
            return self.peer
        return self._proxies.client(self.peer, self.header("x-forwarded-for"))

    @property
    @abstractmethod
    def method(self) -> str:
        """GET, POST, …; the handshake of a websocket is a GET."""

    @property
    @abstractmethod
    def path(self) -> str:
        """The decoded path as the client asked for it, with what the app is mounted under."""

    @property
    @abstractmethod
    def peer(self) -> str:
        """The address at the other end of the connection, "" for a Unix socket."""

    @property
    @abstractmethod
    def raw(self) -> Mapping[str, object]:
        """The ASGI scope or the WSGI environ."""

    @abstractmethod
    def _read_headers(self) -> Mapping[str, str]: ...


Identity: TypeAlias = Callable[[Request], str | Awaitable[str | None] | None]
Cost: TypeAlias = Callable[[Request], int | Awaitable[int]]


class ClientIP:
    """See `client_ip`."""

    __slots__ = ("v6_prefix",)

    def __init__(self, v6_prefix: int) -> None:
        self.v6_prefix = v6_prefix

    def __call__(self, request: Request) -> str:
        return group(request.client, self.v6_prefix)

    def __repr__(self) -> str:
        return f"client_ip(v6_prefix={self.v6_prefix})"


class Header:
    """See `header`."""

    __slots__ = ("_label", "_name", "missing")

    def __init__(self, name: str, missing: Identity | None) -> None:
        self._name = name.lower()
        self._label = f"{self._name}="
        self.missing = missing

    def __call__(self, request: Request) -> str | Awaitable[str | None] | None:
        value = request.header(self._name).strip()
        if value:
            return self._label + value
        return self.missing(request) if self.missing is not None else None

    def __repr__(self) -> str:
        return f"header({self._name!r}, missing={self.missing!r})"


def client_ip(v6_prefix: int = 64) -> ClientIP:
    """Tell clients apart by address.

    IPv4 counts by the whole address, also when it is written as IPv6 (::ffff:192.0.2.1). IPv6
    counts by its first `v6_prefix` bits, since one client usually has a /64 to choose from.
    Whose address it is behind proxies is told by `trusted_proxies` of the middleware; the rules
    stand at `Proxies`. A peer without address (a Unix socket) is "unknown": all of them share
    one bucket. A peer that is no IP address (a test client) counts by its name.
    """
    if type(v6_prefix) is not int or not 1 <= v6_prefix <= 128:
        raise ValueError(f"v6_prefix={v6_prefix!r}: must be a number of bits from 1 to 128")
    return ClientIP(v6_prefix)


_BY_ADDRESS = client_ip()


def header(name: str, missing: Identity | None = _BY_ADDRESS) -> Header:
    """Tell clients apart by the value of a header field, for example an API key.

    A request without it (or with an empty one) counts by `missing`, by default its address, so
    that leaving it out is no way around the limit; `missing=None` leaves such requests unlimited.
    The identity is "name=value", so that no value can be mistaken for an address.
    The value is taken as it is: a client that makes up keys gets a new bucket for each, so have
    something in front refuse unknown keys, or limit by address too.
    """
    if not name or not name.isascii() or not name.isprintable() or set(name) & set(' =:,;"'):
        raise ValueError(f"name={name!r}: must be the name of a header field")
    if missing is not None and not callable(missing):
        raise ValueError(f"missing={missing!r}: must be an identity or None")
    return Header(name, missing)


def is_async(function: object) -> bool:
    """Tell whether calling this makes a coroutine, as far as can be told without a call."""
    if isinstance(function, Header):
        return is_async(function.missing)
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def group(address: str, v6_prefix: int) -> str:
    """Return the identity of an address: itself, its IPv6 network, or "unknown" for ""."""
    return _group(address, v6_prefix) if len(address) <= MOST_ADDRESS else address


@lru_cache(maxsize=MOST_ADDRESSES)
def _group(address: str, v6_prefix: int) -> str:
    parsed = parse_ip(address)
    if parsed is None:
        return address or UNKNOWN
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    host_bits = 128 - v6_prefix
    network = IPv6Address(int(parsed) >> host_bits << host_bits)
    return f"{network}/{v6_prefix}"


def bucket_key(name: str, identity: str) -> str:
    """Return the key of an identity's buckets under a rule, "name:identity".

    An identity that is too long for the wire, or that holds what nobody could print, is replaced
    by its SHA-256 in hex; so there is a key for every text.
    """
    key = f"{name}:{identity}"
    if key.isprintable() and (
        len(key) <= MOST_KEY_BYTES // 4  # UTF-8 has at most four bytes a character
        or len(key.encode()) <= MOST_KEY_BYTES
    ):
        return key
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}:{digest}"
