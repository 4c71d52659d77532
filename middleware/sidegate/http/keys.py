"""Identity: whose bucket a request is counted in.

An identity is any callable that takes a `Request` and returns whom to count:

    def tenant(request: Request) -> UUID | str:
        return tenant_of(request.header("x-api-key")) or client_ip()(request)

    Rule("api", "100/minute", path="/api/*", key=tenant)

Those of this file may be called in a function of the framework's own request too, with that one.

It returns a text, a number, a UUID or an IP address; None means that this rule isn't for this
request. It may be a coroutine function in ASGI; WSGI refuses one when the middleware is made.

An identity must be a function of what the app authenticates: where two spellings of a credential
log in the same user, they must be one identity, or each spelling is a new bucket.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from inspect import iscoroutinefunction
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias
from uuid import UUID

from sidegate.http.request import credentials
from sidegate.http.request.present import as_ours
from sidegate.http.request.proxies import (
    MAX_ADDRESS,
    MAX_ADDRESSES,
    NO_PROXIES,
    canonical,
    forwarded_for,
    parse_ip,
)
from sidegate.http.request.request import Request

UNKNOWN = "unknown"
MAX_IDENTITY_BYTES = 64  # a longer one is hashed: made-up keys can't fill a sidecar's memory

Id: TypeAlias = str | int | UUID | IPv4Address | IPv6Address
Identity: TypeAlias = Callable[[Request], Id | Awaitable[Id | None] | None]
Cost: TypeAlias = Callable[[Request], float | Awaitable[float]]
Normalize: TypeAlias = Callable[[str], str | None]

_IDS = (int, UUID, IPv4Address, IPv6Address)
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110, 5.6.2)
_LISTS = {"x-forwarded-for", "forwarded"}


class ClientIP:
    """See `client_ip`."""

    __slots__ = ("from_header", "v6_prefix")

    def __init__(self, v6_prefix: int, from_header: str) -> None:
        self.v6_prefix = v6_prefix
        self.from_header = from_header

    def __call__(self, request: object) -> str:
        ours = as_ours(request)
        address = self._named(ours) if self.from_header else ours.client
        return group(address, self.v6_prefix)

    @property
    def needs_proxies(self) -> bool:
        """Whether only `trusted_proxies` can tell which entry of its field is the client's."""
        return self.from_header in _LISTS

    def _named(self, request: Request) -> str:
        """Return the address that the field names, else the peer's."""
        peer, proxies = request.peer, request.proxies
        field = request.header(self.from_header)
        if self.from_header == "forwarded":
            return proxies.client_by(peer, forwarded_for(field))
        if self.from_header == "x-forwarded-for":
            return proxies.client(peer, field)
        believed = proxies is NO_PROXIES or proxies.trusts(peer)
        return (canonical(field) if believed else "") or peer

    def __repr__(self) -> str:
        field = f", from_header={self.from_header!r}" if self.from_header else ""
        return f"client_ip(v6_prefix={self.v6_prefix}{field})"


class Header:
    """See `header`, `bearer` and `basic_user`."""

    __slots__ = ("_label", "_name", "_normalize", "_written", "missing")

    def __init__(
        self, name: str, normalize: Normalize, missing: Identity | None, label: str, written: str
    ) -> None:
        self._name = name
        self._normalize = normalize
        self._label = f"{label}="
        self._written = written
        self.missing = missing

    def __call__(self, request: object) -> Id | Awaitable[Id | None] | None:
        ours = as_ours(request)
        field = ours.header(self._name)
        if field and (value := self._normalize(field)):
            return self._label + value
        return self.missing(ours) if self.missing is not None else None

    def __repr__(self) -> str:
        return self._written


def client_ip(v6_prefix: int = 64, *, from_header: str | None = None) -> ClientIP:
    """Tell clients apart by address.

    IPv4 counts by the whole address, also when it is inside an IPv6 one (::ffff:192.0.2.1, NAT64,
    6to4). IPv6 counts by its first `v6_prefix` bits, since one client usually has a /64 to choose
    from. Whose address it is behind proxies is told by `trusted_proxies` of the middleware; the
    rules stand at `Proxies`. A peer without address (a Unix socket) is "unknown": all of them
    share one bucket. A peer that is no IP address (a test client) counts by its name.

    `from_header` takes the address from a field that a proxy sets, such as "cf-connecting-ip":
    from whoever `trusted_proxies` trusts, or without it from anybody, so use that only where
    nobody can reach the app around the proxy. "forwarded" (RFC 7239) is a list that proxies
    append to, and needs `trusted_proxies`. A field without an address in it is the peer's.
    """
    if type(v6_prefix) is not int or not 1 <= v6_prefix <= 128:
        raise ValueError(f"v6_prefix={v6_prefix!r}: must be a number of bits from 1 to 128")
    field = "" if from_header is None else _field_name("from_header", from_header)
    return ClientIP(v6_prefix, field)


_BY_ADDRESS = client_ip()


def header(
    name: str,
    missing: Identity | None = _BY_ADDRESS,
    *,
    normalize: Normalize | None = None,
) -> Header:
    """Tell clients apart by the value of a header field, for example an API key.

    A request without it (or with an empty one) counts by `missing`, by default its address, so
    that leaving it out is no way around the limit; `missing=None` leaves it to the next rule.
    The identity is "name=value", so that no value can be mistaken for an address. The value is
    what is before the first comma, for servers join lines by it; lines that differ are answered
    400. `normalize` takes the whole value and returns what counts (None or "": as if missing):
    give it where your app accepts several spellings of one key, say of either case.

    A client that makes up keys gets a new bucket for each, so have something in front refuse
    unknown keys, or limit by address too.
    """
    field = _field_name("name", name)
    if field == "cookie":
        raise ValueError(
            "name='cookie': each cookie that a client adds would make it a new one; expected a"
            " field with one credential, or write a function that returns the session's user"
        )
    if normalize is not None and not callable(normalize):
        raise ValueError(f"normalize={normalize!r:.80}: expected a function of the field's value")
    written = f"header({field!r}, missing={missing!r})"
    plain = credentials.authorization if field == "authorization" else credentials.first_member
    return Header(field, normalize or plain, _missing(missing), field, written)


def bearer(missing: Identity | None = _BY_ADDRESS) -> Header:
    """Tell clients apart by the token in `Authorization: Bearer TOKEN`, however it is spelled.

    `missing` is for requests without one, as for `header`; a cookie or a query is not looked at.
    """
    written = f"bearer(missing={missing!r})"
    return Header("authorization", credentials.bearer_token, _missing(missing), "bearer", written)


def basic_user(missing: Identity | None = _BY_ADDRESS) -> Header:
    """Tell clients apart by the user in `Authorization: Basic …`, however it is spelled.

    The password makes no difference, so guessing one user's counts as one client's requests.
    `missing` is for requests without a user, as for `header`.
    """
    written = f"basic_user(missing={missing!r})"
    return Header("authorization", credentials.basic_user, _missing(missing), "basic", written)


def require_made(option: str, key: object) -> None:
    """Raise ValueError for `client_ip` and the like themselves, where what they return is meant."""
    for maker in (client_ip, header, bearer, basic_user):
        if key is maker:
            name = maker.__name__
            made = f"{name}('x-api-key')" if maker is header else f"{name}()"
            raise ValueError(f"{option}={name}: expected what it returns, as in {option}={made}")


def _missing(missing: Identity | None) -> Identity | None:
    if missing is not None and not callable(missing):
        raise ValueError(f"missing={missing!r:.80}: must be an identity or None")
    return missing


def _field_name(option: str, name: object) -> str:
    if isinstance(name, str) and _FIELD.fullmatch(name):
        return name.lower()
    raise ValueError(f"{option}={name!r:.80}: must be the name of a header field")


def is_async(function: object) -> bool:
    """Tell whether calling this makes a coroutine, as far as can be told without a call."""
    if isinstance(function, Header):
        return is_async(function.missing)
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def is_total(identity: object) -> bool:
    """Tell whether an identity is known to have one for each request, never None."""
    if isinstance(identity, Header):
        return is_total(identity.missing)
    return isinstance(identity, ClientIP)


def needs_proxies(identity: object) -> bool:
    """Tell whether an identity can't do without `trusted_proxies`."""
    if isinstance(identity, Header):
        return needs_proxies(identity.missing)
    return isinstance(identity, ClientIP) and identity.needs_proxies


def identity_text(identity: object) -> str:
    """Return the text of an identity; TypeError for what isn't one."""
    if isinstance(identity, str):
        return identity
    if isinstance(identity, _IDS) and not isinstance(identity, bool):
        return str(identity)
    raise TypeError(
        f"the key is {identity!r:.80} of type {type(identity).__name__}, expected a text, a number,"
        " a UUID, an IP address or None"
    )


def group(address: str, v6_prefix: int) -> str:
    """Return the identity of an address: itself, its IPv6 network, or "unknown" for ""."""
    return _group(address, v6_prefix) if len(address) <= MAX_ADDRESS else address


@lru_cache(maxsize=MAX_ADDRESSES)
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

    An identity of over 64 bytes, or with what nobody could print, is replaced by "sha256=" and
    the first 32 hex digits of its SHA-256; so there is a key for every text, and none is long.
    """
    if (
        len(identity) <= MAX_IDENTITY_BYTES
        and identity.isprintable()
        and (identity.isascii() or len(identity.encode()) <= MAX_IDENTITY_BYTES)
    ):
        return f"{name}:{identity}"
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}:sha256={digest[:32]}"
